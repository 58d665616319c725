"""From counts to claims: against scipy, and how often the two-sided radius is wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

from core.smoothing.bounds import METHODS, anytime_lower, clopper_pearson_upper, lower_bound, upper_bound
from core.smoothing.conclusion import both_ways, conclude, find_runner_up, part_for_lower
from core.smoothing.radius import own_radius
from core.smoothing.settings import HALF, NEARLY_ALL, Terms

RUNS = 20_000
SHAPE = (3, 4, 4)
RULES = {"alpha": 0.001, "sigma": 0.5, "shape": SHAPE}


def test_one_sided_by_hand():
    found = conclude((5, 190, 5), 1, Terms(method="clopper-pearson", **RULES))
    p = stats.beta.ppf(0.001, 190, 11)
    assert found.p_lower == pytest.approx(p)
    assert found.radius == found.radii["l2"] == pytest.approx(0.5 * stats.norm.ppf(p))
    assert found.radii["l1"] == found.radius
    assert found.radii["linf"] == pytest.approx(found.radius / np.sqrt(48))
    assert found.radius_ceiling == pytest.approx(0.5 * stats.norm.ppf(0.001 ** (1 / 200)))
    assert (found.p_upper, found.runner_up, found.abstained) == (None, None, False)


def test_two_sided_by_hand():
    found = conclude((20, 150, 30), 1, Terms(method="clopper-pearson", two_sided=True, **RULES))
    p = stats.binomtest(150, 200).proportion_ci(0.999, method="exact").low
    q = stats.binomtest(30, 200).proportion_ci(0.999, method="exact").high
    assert (found.p_lower, found.p_upper, found.runner_up) == (pytest.approx(p), pytest.approx(q), 2)
    assert found.radius == pytest.approx(0.25 * (stats.norm.ppf(p) - stats.norm.ppf(q)))
    # Had the runner-up all other votes, 1 - p would be the sharper bound.
    alone = conclude((50, 150), 1, Terms(method="clopper-pearson", two_sided=True, **RULES))
    assert alone.p_upper == 1 - alone.p_lower
    assert alone.radius == pytest.approx(0.5 * stats.norm.ppf(p))


@pytest.mark.parametrize("method", METHODS)
def test_two_sides_certify_what_one_cannot(method):
    # 45% for the class, and no other has more than 12%.
    counts = (450, 120, 110, 110, 110, 100)
    one, two = both_ways(counts, 0, Terms(method=method, **RULES))
    assert one.abstained
    assert one.radius == 0
    assert not two.abstained
    assert two.p_lower < 0.5
    assert two.radius > 0.15


@pytest.mark.parametrize("method", METHODS)
def test_the_price_of_two_sides_where_two_classes_share_the_votes(method):
    one, two = both_ways((0, 950, 50), 1, Terms(method=method, **RULES))
    assert 0.9 * one.radius < two.radius < one.radius
    assert two.radius_ceiling < one.radius_ceiling


@pytest.mark.parametrize(("noise", "norm"), [("uniform", "l1"), ("laplace", "l1"), ("gaussian", "l2")])
def test_every_noise_takes_its_own_norm(noise, norm):
    found = conclude((1, 99), 1, Terms(method="anytime", noise=noise, **RULES))
    assert found.radius == found.radii[norm] == own_radius(noise, anytime_lower(99, 100, 0.001), None, 0.5)
    other = conclude((1, 99), 1, Terms(method="anytime", noise=noise, norm="linf", **RULES))
    assert other.radius == found.radii["linf"]
    assert other.radius_ceiling / found.radius_ceiling == pytest.approx(other.radius / found.radius)


def test_nothing_counted_nothing_claimed():
    for counts, candidate in (((0, 0), 0), ((0, 0), None)):
        found = conclude(counts, candidate, Terms(method="anytime", **RULES))
        assert found.abstained
        assert (found.p_lower, found.radius, found.radius_ceiling, set(found.radii.values())) == (0, 0, 0, {0})


def test_a_candidate_behind_another_class_is_not_certified():
    for two_sided in (False, True):
        assert conclude((600, 300, 100), 1, Terms(method="anytime", two_sided=two_sided, **RULES)).abstained


def test_the_first_of_several_runners_up():
    assert find_runner_up((3, 9, 3, 3), 1) == 0
    assert find_runner_up((0, 9, 0), 0) == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 40, 700])
def test_bounds_grow_with_the_count(method, n):
    # On which the two-sided bound rests: the class with most votes has the greatest upper bound.
    counts = range(n + 1)
    for bound in (lower_bound, upper_bound):
        values = [bound(k, n, 0.01, method) for k in counts]
        assert values == sorted(values)
        assert 0 <= min(values) <= max(values) <= 1
    assert upper_bound(n, n, 0.01, method) == 1
    assert upper_bound(n // 2, n, 0.01, "clopper-pearson") == clopper_pearson_upper(n // 2, n, 0.01)


@cache
def tables(method: str, n: int, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of every count of ``n``, each at half of alpha."""
    bounds = [(lower_bound(k, n, alpha / 2, method), upper_bound(k, n, alpha / 2, method)) for k in range(n + 1)]
    return tuple(np.array(bounds).T)  # type: ignore[return-value]


def radii_of(counts: np.ndarray, method: str, alpha: float) -> np.ndarray:
    """(runs, classes) counts -> (runs,) two-sided l2 radii of class 0 for sigma 1."""
    lower, upper = tables(method, int(counts[0].sum()), alpha)
    p = lower[counts[:, 0]]
    q = np.minimum(upper[counts[:, 1:].max(axis=1)], 1 - p)
    return np.where(p > q, (stats.norm.ppf(p) - stats.norm.ppf(q)) / 2, 0.0)


TRUTHS = [(0.5, 0.3, 0.1, 0.1), (0.4, 0.2, 0.2, 0.2), (0.36, 0.32, 0.32), (0.3, 0.35, 0.35), (0.9, 0.06, 0.04), (0.5, 0.5)]


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_two_sided_radius_is_wrong_no_more_often_than_alpha(truth, alpha):
    exact = own_radius("gaussian", truth[0], max(truth[1:]), 1.0)
    for n in (60, 600):
        counts = np.random.default_rng([n, len(truth)]).multinomial(n, truth, RUNS)
        found = radii_of(counts, "clopper-pearson", alpha)
        for run in range(0, RUNS, 1_000):
            by_hand = conclude(
                counts[run].tolist(), 0, Terms(alpha=alpha, method="clopper-pearson", sigma=1.0, shape=SHAPE, two_sided=True)
            )
            assert found[run] == pytest.approx(by_hand.radius)
        assert int((found > exact).sum()) <= stats.binom.isf(1e-4, RUNS, alpha)


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_the_anytime_two_sided_radius_may_be_read_at_the_best_moment(truth):
    exact = own_radius("gaussian", truth[0], max(truth[1:]), 1.0)
    rng, alpha = np.random.default_rng(len(truth)), 0.05
    counts, ever = np.zeros((RUNS, len(truth)), int), np.zeros(RUNS, bool)
    for _ in range(12):
        counts += rng.multinomial(30, truth, RUNS)
        ever |= radii_of(counts, "anytime", alpha) > exact
    assert int(ever.sum()) <= stats.binom.isf(1e-4, RUNS, alpha)


def test_bounds_without_the_halved_alpha_would_be_caught():
    # Where only two classes vote, both bounds err together; where several do, apart: each must have its half.
    truth, n = (0.4, 0.3, 0.1, 0.1, 0.1), 600
    counts = np.random.default_rng(1).multinomial(n, truth, RUNS)
    found = radii_of(counts, "clopper-pearson", 0.6)  # as if each had 0.3
    exact = own_radius("gaussian", 0.4, 0.3, 1.0)
    assert int((found > exact).sum()) > stats.binom.isf(1e-4, RUNS, 0.05)


@pytest.mark.parametrize(("truth", "gains"), [((0.7, 0.1, 0.1, 0.1), True), ((0.7, 0.3), False)])
def test_where_two_sides_pay(truth, gains):
    counts = np.random.default_rng(2).multinomial(1_000, truth, 200).tolist()
    one, two = zip(*(both_ways(c, 0, Terms(method="clopper-pearson", **RULES)) for c in counts), strict=True)
    mean_one, mean_two = np.mean([c.radius for c in one]), np.mean([c.radius for c in two])
    assert (mean_two > 1.5 * mean_one) if gains else (0.9 * mean_one < mean_two < mean_one)


@pytest.mark.parametrize(
    ("counts0", "part"),
    [((0, 20, 0), NEARLY_ALL), ((0, 18, 2), NEARLY_ALL), ((1, 18, 1), HALF), ((9, 2, 9), HALF), ((0, 1), NEARLY_ALL)],
)
def test_the_n0_samples_say_how_alpha_is_shared(counts0, part):
    assert part_for_lower(counts0, 1) == part


@pytest.mark.parametrize("method", METHODS)
def test_nearly_all_of_alpha_for_the_lower_bound_wins_back_what_half_of_it_cost(method):
    terms = Terms(method=method, two_sided=True, **RULES)
    for votes in (100, 96):
        one, half = both_ways((votes, 100 - votes), 0, terms)
        _, nearly = both_ways((votes, 100 - votes), 0, replace(terms, lower_part=NEARLY_ALL))
        assert 0.97 * one.radius > half.radius
        assert one.radius > nearly.radius > 0.997 * one.radius - 1e-12
