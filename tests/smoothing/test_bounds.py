"""Clopper-Pearson and the binomial test, against exact sums of the binomial distribution."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from scipy import stats

from core.errors import LabError
from core.smoothing.bounds import (
    METHODS,
    UNIFORM,
    anytime_lower,
    clopper_pearson_lower,
    clopper_pearson_upper,
    least_n_to_certify,
    least_n_to_predict,
    lower_bound,
    prediction_p_value,
    upper_bound,
)

COUNTS = [
    (1, 1, 0.05),
    (1, 10, 0.001),
    (10, 10, 0.001),
    (7, 10, 0.05),
    (50, 100, 0.001),
    (99, 100, 0.01),
    (100, 100, 0.001),
    (501, 1_000, 0.001),
    (990, 1_000, 0.001),
    (1_000, 1_000, 1e-12),
    (9_000, 10_000, 0.001),
    (99_000, 100_000, 0.001),
    (99_999, 100_000, 0.001),
    (100_000, 100_000, 0.001),
    (999_999, 1_000_000, 0.001),
    (1, 1_000_000, 1e-12),
    (3, 1_000, 0.2),
]


def exact_upper_tail(k: int, n: int, p: float) -> float:
    """P[Binomial(n, p) >= k], summed term by term with 60 digits; no special function is used."""
    with localcontext() as context:
        context.prec = 60
        success, failure = Decimal(p), 1 - Decimal(p)
        # From the end with fewer terms.
        upwards = n - k <= k
        first, last = (k, n) if upwards else (0, k - 1)
        term = Decimal(math.comb(n, first)) * success**first * failure ** (n - first)
        total = term
        for i in range(first, last):
            term *= success / failure * (n - i) / (i + 1)
            total += term
        return float(total if upwards else 1 - total)


@pytest.mark.parametrize(("k", "n", "alpha"), COUNTS)
def test_lower_bound_solves_its_defining_equation(k, n, alpha):
    # At the bound itself, k or more votes are seen with probability alpha exactly.
    assert exact_upper_tail(k, n, clopper_pearson_lower(k, n, alpha)) == pytest.approx(alpha, rel=1e-7)


@pytest.mark.parametrize(("k", "n", "alpha"), COUNTS)
def test_upper_bound_solves_its_defining_equation(k, n, alpha):
    # At the upper bound, n - k votes or fewer are seen with probability alpha: k or more against.
    upper = clopper_pearson_upper(n - k, n, alpha)
    if upper == 1:  # 1 - 1e-18 is no double
        assert exact_upper_tail(k, n, 1e-16) > alpha
    else:
        assert exact_upper_tail(k, n, 1 - upper) == pytest.approx(alpha, rel=1e-7)


def test_lower_bound_over_all_small_counts_in_rational_arithmetic():
    for n in range(1, 13):
        for k in range(1, n + 1):
            p = Fraction(clopper_pearson_lower(k, n, 0.001))
            tail = sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
            assert float(tail) == pytest.approx(0.001, rel=1e-11), (k, n)


@pytest.mark.parametrize(("k", "n", "alpha"), [count for count in COUNTS if count[2] > 1e-6])  # SciPy takes 1 - alpha
def test_bounds_agree_with_scipys_interval(k, n, alpha):
    low = stats.binomtest(k, n, alternative="greater").proportion_ci(1 - alpha, method="exact").low
    high = stats.binomtest(k, n, alternative="less").proportion_ci(1 - alpha, method="exact").high
    assert clopper_pearson_lower(k, n, alpha) == pytest.approx(low, rel=1e-9)
    assert clopper_pearson_upper(k, n, alpha) == pytest.approx(high, rel=1e-9)


@pytest.mark.parametrize("n", [1, 2, 10, 1_000, 1_000_000])
@pytest.mark.parametrize("alpha", [0.05, 0.001, 1e-12])
def test_closed_forms(n, alpha):
    assert clopper_pearson_lower(n, n, alpha) == pytest.approx(alpha ** (1 / n), rel=1e-12)
    assert clopper_pearson_lower(1, n, alpha) == pytest.approx(-math.expm1(math.log1p(-alpha) / n), rel=1e-9)
    assert clopper_pearson_upper(0, n, alpha) == pytest.approx(-math.expm1(math.log(alpha) / n), rel=1e-9)
    assert clopper_pearson_lower(0, n, alpha) == 0
    assert clopper_pearson_upper(n, n, alpha) == 1


def test_lower_and_upper_mirror_each_other():
    for k in range(41):
        assert clopper_pearson_upper(k, 40, 0.01) == pytest.approx(1 - clopper_pearson_lower(40 - k, 40, 0.01), abs=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_bounds_grow_with_votes_and_with_alpha_and_stay_below_the_share(method):
    for n in (5, 60, 400):
        bounds = [lower_bound(k, n, 0.001, method) for k in range(n + 1)]
        assert all(a < b for a, b in pairwise(bounds))
        assert all(bound < k / n for k, bound in enumerate(bounds) if k)
        for k in range(1, n + 1, 7):
            assert lower_bound(k, n, 1e-9, method) < bounds[k] < lower_bound(k, n, 0.05, method)


def test_bounds_by_name():
    assert lower_bound(90, 100, 0.001, "clopper-pearson") == clopper_pearson_lower(90, 100, 0.001)
    assert lower_bound(90, 100, 0.001, "anytime") < lower_bound(90, 100, 0.001, "clopper-pearson")
    with pytest.raises(
        LabError, match=r"Unknown bound 'wald': choose one of clopper-pearson, anytime, randomised-clopper-pearson\."
    ):
        lower_bound(90, 100, 0.001, "wald")


def test_the_upper_bound_has_the_mixture_of_the_lower_one():
    older = upper_bound(10, 1000, 0.001, "anytime", mixture=UNIFORM)
    assert older == 1 - anytime_lower(990, 1000, 0.001, mixture=UNIFORM)
    assert abs(older - upper_bound(10, 1000, 0.001, "anytime")) > 1e-4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("k", "n", "alpha", "says"),
    [
        (-1, 10, 0.001, "-1 of 10"),
        (11, 10, 0.001, "11 of 10"),
        (0, 0, 0.001, "0 of 0"),
        (5, 10, 0.0, "alpha is 0"),
        (5, 10, 1.0, "alpha is 1"),
        (5, 10, -0.1, "alpha is -0.1"),
        (5, 10, math.nan, "alpha is nan"),
    ],
)
def test_impossible_counts_and_alphas_are_refused(method, k, n, alpha, says):
    with pytest.raises(LabError, match=says):
        lower_bound(k, n, alpha, method)


def exact_two_sided_p_value(first: int, second: int) -> Fraction:
    """Probability under a fair coin of any outcome no likelier than this one, by enumeration."""
    n = first + second
    seen = math.comb(n, first)
    return Fraction(sum(ways for i in range(n + 1) if (ways := math.comb(n, i)) <= seen), 2**n)


def test_prediction_p_value_by_enumeration():
    for first in range(41):
        for second in range(first + 1):
            exact = 1 if first == second == 0 else exact_two_sided_p_value(first, second)
            assert prediction_p_value(first, second) == pytest.approx(float(exact), rel=1e-10), (first, second)


def test_prediction_p_value_of_many_votes():
    assert prediction_p_value(1_080, 920) == pytest.approx(float(exact_two_sided_p_value(1_080, 920)), rel=1e-9)


@pytest.mark.parametrize(("alpha", "certify", "predict"), [(0.05, 5, 6), (0.01, 7, 8), (0.001, 10, 11), (1e-12, 40, 41)])
def test_least_n_that_can_decide(alpha, certify, predict):
    # n equal votes: CERTIFY needs 2^-n < alpha, PREDICT, whose test has two sides, 2 * 2^-n <= alpha.
    assert Fraction(1, 2**certify) < Fraction(alpha) <= Fraction(1, 2 ** (certify - 1))
    assert 2 * Fraction(1, 2**predict) <= Fraction(alpha) < 2 * Fraction(1, 2 ** (predict - 1))
    assert least_n_to_certify(alpha) == certify
    assert least_n_to_predict(alpha) == predict
