"""Bounds on the normal distribution function, against mpmath."""

from __future__ import annotations

import random
from fractions import Fraction

import mpmath
import pytest

from core.smoothing.exact_normal import normal_cdf_bounds


def scaled_cdf(x: Fraction, bits: int) -> mpmath.mpf:
    """2^bits Phi(x), to at least 50 digits after the point."""
    with mpmath.workdps(50 + bits):
        return mpmath.ncdf(mpmath.mpf(x.numerator) / x.denominator) * mpmath.mpf(2) ** bits


@pytest.mark.parametrize("bits", [4, 16, 64, 128, 300])
def test_the_bounds_hold_and_are_close(bits):
    draw = random.Random(bits)
    for _ in range(60):
        x = Fraction(draw.uniform(-14, 14)) / draw.choice([1, 1, 1_000, 10**9])
        low, high = normal_cdf_bounds(x, bits)
        with mpmath.workdps(50 + bits):
            assert low <= scaled_cdf(x, bits) <= high
        assert 0 <= low <= high <= 1 << bits
        assert high - low <= 2


def test_far_tails_cost_nothing_and_still_hold():
    for x in (Fraction(10**6), Fraction(10) ** 300, Fraction(12)):
        low, high = normal_cdf_bounds(x, 64)
        assert (low, high) == (2**64 - 1, 2**64)
        assert normal_cdf_bounds(-x, 64) == (0, 1)


def test_more_bits_resolve_the_tail():
    # 1 - Phi(12) is 1.8e-33: nothing in 64 bits, 38 digits in 236.
    low, high = normal_cdf_bounds(Fraction(-12), 236)
    with mpmath.workdps(120):
        exact = mpmath.ncdf(-12) * mpmath.mpf(2) ** 236
        assert low <= exact <= high
        assert exact > 10**38


def test_a_median_is_a_half():
    low, high = normal_cdf_bounds(Fraction(0), 64)
    assert low <= 1 << 63 <= high
