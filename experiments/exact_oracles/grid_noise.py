"""The true radius of noise on the grid of grey levels, after Neyman and Pearson, against the one that sound mode claims.

Of all base classifiers that give a class the probability p under the noise, the worst at a moved picture takes the values that
are likelier there first. On the grid that is a finite sum, over the pixel values that change.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import reduce

import numpy as np
from scipy import stats

from core.smoothing.settings import Terms
from experiments.exact_oracles.votes import Chances, Row

REACH = 9


def grid_noise_rows(full: bool) -> Iterator[Row]:
    """Noise from half a grey level to some, for changes of one, two and three values."""
    plans = [(1, (0.5, 1.0, 3.0, 12.0)), (2, (0.5, 1.0, 2.0))]
    if full:
        plans = [(1, (0.3, 0.5, 0.8, 1.0, 2.0, 5.0, 30.6, 63.75)), (2, (0.4, 0.7, 1.0, 2.0, 4.0)), (3, (0.5, 0.8, 1.2))]
    for values, scales in plans:
        for scale in scales:
            for p in (0.6, 0.9, 0.99, 0.999) if full else (0.7, 0.99):
                yield sound_radius(scale, p, values)


def sound_radius(scale: float, p: float, values: int) -> Row:
    """The radius claimed for a class with probability ``p``, and the length of the least change that may cost it its majority.

    Args:
        scale: standard deviation in grey levels.
        values: pixel values that change.
    """
    claimed = Terms(alpha=0.001, sigma=scale / 255, shape=(3, 8, 8)).radius(p) * 255
    least, longest = np.inf, int(np.ceil(1.5 * claimed)) + 2
    for change in itertools.product(range(longest + 1), repeat=values):
        length = float(np.linalg.norm(change))
        # The grid looks alike in every order and direction of the values, so that ascending changes are all there are.
        if list(change) == sorted(change) and 0 < length < least and kept(scale, p, change) <= 0.5:
            least = length
    told = f"sigma {scale:g}/255, p = {p:g}, {values} value{'s' if values > 1 else ''} changed; in grey levels"
    return Row("sound mode's radius", told, claimed, least)


def kept(scale: float, p: float, change: tuple[int, ...]) -> float:
    """The least probability at the changed picture of a set of noisy pictures that has probability ``p`` at this one."""
    pairs = [_cells(scale, step) for step in change]
    here, there = (reduce(np.multiply.outer, (pair[side] for pair in pairs)).ravel() for side in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(np.where(here > 0, there / here, np.inf), kind="stable")
    here, there = here[order], there[order]
    before = np.cumsum(here) - here
    part = np.clip((p - before) / np.where(here > 0, here, 1.0), 0.0, 1.0)
    return float(np.where(here > 0, part, 0.0) @ there)


def _cells(scale: float, step: int) -> tuple[Chances, Chances]:
    """Chances of whole numbers under the rounded Gaussian and under the same moved by ``step``."""
    reach = int(np.ceil(REACH * scale)) + 2
    numbers = np.arange(-reach, reach + step + 1)
    return _rounded(numbers, scale), _rounded(numbers - step, scale)


def _rounded(numbers: np.ndarray, scale: float) -> Chances:
    # From the nearer tail, where the difference keeps its digits.
    near = np.abs(numbers)
    return np.asarray(stats.norm.sf((near - 0.5) / scale) - stats.norm.sf((near + 0.5) / scale))
