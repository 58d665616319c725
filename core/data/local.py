"""Labelled pictures that are on this machine already: to compare a picture with, or to evaluate on. Nothing is downloaded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from core.data.classes import same_classes
from core.data.datasets import LabelledImages, load_dataset
from core.data.parquet import split_files
from core.data.samples import sample_picture, samples
from core.data.shapes import SHAPES_LABELS, SIDE
from core.errors import LabError
from core.folders import data_folder, home_folder, made_once
from core.models.hub.access import repository_folder
from core.models.hub.repository import from_cache
from core.models.labels import CIFAR10_LABELS
from core.pictures.reading import fit_to

CIFAR10_ON_THE_HUB = "uoft-cs/cifar10"
_NO_NAMES = ("plain_text", "data", "default")
"""Folders that the Hub's data sets have in them, which say nothing of what the data are."""
_SIZE = (SIDE, SIDE)
"""Of the pictures of ``shapes`` and of CIFAR-10."""


@dataclass(frozen=True)
class LocalPictures:
    """A set of them, whose labels are numbers of the classifier's classes; and what they are, as "the test set of shapes"."""

    data: LabelledImages
    what: str


@made_once(2)
def local_pictures(labels: tuple[str, ...], size: tuple[int, int]) -> LocalPictures:
    """The largest set of pictures of these classes that is here: a data set, or else the samples, brought to (height, width).
    Raises LabError where no picture of these classes is here.
    """
    if size == _SIZE and same_classes(SHAPES_LABELS, labels):
        return LocalPictures(load_dataset("shapes", "test"), "the test set of shapes, which is made here")
    if size == _SIZE and same_classes(CIFAR10_LABELS, labels):
        folder = cifar10_folder()
        if folder is not None:
            return LocalPictures(load_dataset(f"parquet/{folder}", "test"), "the test pictures of CIFAR-10 on this machine")
    return _samples(labels, size)


def cifar10_folder() -> Path | None:
    """Where the test pictures of CIFAR-10 are: under LAB_DATA, or whole in the cache of the Hub; None where in neither."""
    own = data_folder() / "cifar10" / "plain_text"
    if any(own.glob("test-*.parquet")):
        return own
    try:
        cached = from_cache(CIFAR10_ON_THE_HUB, kind="dataset")
        names = split_files(cached, "test")
    except LabError:
        return None
    return (repository_folder(CIFAR10_ON_THE_HUB, "dataset") / "snapshots" / cached.commit / names[0]).parent


def own_data_folder() -> Path:
    """Where the operator puts data sets that visitors may choose, a folder each: ``data`` in the Lab's own folder."""
    return home_folder() / "data"


def local_data_sets() -> dict[str, str]:
    """What is at hand: titles by reference. A visitor's path is not read, so these are all there are."""
    found = {"shapes": "Shapes, which the Lab makes itself"}
    cifar10 = cifar10_folder()
    if cifar10 is not None:
        found[f"parquet/{cifar10}"] = "CIFAR-10, on this machine"
    if own_data_folder().is_dir():
        for path in sorted(path for path in own_data_folder().iterdir() if path.is_dir()):
            kind = "parquet" if any(path.glob("*.parquet")) else "folder"
            found[f"{kind}/{path}"] = path.name
    return found


def title_of_data(reference: str) -> str:
    """What to call a data set without telling a path of this machine.

    >>> title_of_data("parquet//srv/data/cifar10/plain_text"), title_of_data("hub/uoft-cs/cifar10"), title_of_data("shapes")
    ('cifar10', 'uoft-cs/cifar10', 'Shapes')
    """
    kind, _, rest = reference.partition("/")
    known = local_data_sets().get(reference)
    if known is not None:
        return known.partition(",")[0]
    if kind in ("parquet", "folder"):
        path = Path(rest)
        return path.parent.name if path.name in _NO_NAMES and path.parent.name else path.name
    return rest if kind == "hub" else reference


def _samples(labels: tuple[str, ...], size: tuple[int, int]) -> LocalPictures:
    known = [sample for sample in samples() if sample.label in labels]
    if not known:
        raise LabError(
            "No data set with this classifier's classes is on this machine, and none of the sample pictures shows one of them:"
            " there is nothing to compare with."
        )
    pictures = [np.array(fit_to(sample_picture(sample.name).image, size)) for sample in known]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()  # (N, 3, H, W)
    numbers = torch.tensor([labels.index(sample.label) for sample in known])
    data = LabelledImages(images, numbers, torch.arange(len(known)), labels)
    return LocalPictures(data, "the sample pictures of the Lab, since no data set of these classes is on this machine")
