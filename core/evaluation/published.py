"""Certified accuracy as it was published: figures with their sources, to lay under one's own curves. Needs no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.folders import ASSETS

PUBLISHED = ASSETS / "published"


@dataclass(frozen=True)
class Source:
    """Where figures come from: a sentence, and an address."""

    text: str
    url: str


@dataclass(frozen=True)
class PublishedCurve:
    """Certified accuracy of one method at a few radii, as shares of all images.

    Attributes:
        key: names it in links.
        name: for people.
        dataset, norm: of which the radii are.
        source: the paper.
        how: how the figures were got from it.
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
    source: Source
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
    return tuple(curve for path in sorted(folder.glob("*.json")) for curve in _read(path))


def _read(path: Path) -> list[PublishedCurve]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        sources = {key: Source(**source) for key, source in document["sources"].items()}
        return [_curve(curve, document, sources) for curve in document["curves"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"The published figures in {path.name} cannot be read ({type(error).__name__}: {error}).") from error


def _curve(curve: dict[str, Any], document: dict[str, Any], sources: dict[str, Source]) -> PublishedCurve:
    points = tuple((float(point["radius"]), float(point["certified"])) for point in curve["points"])
    return PublishedCurve(
        curve["key"],
        curve["name"],
        document["dataset"],
        document["norm"],
        sources[curve["source"]],
        curve["how"],
        curve["network"],
        curve["sigma"],
        curve["images"],
        points,
        {float(point["radius"]): float(point["clean"]) for point in curve["points"] if "clean" in point},
    )
