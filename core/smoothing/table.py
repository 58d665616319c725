"""Testing the radii of a table, and no others: sampling ends as soon as each of them is settled.

A group sequential test with alpha spending (Lan and DeMets 1983) for each radius, the radii in ascending order (the
fixed-sequence procedure: Maurer, Hothorn, Lehmacher 1995). Proof and figures: docs/statistics.md.
"""

import math
from bisect import bisect_right
from functools import cache

import numpy as np
from scipy import special

from core.smoothing.settings import Terms

EARLY = 0.3  # part of alpha that may be spent before the last look; the rest is kept for it, so that little is lost there
UNLIKELY = 0.02  # a radius is given up once the chance that all n samples would certify it is predicted to be below this
MOST_PRODUCTS = 10**7  # above this many, sums over paths are worked out by Fourier transform
NEGLIGIBLE = 1e-30  # chances below this are left out of sums of paths
PRIOR = 0.1  # weight of the votes against in the prior of :func:`chance`
FIRST_LOOK = 32


@cache
def looks(n: int) -> tuple[int, ...]:
    """The sample numbers at which a run of at most ``n`` looks whether it is settled: every 32, later every 1/16 more.

    They are fixed, so that a run ends at the same sample whatever its batches are.

    >>> looks(200)
    (32, 64, 96, 128, 160, 192, 200)
    """
    numbers, at = [], 0
    while at < n:
        at = min(n, at + max(FIRST_LOOK, at // 16 // FIRST_LOOK * FIRST_LOOK))
        numbers.append(at)
    return tuple(numbers)


@cache
def limits(needed: float, n: int, alpha: float) -> tuple[int, ...]:
    """How many votes against the class each look of :func:`looks` allows at most for the test to reject; -1 where none does.

    If the class has probability ``needed`` or less, the chance that the votes against it are ever within the limit at one
    of these looks is at most ``alpha``. It is computed exactly, path by path: what crosses a limit is counted as spent and
    leaves, and each limit is the largest that the part of alpha released by then can pay for.

    Args:
        needed: the probability that is to be exceeded, 0 to 1 exclusive.
        n: samples planned.
        alpha: the chance that the test may be wrong.

    >>> limits(0.5, 10, 0.001)
    (0,)
    """
    against = 1 - needed
    # paths[i] is the chance of low + i votes against and of no limit crossed so far.
    paths, low, done, spent, found = np.ones(1), 0, 0, 0.0, []
    for at in looks(n):
        step, least = _binomial(at - done, against)
        paths, low, done = _convolved(paths, step), low + least, at
        within = int(np.searchsorted(np.cumsum(paths), _payable(alpha * released(at, n) - spent), side="right"))
        spent += float(paths[:within].sum())
        paths, low = paths[within:], low + within
        found.append(low - 1)
        paths = paths[: len(paths) - int(np.argmax(paths[::-1] > NEGLIGIBLE))]
    return tuple(found)


def released(at: int, n: int) -> float:
    """The part of alpha that may be spent by look ``at``: grows with the logarithm of the samples, and is all of it at n.

    >>> released(10_000, 10_000), round(released(1_000, 10_000), 3)
    (1.0, 0.193)
    """
    return 1.0 if at >= n else EARLY * math.log(at / 16) / math.log(n / 16)


def _payable(budget: float) -> float:
    # A billionth is more than the rounding of the sums, and than all that is negligible.
    return budget * (1 - 1e-9)


def _binomial(n: int, p: float) -> tuple[np.ndarray, int]:
    """Chances of the numbers of successes of n that are not negligible, and the least of those numbers."""
    reach = 15 * math.sqrt(n * p * (1 - p)) + 100
    low, high = max(0, math.floor(n * p - reach)), min(n, math.ceil(n * p + reach))
    k = np.arange(low, high + 1)
    logs = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return np.exp(logs + special.xlogy(k, p) + special.xlog1py(n - k, -p)), low


def _convolved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if len(a) * len(b) < MOST_PRODUCTS:
        return np.convolve(a, b)
    length = len(a) + len(b) - 1
    product = np.fft.irfft(np.fft.rfft(a, length) * np.fft.rfft(b, length), length)
    return np.maximum(product, 0.0)


def radii_reached(votes: int, n: int, terms: Terms) -> int:
    """How many of the terms' table of radii, ascending, ``votes`` of ``n`` certify by now.

    Between two looks the limit is that of the earlier one, which was kept then if it is kept now.
    """
    planned = terms.n_planned or n
    look = bisect_right(looks(planned), n) - 1
    if look < 0:
        return 0
    for number, radius in enumerate(terms.table_radii):
        share = terms.share_needed(radius)
        if share >= 1 or n - votes > limits(share, planned, terms.alpha)[look]:
            return number
    return len(terms.table_radii)


def table_is_settled(votes: int, n: int, terms: Terms) -> bool:
    """Whether each radius is certified, or unlikely to be with all the samples that were planned."""
    planned, count = terms.n_planned, radii_reached(votes, n, terms)
    if count == len(terms.table_radii) or n >= planned:
        return True
    share = terms.share_needed(terms.table_radii[count])
    return share >= 1 or chance(votes, n, limits(share, planned, terms.alpha)[-1], planned) < UNLIKELY


def chance(votes: int, n: int, limit: int, n_planned: int) -> float:
    """The predicted chance that of ``n_planned`` samples at most ``limit`` are against the class, ``n - votes`` being so far.

    The votes to come are beta-binomial under a Beta(1, 0.1) prior on the class's probability: nearly as many
    pictures have a hundredth as a tenth of their votes against them, so that a unanimous vote is not given up early.
    """
    against, left = n - votes, n_planned - n
    if against > limit:
        return 0.0
    more = np.arange(min(limit - against, left) + 1)
    logs = (
        special.gammaln(left + 1)
        - special.gammaln(more + 1)
        - special.gammaln(left - more + 1)
        + special.betaln(against + PRIOR + more, votes + 1 + left - more)
        - special.betaln(against + PRIOR, votes + 1)
    )
    return float(min(1.0, np.exp(logs).sum()))
