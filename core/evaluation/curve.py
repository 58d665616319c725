"""Certified accuracy: from logs, as shares of images with intervals over images; and as it was published. Needs no torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import LabError
from core.evaluation.intervals import ANYTIME, CLOPPER_PEARSON, mean_interval, share_interval
from core.evaluation.log import LogLine, Outcomes
from core.evaluation.recorded import RecordedEvaluation
from core.folders import ASSETS

PUBLISHED = ASSETS / "published"


@dataclass(frozen=True)
class CurveSummary:
    """What one log says; shares of all its images.

    Attributes:
        clean: share predicted right, whatever the radius; with its 95% interval over images.
        acr: mean of radius times right (Zhai et al. 2020); never to be shown alone. Its interval holds at every moment, and is
            None where the greatest radius that could be certified is not known.
        abstained: share of abstentions, which count as wrong.
        certified, interval: share right with a radius of at least r, for each r, and the interval as of ``clean``.
        interval_method: of the shares: ``clopper-pearson``, or ``anytime`` where the log is growing.
    """

    images: int
    clean: float
    acr: float
    abstained: float
    certified: dict[float, float]
    interval: dict[float, tuple[float, float]]
    clean_interval: tuple[float, float]
    acr_interval: tuple[float, float] | None
    interval_method: str


def summarise(
    lines: Sequence[LogLine] | Outcomes, radii: Sequence[float], *, ceiling: float | None = None, among: int = 1
) -> CurveSummary:
    """Certified accuracy at ``radii``, in the units of the log's, of at least one image.

    An image counts only where it is right and its radius is at least r.

    Args:
        ceiling: the greatest radius that could be certified, where it is known.
        among: how many logs it is the best of: the intervals of shares then allow for that choice.
    """
    outcomes = lines if isinstance(lines, Outcomes) else Outcomes.of(lines)
    n, reach = len(outcomes), np.where(outcomes.right, outcomes.radius, 0.0)
    counts = np.append(certified_counts(outcomes, radii), outcomes.right.sum())
    ends = zip(*(end.tolist() for end in share_interval(counts, n, growing=outcomes.growing, among=among)), strict=True)
    *intervals, clean_interval = ends
    return CurveSummary(
        images=n,
        clean=float(outcomes.right.mean()),
        acr=float(reach.mean()),
        abstained=float(outcomes.abstained.mean()),
        certified={float(r): int(k) / n for r, k in zip(radii, counts, strict=False)},
        interval=dict(zip(map(float, radii), intervals, strict=True)),
        clean_interval=clean_interval,
        acr_interval=_mean_reach(reach, ceiling) if ceiling else None,
        interval_method=ANYTIME if outcomes.growing else CLOPPER_PEARSON,
    )


def _mean_reach(reach: NDArray[np.float64], ceiling: float) -> tuple[float, float]:
    """Logs of three digits may be a little above the ceiling."""
    low, high = mean_interval(np.minimum(reach / ceiling, 1.0))
    return low * ceiling, high * ceiling


def certified_counts(outcomes: Outcomes, radii: Sequence[float] | NDArray[np.float64]) -> NDArray[np.int64]:
    """Images that are right with a radius of at least r, for each r: (R,)."""
    reach = np.sort(outcomes.radius[outcomes.right])
    return len(reach) - np.searchsorted(reach, np.asarray(radii, dtype=np.float64), side="left")


def certified_accuracy(outcomes: Outcomes, radii: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of all images that are right with a radius of at least r, for each r: (R,)."""
    return certified_counts(outcomes, radii) / len(outcomes)


@dataclass(frozen=True)
class Best:
    """What the best of several logs reaches at a radius: shares of all ``images`` of the log that is named by its ``path`` or
    key, and the interval of ``certified``, which allows for the choice among them."""

    path: str
    sigma: float | None
    images: int
    clean: float
    certified: float
    interval: tuple[float, float]


def envelope(logs: Mapping[str, RecordedEvaluation], radii: Sequence[float]) -> dict[float, Best]:
    """The best log at each radius, as the papers' tables are made; of equally good ones the first."""
    found = {path: summarise(log.outcomes, radii, among=len(logs)) for path, log in logs.items()}
    best = {radius: max(found, key=lambda path: found[path].certified[radius]) for radius in map(float, radii)}
    return {
        radius: Best(
            path=path,
            sigma=logs[path].made_by.sigma,
            images=found[path].images,
            clean=found[path].clean,
            certified=found[path].certified[radius],
            interval=found[path].interval[radius],
        )
        for radius, path in best.items()
    }


def by_class(outcomes: Outcomes, radii: Sequence[float]) -> dict[int, CurveSummary]:
    """A summary for each true class, by its number."""
    return {int(label): summarise(outcomes.where(outcomes.label == label), radii) for label in np.unique(outcomes.label)}


def quantile_radii(outcomes: Outcomes, most: int = 300) -> NDArray[np.float64]:
    """Radii at which the curve of certified accuracy steps, at most so many, 0 first: (R,) ascending."""
    steps = np.unique(outcomes.radius[outcomes.right])
    if len(steps) > most:
        steps = steps[np.linspace(0, len(steps) - 1, most).astype(np.int64)]
    return np.unique(np.append(0.0, steps))


@dataclass(frozen=True, eq=False)
class Steps:
    """A curve of certified accuracy at those radii at which it steps, with its interval over images at each by itself.

    Attributes:
        radii, certified, low, high: (R,).
        keys: (R,) the log behind each point.
    """

    radii: NDArray[np.float64]
    certified: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    keys: tuple[str, ...]


def best_steps(logs: Mapping[str, Outcomes], most: int = 300) -> Steps:
    """The curve of one log, or the upper envelope of several, with the log that is best at each radius.

    Of equally good ones the first; the intervals allow for the choice among them. Where they step more often than ``most``,
    at so many of the steps; and once more just beyond the last, where nothing is certified.
    """
    every = np.unique(np.concatenate([quantile_radii(log, most) for log in logs.values()]))
    if len(every) > most:
        every = every[np.linspace(0, len(every) - 1, most).astype(np.int64)]
    radii = np.append(every, every[-1] * 1.0001 + 1e-9)
    keys = list(logs)
    counts = np.array([certified_counts(log, radii) for log in logs.values()])  # (logs, R)
    shares = counts / np.array([[len(log)] for log in logs.values()])
    best = np.argmax(shares, axis=0)
    low, high = np.zeros((2, len(radii)))
    for place, log in enumerate(logs.values()):
        mine = best == place
        low[mine], high[mine] = share_interval(counts[place, mine], len(log), growing=log.growing, among=len(logs))
    return Steps(radii=radii, certified=shares.max(axis=0), low=low, high=high, keys=tuple(keys[place] for place in best))


@dataclass(frozen=True, eq=False)
class Behind:
    """The images behind a point of a curve, as places in the log.

    ``kept``: right with a radius of at least ``upper``; ``lost``: with one from ``lower`` up to that, the last ones lost first;
    ``wrong``: another class was predicted; ``abstained``: none was.
    """

    lower: float
    upper: float
    kept: NDArray[np.int64]
    lost: NDArray[np.int64]
    wrong: NDArray[np.int64]
    abstained: NDArray[np.int64]


def images_behind(o: Outcomes, upper: float, lower: float = 0.0) -> Behind:
    """Sort the images by what became of them on the way to a radius."""
    lost = np.flatnonzero(o.right & (o.radius < upper) & (o.radius >= lower))
    return Behind(
        lower=lower,
        upper=upper,
        kept=np.flatnonzero(o.right & (o.radius >= upper)),
        lost=lost[np.argsort(-o.radius[lost], kind="stable")],
        wrong=np.flatnonzero(~o.right & ~o.abstained),
        abstained=np.flatnonzero(o.abstained),
    )


@dataclass(frozen=True)
class Citation:
    """Where figures come from: a sentence, and an address."""

    text: str
    url: str


@dataclass(frozen=True)
class PublishedCurve:
    """Certified accuracy of one method at a few radii, as shares of all images.

    Attributes:
        key: names it in links.
        source, how: the paper, and how the figures were got from it.
        network: the classifier; None where the source was not asked.
        sigma: of the noise; None where each radius has the best of several sigmas, or it is not known.
        images: certified for it; None where not known.
        points: (radius, certified), radius ascending.
        clean: clean accuracy of the very model that was best at a radius, by radius; some or none.
    """

    key: str
    name: str
    dataset: str
    norm: str
    source: Citation
    how: str
    network: str | None
    sigma: float | None
    images: int | None
    points: tuple[tuple[float, float], ...]
    clean: dict[float, float]


@cache
def published_curves(folder: Path = PUBLISHED) -> tuple[PublishedCurve, ...]:
    """All published curves, those of CIFAR-10 first. Read once a process.

    Raises:
        LabError: where a file of the folder is not what it should be; it names the file.
    """
    return tuple(curve for path in sorted(folder.glob("*.json")) for curve in _read_published(path))


def _read_published(path: Path) -> list[PublishedCurve]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        sources = {key: Citation(**source) for key, source in document["sources"].items()}
        return [_curve(curve, document, sources) for curve in document["curves"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"The published figures in {path.name} cannot be read ({type(error).__name__}: {error}).") from error


def _curve(curve: dict[str, Any], document: dict[str, Any], sources: dict[str, Citation]) -> PublishedCurve:
    points = curve["points"]
    return PublishedCurve(
        **{name: curve[name] for name in ("key", "name", "how", "network", "sigma", "images")},
        dataset=document["dataset"],
        norm=document["norm"],
        source=sources[curve["source"]],
        points=tuple((float(point["radius"]), float(point["certified"])) for point in points),
        clean={float(point["radius"]): float(point["clean"]) for point in points if "clean" in point},
    )
