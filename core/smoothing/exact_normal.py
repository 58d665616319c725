"""Rigorous bounds on the normal distribution function, to any number of bits, in integer arithmetic alone."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

GUARD = 32
"""Working bits beyond those asked for; doubled where the two bounds do not come close enough."""


def normal_cdf_bounds(x: Fraction, bits: int) -> tuple[int, int]:
    """Integers ``low``, ``high`` with ``low <= Phi(x) 2^bits <= high`` and ``high - low <= 2``.

    With y = x^2 / 2, the series of positive terms (Abramowitz and Stegun 26.2.11)

        Phi(x) - 1/2 = x / sqrt(2 pi) * sum_n (2y)^n / (1 3 5 ... (2n+1)) / e^y

    is summed twice in fixed point, each operation rounded down for the one bound and up for the other.

    >>> low, high = normal_cdf_bounds(Fraction(0), 8)
    >>> low <= 128 <= high
    True
    """
    one = 1 << bits
    if x < 0:
        low, high = normal_cdf_bounds(-x, bits)
        return one - high, one - low
    y = x * x / 2
    if y >= bits:  # 1 - Phi(x) <= exp(-y) / 2 < 2^-bits
        return one - 1, one
    guard = GUARD
    while True:
        low, high = _half_area(x, y, bits + guard)
        low, high = one // 2 + (low >> guard), one // 2 - (-high >> guard)
        if high - low <= 2:
            return low, high
        guard *= 2


def _half_area(x: Fraction, y: Fraction, w: int) -> tuple[int, int]:
    """Bounds on (Phi(x) - 1/2) 2^w, for x >= 0 and y = x^2 / 2."""
    low_2y = (y.numerator << (w + 1)) // y.denominator
    root_low, root_high = _root_two_pi(w)
    u, v = x.numerator << (2 * w), x.denominator
    low = u * _sum_down(low_2y, 3, w) // (v * root_high * _sum_up(low_2y + 1, 2, w))
    high = -(-u * _sum_up(low_2y + 1, 3, w) // (v * root_low * _sum_down(low_2y, 2, w)))
    return low, high


def _sum_down(two_y: int, divisor: int, w: int) -> int:
    """2^w (1 + z/d + z^2/(d(d+2)) + ...) with z = two_y / 2^w, from below. d = 2 gives exp(y), d = 3 the series of Phi."""
    term = total = 1 << w
    while term:
        term = (term * two_y >> w) // divisor
        total += term
        divisor += 2
    return total


def _sum_up(two_y: int, divisor: int, w: int) -> int:
    """The same sum from above."""
    term = total = 1 << w
    while True:
        term = 1 + (term * two_y >> w) // divisor
        total += term
        divisor += 2
        if term <= 2 and 2 * two_y < divisor << w:
            # Every later term is less than half of the one before it: together they are less than this one.
            return total + term


@lru_cache(maxsize=16)
def _root_two_pi(w: int) -> tuple[int, int]:
    """Bounds on sqrt(2 pi) 2^w; pi by Machin's formula, 16 arctan(1/5) - 4 arctan(1/239)."""
    guard = 32  # each of the fewer than w terms is off by less than 20 units; their sum by less than 2^32
    pi = (16 * _arctan_inverse(5, w + guard) - 4 * _arctan_inverse(239, w + guard)) >> guard
    return math.isqrt((pi - 1) << (w + 1)), math.isqrt((pi + 2) << (w + 1)) + 1


def _arctan_inverse(n: int, w: int) -> int:
    """arctan(1/n) 2^w, off by at most one unit a term."""
    power, total, divisor = (1 << w) // n, 0, 1
    while power:
        total += power // divisor if divisor % 4 == 1 else -(power // divisor)
        power //= n * n
        divisor += 2
    return total
