"""The exact worst case under a shift, after Neyman and Pearson: an oracle that knows no formula for any radius.

Space is cut into cells. Of all classifiers that give a class its probability under the noise, the worst under a shifted noise
takes the cells in the order of their likelihood ratio, the last one in part.
"""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
from scipy import optimize, stats

UNIT = {
    "gaussian": stats.norm(),
    "uniform": stats.uniform(-math.sqrt(3), 2 * math.sqrt(3)),
    "laplace": stats.laplace(scale=1 / math.sqrt(2)),
}
"""Each noise with standard deviation 1, by scipy."""


def cells(noise: str, shift: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of cells on a line under the noise and under the noise moved by ``shift``."""
    law = UNIT[noise]
    # Both distributions' kinks are borders of cells, so that the ratio is constant where it should be.
    kinks = [shift, *(side * math.sqrt(3) + at for side in (-1, 0, 1) for at in (0.0, shift))]
    inner = np.union1d(np.linspace(-9, 9 + shift, count), kinks)
    borders = np.concatenate([[-np.inf], inner, [np.inf]])
    return np.diff(law.cdf(borders)), np.diff(law.cdf(borders - shift))


def product(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Cells of several independent coordinates."""
    return tuple(reduce(np.multiply.outer, (pair[side] for pair in pairs)).ravel() for side in (0, 1))  # type: ignore


def shifted(before: np.ndarray, after: np.ndarray, p: float, *, least: bool) -> float:
    """The least, or the greatest, probability after the shift of a set that has probability ``p`` before it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(before > 0, after / before, np.inf)
    order = np.argsort(ratio if least else -ratio, kind="stable")
    before, after = before[order], after[order]
    if least:  # cells that cost nothing before the shift are not taken
        keep = before > 0
        before, after = before[keep], after[keep]
    taken = np.clip((p - (np.cumsum(before) - before)) / np.where(before > 0, before, 1), 0, 1)
    taken[before == 0] = 1.0
    return float(taken @ after)


def true_radius(noise: str, p_lower: float, p_upper: float | None, sigma: float, count: int = 6_001) -> float:
    """The least shift on a line at which another class can overtake."""

    def lead(shift: float) -> float:
        before, after = cells(noise, shift, count)
        mine = shifted(before, after, p_lower, least=True)
        other = 1 - mine if p_upper is None else shifted(before, after, p_upper, least=False)
        return mine - other

    return sigma * float(optimize.brentq(lead, 0.0, 12.0, xtol=1e-6))
