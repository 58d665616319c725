"""Alpha shared among several certificates of one picture: the bound of each, and how often the best of them is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from core.errors import LabError
from core.smoothing.bounds import lower_bound
from core.smoothing.certify import certify
from core.smoothing.conclusion import conclude
from core.smoothing.settings import Settings
from core.verification.verify import SAME, check_arithmetic

GREY = torch.full((3, 4, 4), 0.5)


def leaning(pixels: torch.Tensor) -> torch.Tensor:
    """Class 1 for most noisy copies of a grey picture."""
    side = (pixels - 0.5).flatten(1).mean(dim=1) + 0.05
    return torch.stack([-side, side], dim=1)


@pytest.mark.parametrize("method", ["clopper-pearson", "anytime"])
def test_each_has_its_part_of_alpha(method):
    c = certify(GREY, leaning, sigma=0.25, n=500, alpha=0.01, method=method, tries=5, device="cpu")
    assert (c.alpha, c.tries, c.failure_probability) == (0.01, 5, 0.002)
    assert c.p_lower == lower_bound(c.counts[1], 500, 0.002, method)
    alone = certify(GREY, leaning, sigma=0.25, n=500, alpha=0.002, method=method, device="cpu")
    assert (alone.counts, alone.radius) == (c.counts, c.radius)
    assert {check.status for check in check_arithmetic(c)} == {SAME}
    assert SAME not in {check.status for check in check_arithmetic(replace(c, tries=1)) if check.name == "p_lower"}


def test_a_stopped_run_of_a_fixed_n_has_twice_its_part():
    stop = iter([False, True]).__next__
    c = certify(GREY, leaning, sigma=0.25, n=5_000, tries=4, batch_size=100, device="cpu", should_stop=stop)
    assert c.stopped
    assert c.failure_probability == 2 * 0.001 / 4


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_best_of_five_is_wrong_no_more_often_than_alpha(alpha):
    # The truth is 0.8 in each try; the best lower bound of five is looked at.
    rng, runs, n, truth = np.random.default_rng(1), 20_000, 300, 0.8
    votes = rng.binomial(n, truth, (runs, 5)).max(axis=1)

    def wrong(tries: int) -> int:
        terms = Settings(sigma=1.0, n=n, alpha=alpha, tries=tries).terms((3, 1, 1))
        too_high = {k for k in set(votes.tolist()) if conclude((k, n - k), 0, terms).p_lower > truth}
        return int(np.isin(votes, list(too_high)).sum())

    assert wrong(5) <= stats.binom.isf(1e-4, runs, alpha)
    assert wrong(1) > 2 * alpha * runs  # which is why it has to be said


@pytest.mark.parametrize("tries", [0, -1, 1.5, 1_000_001])
def test_what_is_no_number_of_tries_is_told(tries):
    with pytest.raises(LabError, match=r"tries is .*: expected how many certificates share alpha, 1 to 1,000,000"):
        Settings(sigma=0.25, tries=tries).check()


def test_too_few_samples_for_so_many_tries():
    with pytest.raises(LabError, match=r"n is 10: with alpha 0\.0001 no vote of fewer than 14 samples"):
        Settings(sigma=0.25, n=10, tries=10).check()
