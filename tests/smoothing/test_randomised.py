"""The randomised Clopper-Pearson bound: exact, with a number that is the seed's alone, and certificates that name it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats

import core
from core.report.words import radius_formula
from core.smoothing.bounds import (
    RANDOMISED,
    UNIFORM_KEY,
    clopper_pearson_lower,
    least_n_to_certify,
    lower_bound,
    randomised_lower,
    uniform_number,
    upper_bound,
)
from core.smoothing.document import read_certificate
from core.smoothing.noise import PURPOSES
from core.smoothing.settings import Settings
from core.verification.verify import SAME, check_arithmetic

GREY = torch.full((3, 4, 4), 0.5)


def leaning(pixels):
    side = (pixels - 0.5).flatten(1).sum(dim=1) / math.sqrt(pixels[0].numel())
    return torch.stack([-side - 0.3, side + 0.3], dim=1)


def more_or_as_many(k: int, n: int, p: Fraction, uniform: Fraction) -> Fraction:
    """P(votes > k) + uniform P(votes = k), in fractions."""
    chances = [math.comb(n, votes) * p**votes * (1 - p) ** (n - votes) for votes in range(k, n + 1)]
    return sum(chances[1:], uniform * chances[0])


@pytest.mark.parametrize(("k", "n"), [(1, 1), (3, 5), (9, 10), (30, 30), (25, 30), (1, 30)])
@pytest.mark.parametrize("uniform", [1.0, 0.75, 0.25])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_bound_solves_its_equation(k, n, uniform, alpha):
    bound = randomised_lower(k, n, alpha, uniform)
    found = more_or_as_many(k, n, Fraction(bound), Fraction(uniform))
    assert float(found) == pytest.approx(alpha, rel=1e-8)
    assert found <= Fraction(alpha) * (1 + Fraction(1, 10**12)), "what is left of the root's tolerance lowers it"


@pytest.mark.parametrize(("k", "n"), [(0, 7), (1, 7), (6, 7), (7, 7), (90, 100), (9_990, 10_000), (999_999, 1_000_000)])
def test_between_two_counts_of_clopper_pearson(k, n):
    bounds = [randomised_lower(k, n, 0.001, uniform) for uniform in (1.0, 0.9, 0.5, 0.1, 0.0)]
    assert bounds == sorted(bounds)
    assert bounds[0] == pytest.approx(clopper_pearson_lower(k, n, 0.001), abs=1e-13)
    assert bounds[-1] < (clopper_pearson_lower(k + 1, n, 0.001) if k < n else 1)
    assert lower_bound(k, n, 0.001, RANDOMISED, uniform=0.5) == bounds[2]
    assert upper_bound(n - k, n, 0.001, RANDOMISED, uniform=0.5) == 1 - bounds[2]


@pytest.mark.parametrize("p", [0.5, 0.83, 0.97, 0.999])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_it_errs_with_probability_alpha_itself(p, alpha):
    # Exactly: for every count the numbers with which the bound exceeds p are those below one, found by bisection.
    n, error = 80, 0.0
    for k, chance in enumerate(stats.binom.pmf(np.arange(n + 1), n, p)):
        low, high = 0.0, 1.0
        if randomised_lower(k, n, alpha, 1.0) > p:
            low = 1.0
        elif randomised_lower(k, n, alpha, 0.0) <= p:
            high = 0.0
        while high - low > 1e-12:
            middle = (low + high) / 2
            low, high = (middle, high) if randomised_lower(k, n, alpha, middle) > p else (low, middle)
        error += chance * low
    assert error <= alpha * (1 + 1e-9)
    # All of it, but where unanimous votes are so frequent that the cap on their number is felt.
    assert error == pytest.approx(alpha if math.sqrt(alpha) * p**n <= alpha else 0.0, rel=1e-9)


def test_a_unanimous_vote_shows_no_more_than_one_of_twice_as_many():
    for n in (10, 100, 1_000):
        assert randomised_lower(n, n, 0.001, 0.0) == pytest.approx(clopper_pearson_lower(2 * n, 2 * n, 0.001))
    assert least_n_to_certify(0.001, RANDOMISED) == 5


def test_the_number_is_a_function_of_the_seed_alone():
    asked = Settings(0.25, seed=7, method=RANDOMISED)
    others = [replace(asked, **other) for other in ({"n": 999}, {"n0": 3}, {"alpha": 0.05}, {"sigma": 1.0}, {"tries": 4})]
    assert {s.terms((3, 4, 4)).uniform for s in (asked, *others)} == {uniform_number(7)}
    assert Settings(0.25, seed=7).terms((3, 4, 4)).uniform == 1.0
    assert UNIFORM_KEY not in PURPOSES.values(), "no noise comes from its stream"


def test_the_numbers_of_many_seeds_are_uniform():
    numbers = np.array([uniform_number(seed) for seed in (*range(4_000), *range(2**40, 2**40 + 4_000))])
    assert (numbers > 0).all()
    assert (numbers <= 1).all()
    assert len(set(numbers)) == len(numbers)
    assert stats.kstest(numbers, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 4 / math.sqrt(len(numbers))


def test_a_certificate_is_read_back_and_verified():
    c = core.certify(GREY, leaning, sigma=0.25, n0=20, n=300, seed=11, method=RANDOMISED, device="cpu")
    assert c.p_lower == randomised_lower(c.counts[1], 300, 0.001, uniform_number(11)) > 0.5
    assert c.p_lower > clopper_pearson_lower(c.counts[1], 300, 0.001)
    assert (c.method, c.failure_probability) == (RANDOMISED, 0.001)
    again = read_certificate(json.dumps(c.to_dict()).encode())
    assert again == c
    assert {check.status for check in check_arithmetic(again)} == {SAME}
    assert f"uniform number {uniform_number(11):.4f} of seed 11" in radius_formula(c).words


def test_another_seed_is_another_bound():
    c = core.certify(GREY, leaning, sigma=0.25, n0=20, n=300, seed=11, method=RANDOMISED, device="cpu")
    differing = {check.name for check in check_arithmetic(replace(c, seed=12)) if check.status != SAME}
    assert {"p_lower", "radius", "radius_ceiling"} <= differing


def test_a_stopped_run_falls_back_on_the_anytime_bound():
    stop = iter([False, True]).__next__
    c = core.certify(
        GREY, leaning, sigma=0.25, n0=20, n=300, seed=11, method=RANDOMISED, device="cpu", batch_size=50, should_stop=stop
    )
    assert c.stopped
    assert (c.method, c.failure_probability) == ("anytime", 0.002)
    assert {check.status for check in check_arithmetic(c)} == {SAME}
