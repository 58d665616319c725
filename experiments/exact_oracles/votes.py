"""The exact distribution of votes under a known truth, and what a rule makes of them: the arithmetic that all oracles share.

Nothing here knows a formula of :mod:`core.smoothing`: chances are binomial or multinomial sums, truths come from SciPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Chances = NDArray[np.float64]

SIGMA, SHAPE = 0.25, (3, 32, 32)
NEGLIGIBLE = 1e-22


@dataclass(frozen=True)
class Row:
    """One question put to the code.

    Attributes:
        rule: what was asked.
        setting: of the truth and of the run.
        found: the exact chance of a false statement; of grid noise, the radius that is claimed.
        allowed: what it may be at most.
    """

    rule: str
    setting: str
    found: float
    allowed: float

    @property
    def ratio(self) -> float:
        """Of what is allowed; above 1 the code is wrong."""
        return self.found / self.allowed


class Against:
    """The chances of 0, 1, 2, ... votes against a class that has the share ``p``, of the runs that go on.

    Sums of positive numbers, exact up to rounding; what is too rare to carry on counts as ``lost``.
    """

    def __init__(self, p: float) -> None:
        self.p, self.n, self.lost, self.chances = p, 0, 0.0, np.ones(1)

    def sample(self, count: int) -> None:
        """Draw so many more."""
        step = stats.binom.pmf(np.arange(count + 1), count, 1 - self.p)
        self.chances, self.n = np.convolve(self.chances, step), self.n + count
        tail = len(self.chances) - int(np.argmax(self.chances[::-1] > NEGLIGIBLE)) if self.chances.any() else 1
        self.lost += float(self.chances[tail:].sum())
        self.chances = self.chances[:tail]

    def leave(self, leaving: NDArray[np.bool_]) -> Chances:
        """Runs with these numbers of votes against end; returns how often that is, number by number."""
        gone = np.where(leaving[: len(self.chances)], self.chances, 0.0)
        self.chances = np.where(leaving[: len(self.chances)], 0.0, self.chances)
        return gone


def true_radius(p: float, q: float | None = None) -> float:
    """The l2 radius, for Gaussian noise of :data:`SIGMA`, of a class with probability ``p`` whose runner-up has ``q``.

    By default the rest; 0 where the class is not ahead, so that any radius above it is false.
    """
    first, second = stats.norm.ppf(p), stats.norm.ppf(1 - p if q is None else q)
    return max(0.0, float(SIGMA * (first - second) / 2))


def most(said: Callable[[int], bool], least: int, highest: int) -> int:
    """The greatest whole number up to ``highest`` of which it is said, all smaller ones being so too; else ``least`` - 1."""
    low, high = least - 1, highest + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if said(middle) else (low, middle)
    return low


def outcomes(n: int, shares: tuple[float, ...]) -> Iterator[tuple[tuple[int, ...], float]]:
    """All counts of n votes for three classes with these shares, each with its chance."""
    logs = special.gammaln(np.arange(n + 2))
    for b in range(n + 1):
        for c in range(n + 1 - b):
            counts = (n - b - c, b, c)
            log = logs[n + 1] - sum(logs[k + 1] for k in counts)
            yield counts, float(np.exp(log + sum(special.xlogy(k, p) for k, p in zip(counts, shares, strict=True))))


def share_of_numbers(said: Callable[[float], bool]) -> float:
    """For which part of the uniform numbers on (0, 1] it is said, where it is said of the small ones."""
    low, high = 0.0, 1.0
    if said(1.0):
        return 1.0
    if not said(1e-15):
        return 0.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        low, high = (middle, high) if said(middle) else (low, middle)
    return high
