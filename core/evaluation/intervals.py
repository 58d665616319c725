"""Intervals over images, of a share and of a mean: for a number of images fixed beforehand, and at every moment of a run."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
LEVEL = 0.95
"""Of all intervals over images."""
CLOPPER_PEARSON, ANYTIME = "clopper-pearson", "anytime"

_BETS = 2.0 ** -(np.arange(21) / 2)
_WEIGHTS = 1 / (1 + np.arange(21)) / (1 / (1 + np.arange(21))).sum()
"""Of the wealth that is laid on each bet: large ones tell early, small ones many images later."""
_HALVINGS = 60


def share_interval(
    k: NDArray[Any] | Sequence[int], n: int, *, growing: bool = False, among: int = 1, level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Two-sided intervals of shares from many counts ``k`` of ``n`` images at once: lower and upper ends, (R,) each.

    Each count by itself. Exact Clopper-Pearson, for an n fixed beforehand; where the run is ``growing``, one that holds at
    every n at once (:func:`mean_interval`). Of the best ``among`` several logs each has its part of what may err, so that all
    of them hold, the one that was chosen too (Bonferroni).

    >>> low, high = share_interval([0, 5], 10)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.187], [0.308, 0.813])
    """
    counts, tail = np.asarray(k, dtype=np.float64), (1 - level) / among / 2
    if growing:
        pairs = np.stack([n - counts, counts], axis=1)
        return _lower_means(np.array([0.0, 1.0]), pairs, tail), 1 - _lower_means(np.array([1.0, 0.0]), pairs, tail)
    low = np.where(counts > 0, special.betaincinv(np.maximum(counts, 1), n - counts + 1, tail), 0.0)
    high = np.where(counts < n, special.betaincinv(counts + 1, np.maximum(n - counts, 1), 1 - tail), 1.0)
    return low, high


def mean_interval(values: Floats, level: float = LEVEL) -> tuple[float, float]:
    """The interval of the mean of what (N,) ``values`` in [0, 1] were drawn from, independently; it holds at every N at once.

    Whoever bets against a mean m the part s of what m lets them lose has (1 - s) + s x/m times as much after each value x. If
    m is the mean, or above it, that grows by nothing on average, and so does what several bets have together: by Ville's
    inequality it ever reaches 1/alpha with probability at most alpha. The lower end is the least m at which it has not; the
    upper one is that of 1 - x; each has half of what may err. The order of the values does not matter. Waudby-Smith and Ramdas
    2023, *Estimating Means of Bounded Random Variables by Betting*, with bets fixed beforehand on a geometric grid.
    """
    found, times = np.unique(values, return_counts=True)
    tail = (1 - level) / 2
    return float(_lower_means(found, times[None], tail)[0]), 1 - float(_lower_means(1 - found, times[None], tail)[0])


def log_wealth(values: Floats, times: NDArray[Any], mean: Floats) -> Floats:
    """(R,) logs of what the bets against (R,) means have after (V,) values, each (R, V) times; it falls as a mean grows."""
    gains = _BETS * (values[:, None] / mean[:, None, None] - 1)
    return np.asarray(special.logsumexp(special.xlog1py(times[:, :, None], gains).sum(axis=1), b=_WEIGHTS, axis=1))


def _lower_means(values: Floats, times: NDArray[Any], alpha: float) -> Floats:
    """(R,) lower ends, by halving between 0 and the mean of the values, against which no bet can win."""
    low, high = np.zeros(len(times)), times @ values / times.sum(axis=1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rejected = log_wealth(values, times, np.maximum(middle, np.finfo(float).tiny)) >= -math.log(alpha)
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    return np.minimum(low, high)  # the rejected end
