"""The tests that compare two runs: their rate of false alarms, and that they see what is plainly different."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from core.smoothing.bounds import anytime_lower
from core.smoothing.certify import certify
from core.verification.consistency import anytime_p_value, consistency_p_value, fisher_p_value


@pytest.mark.parametrize(
    ("k", "n", "fresh_k", "fresh_n"), [(990, 1000, 970, 1000), (3, 40, 30, 90), (400, 400, 399, 400), (0, 50, 2, 10)]
)
def test_fisher_is_the_hypergeometric_tail(k: int, n: int, fresh_k: int, fresh_n: int) -> None:
    # All tables with these margins at most as likely as this one.
    law = stats.hypergeom(n + fresh_n, k + fresh_k, n)
    chances = law.pmf(np.arange(n + 1))
    expected = chances[chances <= law.pmf(k) * (1 + 1e-9)].sum()
    assert fisher_p_value(k, n, fresh_k, fresh_n) == pytest.approx(expected, rel=1e-6)


def test_fisher_alarms_no_more_often_than_it_says() -> None:
    # Exactly, over all outcomes of two runs of 60.
    for p in (0.5, 0.9, 0.98):
        chances = stats.binom(60, p).pmf(np.arange(61))
        alarm = sum(
            chances[a] * chances[b]
            for a in range(61)
            for b in range(61)
            if chances[a] * chances[b] > 1e-6 and fisher_p_value(a, 60, b, 60) <= 0.05
        )
        assert 0 < alarm + 61**2 * 1e-6 <= 0.05


def test_anytime_p_value_is_the_level_at_which_the_intervals_part() -> None:
    p_value = anytime_p_value(990, 1000, 930, 1000)
    assert 0 < p_value < 1e-4

    def apart(level: float) -> bool:  # the fresh run lies below: lower end of the first, upper end of the second
        return anytime_lower(990, 1000, level / 4) > stats.beta.isf(level / 4, 931, 70)

    assert apart(p_value * 1.01)
    assert not apart(p_value * 0.99)
    assert anytime_p_value(930, 1000, 990, 1000) < 1e-4


def test_anytime_holds_where_the_run_was_stopped_at_its_luckiest_moment() -> None:
    # The certificate stops at the best share of votes that it saw after 20 samples; Fisher's test is then misled.
    generator = np.random.default_rng(0)
    anytime = fisher = 0
    for _ in range(300):
        votes = (generator.random(400) < 0.8).cumsum()
        n = int((votes[20:] / np.arange(21, 401)).argmax()) + 21
        fresh = int(generator.binomial(4000, 0.8))
        anytime += anytime_p_value(int(votes[n - 1]), n, fresh, 4000) <= 0.05
        fisher += fisher_p_value(int(votes[n - 1]), n, fresh, 4000) <= 0.05
    assert anytime <= 0.05 * 300
    assert fisher > 0.05 * 300


@pytest.mark.parametrize("test", [fisher_p_value, anytime_p_value])
def test_extremes(test) -> None:
    assert test(1000, 1000, 1000, 1000) == 1.0
    assert test(0, 1000, 0, 1000) == 1.0
    assert test(100_000, 100_000, 0, 100_000) < 1e-200
    assert test(500_000, 1_000_000, 500_000, 1_000_000) == pytest.approx(1.0)


def test_the_runner_up_of_a_two_sided_certificate_is_tested_too() -> None:
    counts = (900, 20, 20, 20, 40)
    one_sided = certify(torch.full((3, 8, 8), 0.5), lambda x: torch.eye(5)[:1].repeat(len(x), 1), sigma=0.5, n=1000, n0=10)
    one_sided = dataclasses.replace(one_sided, counts=counts)
    two_sided = dataclasses.replace(one_sided, two_sided=True, runner_up=4, p_upper=0.07)
    moved = (900, 0, 0, 0, 100)  # the candidate keeps its votes
    assert consistency_p_value(one_sided, moved) == 1.0
    assert consistency_p_value(two_sided, moved) < 0.001
    # Corrected for two tests and for four classes that could have been the runner-up.
    assert consistency_p_value(two_sided, moved) == pytest.approx(8 * fisher_p_value(40, 1000, 100, 1000))
    assert consistency_p_value(two_sided, counts) == 1.0
