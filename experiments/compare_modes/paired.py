"""Ratios of paired numbers, with 95% intervals over the pairs."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import LabError


@dataclass(frozen=True)
class Ratio:
    """A ratio and its 95% interval by Student's t; no interval where there is one pair, or the ratio never varies."""

    value: float
    low: float | None
    high: float | None


def ratio_of_means(first: Sequence[float], second: Sequence[float]) -> Ratio | None:
    """Mean of ``second`` over mean of ``first``; None where there are no pairs or the first are all 0.

    The interval is the delta method's: by the spread of ``second - ratio * first`` (Cochran, Sampling Techniques, 6.3).

    Raises:
        LabError: where they are not pairs.
    """
    n = _pairs(first, second)
    if n == 0 or not any(first):
        return None
    mean = math.fsum(first) / n
    ratio = math.fsum(second) / n / mean
    if n == 1:
        return Ratio(ratio, None, None)
    rest = [b - ratio * a for a, b in zip(first, second, strict=True)]
    half = _student(n) * math.sqrt(math.fsum(r * r for r in rest) / (n - 1) / n) / mean
    return Ratio(ratio, ratio - half, ratio + half) if half else Ratio(ratio, None, None)


def geometric_mean_ratio(first: Sequence[float], second: Sequence[float]) -> Ratio | None:
    """The geometric mean of ``second / first``, all above 0; None where there are no pairs. The interval is of the logs' mean.

    Raises:
        LabError: where they are not pairs.
    """
    n = _pairs(first, second)
    if n == 0:
        return None
    logs = [math.log(b / a) for a, b in zip(first, second, strict=True)]
    mean = math.fsum(logs) / n
    if n == 1:
        return Ratio(math.exp(mean), None, None)
    half = _student(n) * statistics.stdev(logs) / math.sqrt(n)
    return Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half)) if half else Ratio(math.exp(mean), None, None)


def _pairs(first: Sequence[float], second: Sequence[float]) -> int:
    if len(first) != len(second):
        raise LabError(f"{len(first)} and {len(second)} numbers are not pairs: expected as many of each.")
    return len(first)


def _student(n: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, 0.975))
