"""Gaussian noise on the grid of grey levels, drawn exactly: by comparing uniform bits with integer thresholds.

The noise of one pixel value is the whole number k, in grey levels, with probability

    P(k) = Phi((k + 1/2) / s) - Phi((k - 1/2) / s),    s = 255 sigma,

which is the distribution of a real Gaussian rounded to the grid: for a whole number x, round(x + s Z) = x + round(s Z). So a
picture of 8 bits with this noise is distributed as the one with real Gaussian noise, rounded, and theorem 1 of Cohen et al.
(2019) holds for the classifier that rounds first (Voracek and Hein, ICLR 2023). More in docs/floating-point.md.
"""

import math
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import LabError
from core.smoothing.noise import NoiseStream
from core.smoothing.radius import check_sigma
from core.smoothing.settings import MAX_SOUND_SIGMA

GREY_LEVELS = 255  # steps of the grid from black to white
CHUNK = 2**16  # values drawn together inside a block; part of what a seed means: it sets which bits belong to which value
GRID_KEY = 1  # third element of the spawn key, which float noise does not have: the two share no bits
_OPEN = np.iinfo(np.int32).min  # in the table: these leading bits do not settle the value


class Bits(Protocol):
    """A source of uniform 64-bit words, such as a bit generator of NumPy."""

    def random_raw(self, size: int) -> NDArray[np.uint64]: ...


class RoundedNormal:
    """The normal distribution of mean 0 and standard deviation ``scale``, rounded to whole numbers.

    A value is found as by inversion of a uniform number U with endless binary digits: k is the number with
    Phi((k - 1/2) / scale) <= U < Phi((k + 1/2) / scale). Only as many digits are drawn as decide it. The leading ones look it
    up in a table; where a threshold lies among the numbers that begin so, a word follows and ``full`` digits are compared with
    bounds on the thresholds; where these do not tell, as at a tie or in the tails, further words are drawn and the bounds
    computed as sharply as it takes. So the distribution is the stated one, without any rounding, if the bits are fair.

    Args:
        scale: standard deviation in grey levels, above 0.
        lead: leading digits, 8 or 16.
        full: digits after the first word, up to 64.
        more: digits added at a time after that, up to 64.
    """

    def __init__(self, scale: Fraction, *, lead: int = 16, full: int = 64, more: int = 64) -> None:
        self.scale, self.lead, self.full, self.more = scale, lead, full, more
        one = 1 << full
        upper: list[tuple[int, int]] = []
        while not upper or upper[-1][1] < one:
            upper.append(self._threshold(len(upper) + 1, full))
        # Phi(-x) = 1 - Phi(x). The lowest bound is 0 and the highest 1, so that no digits settle a value beyond the table.
        bounds = [(one - high, one - low) for low, high in reversed(upper)] + upper
        self._least = -len(upper)
        # Bounds a unit apart need not be sorted where thresholds are closer than that: the sharper neighbour's hold as well.
        self._lows = np.maximum.accumulate(np.array([low for low, _ in bounds], np.uint64))
        # One less than the upper bound, which may be 2^64.
        self._highs = np.minimum.accumulate(np.array([high - 1 for _, high in bounds], np.uint64)[::-1])[::-1].copy()
        rest = np.uint64(full - lead)
        first = np.arange(1 << lead, dtype=np.uint64) << rest
        value, sure = self._compare(first, first + np.uint64((1 << int(rest)) - 1))
        self._table = np.where(sure, value, _OPEN).astype(np.int32)

    def draw(self, count: int, bits: Bits) -> NDArray[np.int32]:
        """``count`` independent values, (count,) int32."""
        out = np.empty(count, np.int32)
        for start in range(0, count, CHUNK):
            part = out[start : start + CHUNK]
            words = bits.random_raw(-(-len(part) * self.lead // 64)).astype("<u8", copy=False)
            lead = words.view(f"<u{self.lead // 8}")[: len(part)]
            # Every index is in range; "clip" spares the check and a copy.
            np.take(self._table, lead, out=part, mode="clip")
            unsettled = np.flatnonzero(part == _OPEN)
            if unsettled.size:
                part[unsettled] = self._refine(lead[unsettled], bits)
        return out

    def _refine(self, lead: NDArray[np.unsignedinteger], bits: Bits) -> NDArray[np.int64]:
        """The values whose leading digits are ``lead``, by a word each and more where that is not enough."""
        rest = self.full - self.lead
        words = bits.random_raw(len(lead))
        digits = (lead.astype(np.uint64) << np.uint64(rest)) | (words >> np.uint64(64 - rest))
        value, sure = self._compare(digits, digits)
        for i in np.flatnonzero(~sure):
            value[i] = self._settle(int(digits[i]), bits)
        return value

    def _compare(self, least: NDArray[np.uint64], most: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The value of each U whose first ``full`` digits lie between ``least`` and ``most``, and whether that is sure."""
        reached = np.searchsorted(self._highs, least, side="left")  # thresholds that U is surely not below
        touched = np.searchsorted(self._lows, most, side="right")  # thresholds that U is not surely below
        return reached + self._least, reached == touched

    def _settle(self, digits: int, bits: Bits) -> int:
        """The value of a U that begins with ``digits``, by as many more as it takes."""
        width = self.full
        while True:
            width += self.more
            digits = digits << self.more | int(bits.random_raw(1)[0]) >> (64 - self.more)
            value = self._value(digits, width)
            if value is not None:
                return value

    def _value(self, digits: int, width: int) -> int | None:
        """The value of every U whose first ``width`` digits are these; None where they have several."""
        if digits in (0, (1 << width) - 1):
            return None  # the tails go on for ever
        below, above = -1, 1
        while self._threshold(below, width)[1] > digits:
            below *= 2
        while self._threshold(above, width)[1] <= digits:
            above *= 2
        while above - below > 1:
            middle = (below + above) // 2
            if self._threshold(middle, width)[1] <= digits:
                below = middle
            else:
                above = middle
        return below if digits < self._threshold(above, width)[0] else None

    def _threshold(self, k: int, width: int) -> tuple[int, int]:
        """Bounds on 2^width Phi((k - 1/2) / scale), the probability of a value below k."""
        return normal_cdf_bounds((k - Fraction(1, 2)) / self.scale, width)


@lru_cache(maxsize=16)
def grid_distribution(sigma: float) -> RoundedNormal:
    """The noise of one pixel value in grey levels. 255 sigma is the exact product: the float sigma is a fraction.

    Raises:
        LabError: where sigma is not a number above 0 and at most 16.
    """
    check_sigma(sigma)
    if sigma > MAX_SOUND_SIGMA:
        raise LabError(f"sigma is {sigma:g}: exact noise on the grid of grey levels is made for at most {MAX_SOUND_SIGMA:g}.")
    return RoundedNormal(GREY_LEVELS * Fraction(sigma))


class GridNoiseStream(NoiseStream):
    """Noise in grey levels for one picture of 8 bits, numbered 0, 1, 2, ...: (stop - start, C, H, W) int32 a call.

    Sample i is the same whatever the batches are and whatever the device: the bits are words of NumPy's PCG64, seeded by a hash
    of (seed, purpose, block); all that follows is comparison of whole numbers, and only the result is moved to the device.

    Args:
        sigma: standard deviation of the real Gaussian that is rounded, in [0, 1] pixel units, above 0 and at most 16.
    """

    def __init__(self, shape: tuple[int, ...], sigma: float, seed: int, purpose: str, device: torch.device) -> None:
        super().__init__(shape, seed, purpose, device)
        self._distribution = grid_distribution(float(sigma))

    def _drawn(self, number: int) -> Tensor:
        sequence = np.random.SeedSequence(self.seed, spawn_key=(self._purpose, number, GRID_KEY))
        shape = (self._rows, *self.shape)
        drawn = self._distribution.draw(int(np.prod(shape)), np.random.PCG64(sequence))
        return torch.from_numpy(drawn).reshape(shape).to(self.device)


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
