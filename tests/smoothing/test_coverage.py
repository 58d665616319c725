"""How often a bound is wrong: no more often than alpha allows, exactly and by simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import stats

import core
from core.smoothing.bounds import METHODS, clopper_pearson_lower, clopper_pearson_upper, lower_bound, uniform_number
from core.smoothing.radius import l2_radius

RUNS = 20_000
SETTINGS = [(p, n, alpha) for n in (30, 300, 1_500) for alpha in (0.05, 0.001) for p in (0.02, 0.5, 0.83, 0.99, 0.9995)]


@cache
def table(method: str, n: int, alpha: float) -> np.ndarray:
    """(n + 1,) the bound of every count."""
    return np.array([lower_bound(k, n, alpha, method) for k in range(n + 1)])


def exact_failure_rate(bounds: np.ndarray, n: int, p: float) -> float:
    """Probability that a bound lies above p, by summing over all counts."""
    return float(stats.binom.pmf(np.arange(n + 1), n, p)[bounds > p].sum())


@pytest.mark.parametrize(("p", "n", "alpha"), SETTINGS)
@pytest.mark.parametrize("method", METHODS)
def test_failures_of_the_lower_bound(method, p, n, alpha):
    bounds = table(method, n, alpha)
    assert exact_failure_rate(bounds, n, p) <= alpha
    counts = np.random.default_rng([n, round(p * 10_000)]).binomial(n, p, RUNS)
    failures = int((bounds[counts] > p).sum())
    # With the greatest rate allowed, so many failures or more would be seen once in ten thousand such tests.
    assert failures <= stats.binom.isf(1e-4, RUNS, alpha)


@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_coverage_over_a_fine_grid_of_truths(alpha):
    for method in METHODS:
        bounds = table(method, 300, alpha)
        rates = [exact_failure_rate(bounds, 300, p) for p in np.linspace(0.001, 0.999, 999)]
        assert max(rates) <= alpha


@pytest.mark.parametrize("n", [30, 300])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_clopper_pearson_cannot_be_raised(n, alpha):
    # Just below a bound the failure rate is alpha itself: any greater bound would fail too often there.
    for k in range(1, n + 1, 5):
        p = clopper_pearson_lower(k, n, alpha) * (1 - 1e-9)
        assert exact_failure_rate(table("clopper-pearson", n, alpha), n, p) == pytest.approx(alpha, rel=1e-4)


def test_a_slightly_higher_bound_would_be_caught():
    # As if alpha were misread as two-sided the wrong way round.
    wrong = table("clopper-pearson", 1_500, 0.1)
    counts = np.random.default_rng(0).binomial(1_500, 0.83, RUNS)
    assert int((wrong[counts] > 0.83).sum()) > stats.binom.isf(1e-4, RUNS, 0.05)


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 0.999])
def test_failures_of_the_upper_bound(p):
    bounds = np.array([clopper_pearson_upper(k, 300, 0.05) for k in range(301)])
    assert float(stats.binom.pmf(np.arange(301), 300, p)[bounds < p].sum()) <= 0.05
    counts = np.random.default_rng(3).binomial(300, p, RUNS)
    assert int((bounds[counts] < p).sum()) <= stats.binom.isf(1e-4, RUNS, 0.05)


DISTANCE, SIGMA = 0.2, 0.25
"""A linear classifier at this distance from its boundary: the smoothed one's true radius is the distance itself."""


def linear(pixels):
    """Class 0 on the near side of a plane that lies DISTANCE from a grey picture, class 1 beyond it."""
    import torch

    side = (pixels - 0.5).flatten(1).sum(dim=1) / np.sqrt(pixels[0].numel()) + DISTANCE
    return torch.stack([side, -side], dim=1)


@pytest.mark.parametrize("method", METHODS)
def test_certified_radii_exceed_the_true_distance_no_more_often_than_alpha(method):
    import torch

    runs, alpha, n = 1_500, 0.05, 80
    grey = torch.full((3, 2, 2), 0.5)
    right = stats.norm.cdf(DISTANCE / SIGMA)  # the exact probability of class 0 under noise
    counts, wrong = [], 0
    for seed in range(runs):
        c = core.certify(grey, linear, sigma=SIGMA, n0=5, n=n, alpha=alpha, seed=seed, method=method, device="cpu")
        counts.append(c.counts[0])
        wrong += c.radius > (DISTANCE if c.prediction == 0 else 0)
        if c.candidate == 0:
            assert c.radius == l2_radius(lower_bound(c.counts[0], n, alpha, method, uniform=uniform_number(seed)), SIGMA)
    assert wrong <= stats.binom.isf(1e-4, runs, alpha)
    # The votes are those of independent samples with that probability: mean and spread over the seeds fit.
    assert np.mean(counts) == pytest.approx(n * right, abs=4 * np.sqrt(n * right * (1 - right) / runs))
    assert np.var(counts) == pytest.approx(n * right * (1 - right), rel=0.2)
    # And the certificates are worth something.
    assert wrong < runs * alpha < runs * 0.5 < sum(l2_radius(lower_bound(k, n, alpha, method), SIGMA) > 0 for k in counts)
