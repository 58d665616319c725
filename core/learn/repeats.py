"""Certifying one point again and again: how often the bound is above the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from core.learn.plane import Floats


@dataclass(frozen=True)
class Repeats:
    """Lower bounds from fresh votes, and the probability that they bound.

    Attributes:
        p: the truth.
        bounds: one a repetition; those above ``p`` are wrong.
    """

    p: float
    bounds: Floats

    @property
    def wrong(self) -> int:
        """Repetitions whose bound is above the truth."""
        return int((self.bounds > self.p).sum())


def repeat(p: float, n: int, alpha: float, times: int, seed: int) -> Repeats:
    """Draw the votes ``times`` times and bound p each time by Clopper and Pearson (1934).

    >>> repeat(0.9, 1_000, 0.05, 2_000, 0).wrong <= 2_000 * 0.05 * 1.3
    True
    """
    votes = np.random.default_rng(seed).binomial(n, p, times)
    bounds = np.where(votes == 0, 0.0, special.betaincinv(np.maximum(votes, 1), n - votes + 1, alpha))
    return Repeats(p, bounds.astype(np.float64))
