"""The images behind a point of a curve, and their pictures, where the data set is on this machine.

Nothing is downloaded for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.evaluation.log import Outcomes
from core.evaluation.recorded import RecordedEvaluation
from core.folders import made_once
from core.models.labels import CIFAR10_LABELS

if TYPE_CHECKING:
    from core.data.datasets import LabelledImages

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


def classes_of(dataset: str | None) -> tuple[str, ...] | None:
    """The names of its classes; None for any other. Imports torch for ``shapes``."""
    if dataset == SHAPES:
        from core.data.shapes import SHAPES_LABELS

        return SHAPES_LABELS
    return CIFAR10_LABELS if dataset == CIFAR10 else None


def pictures_at(dataset: str | None, numbers: Sequence[int]) -> dict[int, LogPicture]:
    """Those of the test pictures with these numbers that are here; empty where the data set is not. Imports torch."""
    from core.data.local import cifar10_folder

    folder = cifar10_folder() if dataset == CIFAR10 else None
    if dataset != SHAPES and folder is None:
        return {}
    data, places = _test_set(SHAPES if folder is None else f"parquet/{folder}")
    found = {}
    for number in filter(places.__contains__, numbers):
        picture = Image.fromarray(data.images[places[number]].permute(1, 2, 0).numpy())
        found[number] = LogPicture(picture, int(data.labels[places[number]]))
    return found


@made_once(2)
def _test_set(reference: str) -> tuple[LabelledImages, dict[int, int]]:
    """The test pictures, and where each stands by its own number; 30 MB of CIFAR-10 are kept."""
    from core.data.datasets import load_dataset

    data = load_dataset(reference, "test")
    return data, {number: place for place, number in enumerate(data.indices.tolist())}
