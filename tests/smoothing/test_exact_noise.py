"""Noise on the grid of grey levels: exactly the stated distribution, named by seed, purpose and sample number alone."""

from __future__ import annotations

import math
import random
from collections import Counter
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest
import torch
from scipy import special, stats

from core.errors import LabError
from core.smoothing import exact_noise
from core.smoothing.exact_noise import GREY_LEVELS, GridNoiseStream, RoundedNormal, grid_distribution, normal_cdf_bounds
from core.smoothing.noise import BLOCK, PURPOSES, NoiseStream

CPU = torch.device("cpu")
SIGMAS = [0.01, 0.12, 0.25, 1.0]


@cache
def below(k: int, scale: Fraction) -> mpmath.mpf:
    """The exact probability of a value below k, to 60 digits."""
    with mpmath.workdps(60):
        return mpmath.ncdf((mpmath.mpf(k) - mpmath.mpf(0.5)) * scale.denominator / scale.numerator)


class Words:
    """Words put in by hand."""

    def __init__(self, *words: int) -> None:
        self.words, self.used = list(words), 0

    def random_raw(self, size: int) -> np.ndarray:
        if self.used + size > len(self.words):
            raise EOFError
        self.used += size
        return np.array(self.words[self.used - size : self.used], np.uint64)


def drawn(distribution: RoundedNormal, *digits: int) -> int:
    """The value of the U whose first 64 digits are the first word given, and whose next are the others."""
    words = Words(digits[0] >> 48, digits[0] << 16 & 2**64 - 1, *digits[1:])
    value = int(distribution.draw(1, words)[0])
    assert words.used <= len(words.words)
    return value


# The thresholds.


@pytest.mark.parametrize("sigma", [0.01, 0.12, 0.25])
def test_thresholds_against_mpmath(sigma):
    d = grid_distribution(sigma)
    assert d.scale == 255 * Fraction(sigma)
    with mpmath.workdps(60):
        for i, (low, high) in enumerate(zip(d._lows.tolist(), d._highs.tolist(), strict=True)):
            exact = below(d._least + 1 + i, d.scale) * 2**64
            assert low <= exact <= high + 1
            assert high + 1 - low <= 2
    assert d._lows[0] == 0
    assert d._highs[-1] == 2**64 - 1


@pytest.mark.parametrize("sigma", SIGMAS)
def test_leading_digits_settle_a_value_where_they_can(sigma):
    d = grid_distribution(sigma)
    values = {int(k): np.flatnonzero(d._table == k) for k in np.unique(d._table) if k != exact_noise._OPEN}
    with mpmath.workdps(60):
        for k, leads in values.items():
            assert below(k, d.scale) * 2**16 <= leads[0]
            assert leads[-1] + 1 <= below(k + 1, d.scale) * 2**16
            assert len(leads) == leads[-1] - leads[0] + 1
        edges = {int(below(k, d.scale) * 2**16) for k in range(d._least, -d._least + 1)}
    assert set(np.flatnonzero(d._table == exact_noise._OPEN)) == edges | {0, 2**16 - 1}


# The algorithm, with so few digits that everything it may read can be tried.


def enumerate_all(d: RoundedNormal, words: tuple[int, ...], depth: int, settled: Counter, width: int) -> Fraction:
    """Add the chance of each value given these first words to ``settled``; return the chance of what is still open."""
    try:
        value = int(d.draw(1, Words(*words))[0])
    except EOFError:
        if depth == 0:
            return Fraction(1, 2**width)
        step = d.full - d.lead if len(words) == 1 else d.more
        following = ((*words, digits << 64 - step) for digits in range(2**step))
        return sum((enumerate_all(d, w, depth - 1, settled, width + step) for w in following), Fraction(0))
    settled[value] += Fraction(1, 2**width)
    return Fraction(0)


@pytest.mark.parametrize("scale", ["1/10", "3/10", "17/10", "63/10"])
def test_every_possible_draw_of_few_digits_adds_up_to_the_exact_probabilities(scale):
    d = RoundedNormal(Fraction(scale), lead=8, full=12, more=3)
    settled: Counter = Counter()
    left = sum((enumerate_all(d, (lead,), 4, settled, 8) for lead in range(256)), Fraction(0))
    assert sum(settled.values()) + left == 1
    # Of the 2^21 cells of 21 digits, those are open that hold a threshold, or lie at the bound of one; and the two tails.
    assert left <= Fraction(3 * (len(d._lows) + 4 * math.ceil(d.scale)), 2**21)
    with mpmath.workdps(60):
        for k, chance in settled.items():
            missing = below(k + 1, d.scale) - below(k, d.scale) - mpmath.mpf(chance.numerator) / chance.denominator
            # No value ever gets more than its share, and it lacks no more than what is open at its two thresholds.
            assert 0 <= missing < 5 * 2.0**-21


@pytest.mark.parametrize("scale", ["3/10", "17/10", "12"])
def test_each_settled_draw_of_few_digits_lies_inside_its_cell(scale):
    d = RoundedNormal(Fraction(scale), lead=8, full=12, more=4)
    with mpmath.workdps(60):
        for digits in range(2**12):
            try:
                k = int(d.draw(1, Words(digits >> 4, (digits & 15) << 60))[0])
            except EOFError:  # a threshold, or the tail, in these 12 digits
                inside = [j for j in range(-300, 301) if digits <= below(j, d.scale) * 2**12 <= digits + 1]
                assert inside or digits in (0, 2**12 - 1)
                continue
            assert below(k, d.scale) * 2**12 <= digits
            assert digits + 1 <= below(k + 1, d.scale) * 2**12


# Ties and tails, with 64 digits and more.


@pytest.mark.parametrize("sigma", [0.01, 0.25, 1.0])
@pytest.mark.parametrize("k", [-15, -1, 0, 1, 3, 12])
def test_a_tie_in_64_digits_is_broken_by_those_that_follow(sigma, k):
    d = grid_distribution(sigma)
    with mpmath.workdps(80):
        exact = mpmath.floor(mpmath.ncdf((mpmath.mpf(k) - 0.5) * d.scale.denominator / d.scale.numerator) * 2**192)
    digits = int(exact)
    first, second, third = digits >> 128, digits >> 64 & 2**64 - 1, digits & 2**64 - 1
    assert drawn(d, first, second - 1) == k - 1
    assert drawn(d, first, second + 1) == k
    # 128 digits alike: the next word decides.
    assert drawn(d, first, second, third - 2) == k - 1
    assert drawn(d, first, second, third + 2) == k
    with pytest.raises(EOFError):
        drawn(d, first, second)
    # One unit away, no more than 64 digits are read.
    assert drawn(d, first - 1) == k - 1
    assert drawn(d, first + 1) == k


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("word", [2**20, 2**63, 2**64 - 1])
def test_the_tails_go_on_beyond_64_digits(sigma, word):
    d = grid_distribution(sigma)
    low, high = drawn(d, 0, word), drawn(d, 2**64 - 1, 2**64 - 1 - word)
    assert low == -high  # U and 1 - U, but for the last of 128 digits
    assert low <= -round(9 * d.scale)
    with mpmath.workdps(60):
        assert below(low, d.scale) * mpmath.mpf(2) ** 128 <= word
        assert word + 1 <= below(low + 1, d.scale) * mpmath.mpf(2) ** 128


def test_a_tail_of_192_digits():
    d = grid_distribution(0.25)
    value = drawn(d, 0, 0, 12345)
    with mpmath.workdps(80):
        exact = mpmath.ncdf((value + mpmath.mpf(0.5)) / (mpmath.mpf(255) / 4))
        assert below(value, d.scale) * mpmath.mpf(2) ** 192 <= 12345
        assert exact * mpmath.mpf(2) ** 192 >= 12346


# What is drawn.


@pytest.mark.parametrize("sigma", SIGMAS)
def test_draws_fit_the_exact_probabilities(sigma):
    values = grid_distribution(sigma).draw(400_000, np.random.PCG64(11))
    s = GREY_LEVELS * sigma
    reach = int(s * special.ndtri(1 - 20 / len(values)))  # beyond it cells are too rare for the test, and are put together
    edges = np.arange(-reach, reach + 1) - 0.5
    chances = np.diff(special.ndtr(np.concatenate([[-np.inf], edges, [np.inf]]) / s))
    found = np.bincount(np.searchsorted(edges, values), minlength=len(chances))
    assert stats.chisquare(found, chances * len(values)).pvalue > 0.001


@pytest.mark.parametrize("sigma", SIGMAS)
def test_mean_and_variance(sigma):
    values = grid_distribution(sigma).draw(400_000, np.random.PCG64(5)).astype(float)
    variance = (GREY_LEVELS * sigma) ** 2 + 1 / 12  # of the Gaussian and of the rounding
    n = len(values)
    assert abs(values.mean()) < 4 * math.sqrt(variance / n)
    assert abs(values.var() / variance - 1) < 4 * math.sqrt(2 / n)


def test_draws_are_the_rounded_quantiles_of_the_bits_they_read():
    d, count = grid_distribution(0.25), 50_000
    values = d.draw(count, np.random.PCG64(3))
    lead = np.random.PCG64(3).random_raw(count // 4).astype("<u8").view("<u2").astype(float)
    # The 16 digits leave an interval, whose ends bracket the value.
    assert np.all(values >= np.floor(special.ndtri(lead / 2**16) * 63.75 + 0.5) - 1e-9)
    with np.errstate(divide="ignore"):
        assert np.all(values <= np.floor(special.ndtri((lead + 1) / 2**16) * 63.75 + 0.5) + 1e-9)


def test_a_minute_sigma_gives_no_noise():
    for sigma in (1e-300, 1e-5):
        assert not grid_distribution(sigma).draw(10_000, np.random.PCG64(0)).any()


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 16.5])
def test_a_sigma_that_cannot_be_is_refused(sigma):
    with pytest.raises(LabError, match="sigma is"):
        GridNoiseStream((3, 4, 4), sigma, 0, "estimate", CPU)


# The stream: as for float noise.


def stream(
    seed: int = 0, purpose: str = "estimate", shape: tuple[int, ...] = (3, 4, 4), sigma: float = 0.25
) -> GridNoiseStream:
    return GridNoiseStream(shape, sigma, seed, purpose, CPU)


def in_batches(noise: GridNoiseStream, n: int, size: int) -> torch.Tensor:
    return torch.cat([noise(start, min(start + size, n)) for start in range(0, n, size)])


@pytest.mark.parametrize("size", [1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 100, 1_000])
def test_batch_size_changes_nothing(size):
    whole = stream()(0, 1_000)
    assert whole.shape == (1_000, 3, 4, 4)
    assert whole.dtype == torch.int32
    assert torch.equal(in_batches(stream(), 1_000, size), whole)


def test_samples_can_be_drawn_in_any_order():
    noise, whole = stream(), stream()(0, 300)
    for start, stop in [(250, 300), (0, 1), (63, 65), (100, 200), (64, 128), (0, 300)]:
        assert torch.equal(noise(start, stop), whole[start:stop])


def test_every_sample_is_its_own():
    samples = torch.cat([stream(seed, purpose)(0, 200) for seed in (0, 1, 2**40) for purpose in PURPOSES])
    assert len(samples.unique(dim=0)) == 3 * len(PURPOSES) * 200


def test_purposes_seeds_and_float_noise_are_uncorrelated():
    shape = (3, 8, 8)
    first = stream(shape=shape)(0, 512).flatten().double().numpy()
    others = [stream(1, shape=shape), stream(0, "select", shape), NoiseStream(shape, 0, "estimate", CPU)]
    for other in others:
        assert abs(np.corrcoef(first, other(0, 512).flatten().double().numpy())[0, 1]) < 4 / math.sqrt(first.size)


def test_neither_samples_nor_pixels_depend_on_each_other():
    values = stream(8)(0, 20_000).flatten(1).double().numpy()  # (samples, 48)
    assert np.abs(np.corrcoef(values.T) - np.eye(48)).max() < 6 / math.sqrt(20_000)
    assert abs(np.corrcoef(values[:-1, 0], values[1:, 0])[0, 1]) < 4 / math.sqrt(20_000)


def test_a_block_is_bounded_in_memory():
    noise = stream(shape=(3, 1_024, 1_024))
    assert noise(17, 18).shape == (1, 3, 1_024, 1_024)
    assert noise._cached is not None
    assert noise._cached[1].numel() * noise._cached[1].element_size() <= 2**26


def test_the_values_of_a_seed_never_change():
    # Whole numbers throughout: a certificate of today can be drawn again on any machine, and with any version of NumPy.
    assert stream(2026)(70, 71).flatten()[:12].tolist() == [26, -144, -48, -35, 31, 75, 139, 64, 21, 54, 169, -69]
    assert int(stream(1, sigma=1.0, shape=(3, 64, 64))(0, 64).long().sum()) == 80_389


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gets_the_very_same_noise():
    moved = GridNoiseStream((3, 4, 4), 0.25, 0, "estimate", torch.device("cuda"))(0, 300)
    assert moved.device.type == "cuda"
    assert torch.equal(moved.cpu(), stream()(0, 300))


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
