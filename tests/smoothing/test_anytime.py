"""The anytime-valid bound: against quadrature and a grid, as a martingale, and under an adversary who stops when it suits."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from scipy import special, stats

from core.smoothing.bounds import MIXTURE, UNIFORM, anytime_lower, clopper_pearson_lower, log_martingale, lower_bound
from core.smoothing.radius import l2_radius

NODES, WEIGHTS = leggauss(600)


def log_quadrature(p: np.ndarray, k: int, n: int, mixture: float) -> np.ndarray:
    """log M_n(p), the mean of (q/p)^k ((1-q)/(1-p))^(n-k) over q of a Beta(1, mixture) distribution above p.

    ((1-q)/(1-p))^mixture is uniform on [0, 1] then; of a mixture of 1 or 1/2 Gauss-Legendre is exact for n < 600.
    """
    assert n < 600
    q = 1 - (1 - p[:, None]) * ((NODES + 1) / 2) ** (1 / mixture)  # (grid, nodes)
    log_ratio = k * (np.log(q) - np.log(p)[:, None]) + (n - k) * (np.log1p(-q) - np.log1p(-p)[:, None])
    return special.logsumexp(log_ratio, axis=1, b=WEIGHTS / 2)


SMALL = [(1, 1), (2, 3), (5, 10), (10, 10), (1, 50), (40, 50), (99, 100), (100, 100), (180, 300), (499, 500), (500, 500)]


@pytest.mark.parametrize(("k", "n"), SMALL)
@pytest.mark.parametrize("mixture", [MIXTURE, UNIFORM])
def test_martingale_is_the_mixture_integral(k, n, mixture):
    p = np.linspace(0.02, 0.98, 97)
    p = p[p <= max(k / n, 0.1) + 0.1]
    closed = [log_martingale(float(each), k, n, mixture) for each in p]
    assert closed == pytest.approx(log_quadrature(p, k, n, mixture), abs=1e-8)


@pytest.mark.parametrize(("k", "n"), SMALL)
@pytest.mark.parametrize("alpha", [0.05, 0.001])
@pytest.mark.parametrize("mixture", [MIXTURE, UNIFORM])
def test_bound_is_the_smallest_candidate_not_rejected(k, n, alpha, mixture):
    step = 1 / 5_000
    grid = np.arange(step / 2, 1, step)
    rejected = log_quadrature(grid, k, n, mixture) >= -np.log(alpha)
    kept = grid[~rejected]
    assert kept[0] - step <= anytime_lower(k, n, alpha, mixture) <= kept[0]
    assert not rejected[grid > kept[0]].any() or n == k, "what is not rejected is one piece"


@pytest.mark.parametrize("p", [0.3, 0.5, 0.9, 0.99])
def test_martingale_has_mean_one_under_the_truth(p):
    for n in (1, 2, 7, 40, 150):
        mean = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) * math.exp(log_martingale(p, k, n)) for k in range(n + 1))
        assert mean == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("p", [0.3, 0.5, 0.9, 0.99])
def test_martingale_stays_in_the_mean_at_every_step(p):
    for n in (1, 5, 60, 400):
        for k in range(0, n + 1, max(1, n // 10)):
            after = p * math.exp(log_martingale(p, k + 1, n + 1)) + (1 - p) * math.exp(log_martingale(p, k, n + 1))
            assert after == pytest.approx(math.exp(log_martingale(p, k, n)), rel=1e-8)


PRICES = {
    # n: of the fixed-n radius, with the uniform mixture and with the present one; all votes for the class, and 99% of them
    100: ((0.907, 0.948), (0.902, 0.918)),
    1_000: ((0.959, 0.977), (0.962, 0.960)),
    10_000: ((0.975, 0.986), (0.984, 0.982)),
    100_000: ((0.982, 0.990), (0.994, 0.993)),
}


@pytest.mark.parametrize("n", PRICES)
def test_price_of_stopping_at_any_time(n):
    for k, (uniform, present) in zip((n, 99 * n // 100), PRICES[n], strict=True):
        fixed = l2_radius(clopper_pearson_lower(k, n, 0.001), 1.0)
        for mixture, ratio in ((UNIFORM, uniform), (MIXTURE, present)):
            assert l2_radius(anytime_lower(k, n, 0.001, mixture), 1.0) / fixed == pytest.approx(ratio, abs=6e-4)


@pytest.mark.parametrize("alpha", [0.4, 0.05, 0.001, 1e-12, 1e-100])
def test_extreme_counts(alpha):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in (1, 10, 1_000, 1_000_000):
            for k in sorted({0, 1, n // 2, n - 1, n}):
                bound = anytime_lower(k, n, alpha)
                assert 0 <= bound <= clopper_pearson_lower(k, n, alpha), (k, n)
                assert bound > 0 or clopper_pearson_lower(k, n, alpha) < 1e-5, (k, n)
    # Every vote the same: M_n(p) is the mean over a uniform u of (1 - (1-p) u^2)^n / p^n, which must be 1 / alpha at the bound.
    p = anytime_lower(1_000_000, 1_000_000, alpha)
    logs = 1_000_000 * (np.log1p(-(1 - p) * ((NODES + 1) / 2) ** 2) - math.log(p))
    assert special.logsumexp(logs, b=WEIGHTS / 2) == pytest.approx(-math.log(alpha), rel=1e-6)


def test_martingale_far_above_the_share_is_nothing():
    assert log_martingale(0.999, 10, 10_000) == -math.inf


HORIZON = 2_000


def critical_counts(method: str, p: float, alpha: float) -> np.ndarray:
    """(HORIZON + 1,) the least k of n whose bound exceeds p, n + 1 where none does: where an adversary would stop."""
    critical = np.empty(HORIZON + 1, dtype=np.int64)
    critical[0] = 1
    k = 1
    for n in range(1, HORIZON + 1):
        # Bounds grow with k and shrink with n, so the least k never falls.
        while k <= n and lower_bound(k, n, alpha, method) <= p:
            k += 1
        critical[n] = k
    return critical


def share_of_fooled_paths(critical: np.ndarray, p: float, runs: int, seed: int) -> int:
    """How many of ``runs`` sequences of votes let an adversary, who looks after every vote, report a bound above p."""
    rng = np.random.default_rng(seed)
    fooled = 0
    for _ in range(runs // 1_000):
        votes = np.cumsum(rng.random((1_000, HORIZON)) < p, axis=1, dtype=np.int16)  # (paths, n)
        fooled += int((votes >= critical[1:]).any(axis=1).sum())
    return fooled


def exact_chance_of_being_fooled(critical: np.ndarray, p: float) -> float:
    """The same chance without simulation: the distribution of the votes that have not crossed yet, step by step."""
    alive = np.zeros(HORIZON + 2)  # alive[k]: probability of k votes and no crossing so far
    alive[0] = 1
    for n in range(1, HORIZON + 1):
        alive[1:] = p * alive[:-1] + (1 - p) * alive[1:]
        alive[0] *= 1 - p
        alive[critical[n] :] = 0
    return 1 - float(alive.sum())


@pytest.mark.parametrize(("p", "alpha"), [(0.5, 0.05), (0.9, 0.05), (0.99, 0.05), (0.8, 0.01), (0.5, 0.001)])
def test_adversarial_stopping(p, alpha):
    runs = 20_000
    anytime, fixed = critical_counts("anytime", p, alpha), critical_counts("clopper-pearson", p, alpha)

    fooled = share_of_fooled_paths(anytime, p, runs, seed=1)
    assert stats.binomtest(fooled, runs, alpha, alternative="greater").pvalue > 0.001
    exact = exact_chance_of_being_fooled(anytime, p)
    assert exact < alpha
    assert fooled / runs == pytest.approx(exact, abs=4 * math.sqrt(exact / runs))
    # Not for being idle: the adversary does win now and then.
    assert exact > alpha / 20

    # The same adversary beats the bound that is meant for a fixed n, so the test can tell the two apart.
    fooled = share_of_fooled_paths(fixed, p, runs, seed=1)
    assert stats.binomtest(fooled, runs, alpha, alternative="greater").pvalue < 1e-12
    assert fooled / runs > 2 * alpha
    assert exact_chance_of_being_fooled(fixed, p) > 2 * alpha
