"""Certified accuracy from logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from core.evaluation.log import LogLine


@dataclass(frozen=True)
class CurveSummary:
    """What one log says; shares of all its images.

    Attributes:
        images: how many.
        clean: share predicted right, whatever the radius.
        acr: mean of radius times right (Zhai et al. 2020); never to be shown alone.
        abstained: share of abstentions, which count as wrong.
        certified: share right with a radius of at least r, for each r.
        interval: its 95% Clopper-Pearson interval over images, for each r.
    """

    images: int
    clean: float
    acr: float
    abstained: float
    certified: dict[float, float]
    interval: dict[float, tuple[float, float]]


def summarise(lines: Sequence[LogLine], radii: Sequence[float]) -> CurveSummary:
    """Certified accuracy at ``radii``; an image counts only where it is right and its radius is at least r."""
    n = len(lines)
    right = {r: sum(line.correct and line.radius >= r for line in lines) for r in radii}
    clean = sum(line.correct for line in lines)
    return CurveSummary(
        images=n,
        clean=clean / n,
        acr=sum(line.radius for line in lines if line.correct) / n,
        abstained=sum(line.predict == -1 for line in lines) / n,
        certified={r: k / n for r, k in right.items()},
        interval={r: _interval(k, n) for r, k in right.items()},
    )


def _interval(k: int, n: int) -> tuple[float, float]:
    interval = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)
