"""The images behind a point of a curve, and their pictures, where the data set is on this machine.

Nothing is downloaded for them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.data.parquet import columns_of, count_rows, read_rows
from core.evaluation.log import Outcomes
from core.evaluation.recorded import RecordedEvaluation
from core.models.references import BUNDLED_FOLDER

CIFAR10 = "CIFAR-10"
SHAPES = "shapes"


@dataclass(frozen=True)
class LogPicture:
    """A picture and the number of its class in the data set."""

    picture: Image.Image
    label: int


@dataclass(frozen=True, eq=False)
class Behind:
    """The images behind a point of a curve, as places in the log.

    Attributes:
        kept: right with a radius of at least ``upper``.
        lost: right with a radius from ``lower`` up to, and without, ``upper``; the last ones lost first.
        wrong: never right: another class was predicted. ``abstained``: nothing was.
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


def dataset_of(log: RecordedEvaluation) -> str | None:
    """``CIFAR-10`` or ``shapes``, by what the side file says or else the log's name; None for any other.

    Only these are looked up, wherever they are here: a path that a visitor's file names is not read.
    """
    made = log.made_by
    if made.split not in (None, "test"):
        return None
    said = (made.dataset or log.name).lower()
    if made.dataset == SHAPES:
        return SHAPES
    return CIFAR10 if "cifar10" in said.replace("-", "") and "cifar100" not in said.replace("-", "") else None


@cache
def class_names(dataset: str | None) -> tuple[str, ...] | None:
    """The names of its classes, as the bundled classifier of that data set has them; None for any other."""
    name = {CIFAR10: "cifar10", SHAPES: "shapes"}.get(dataset or "")
    config = BUNDLED_FOLDER / (name or "") / "config.json"
    if name is None or not config.is_file():
        return None
    return tuple(json.loads(config.read_text(encoding="utf-8"))["labels"])


def pictures_at(dataset: str | None, numbers: Sequence[int]) -> dict[int, LogPicture]:
    """Those of the test pictures with these numbers that are at hand; empty where the data set is not. Imports torch."""
    if dataset == SHAPES:
        return _shapes(numbers)
    if dataset != CIFAR10:
        return {}
    from core.data.local import cifar10_folder

    folder = cifar10_folder()
    if folder is None:
        return {}
    known = _cifar10(folder)
    return {number: known[number] for number in numbers if number in known}


def _shapes(numbers: Sequence[int]) -> dict[int, LogPicture]:
    from core.data.datasets import load_dataset

    data = load_dataset(SHAPES, "test")
    found = {}
    for number in numbers:
        if 0 <= number < len(data):
            picture = Image.fromarray(data.images[number].permute(1, 2, 0).numpy())
            found[number] = LogPicture(picture, int(data.labels[number]))
    return found


@lru_cache(maxsize=1)
def _cifar10(folder: Path) -> dict[int, LogPicture]:
    """All test pictures by their own numbers; about a second, and 40 MB that are kept."""
    found: dict[int, LogPicture] = {}
    first = 0
    for file in sorted(folder.glob("test-*.parquet")):
        for row in read_rows(file, columns_of(file), first=first, skipped=[]):
            found[row.number] = LogPicture(row.picture, row.label)
        first += count_rows(file)
    return found
