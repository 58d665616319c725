"""The pictures of a training: those to learn from, those to watch, and those to certify before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.data.classes import same_classes, spellings
from core.data.datasets import load_dataset
from core.data.local import CIFAR10, cifar10_folder, local_pictures
from core.data.shapes import LABELS as SHAPES_LABELS
from core.data.shapes import SIDE, make_shapes
from core.errors import LabError
from core.folders import data_folder
from core.models.labels import CIFAR10_LABELS
from core.training.request import FEWEST_PICTURES
from core.training.uploads import Uploaded

WATCHED = 60
"""Pictures held out; a fifth of it where they are larger than 64 x 64 pixels."""
SHAPES_AT_FIRST = 2_000
SHAPES_A_STEP = 4
_SHAPES_SEEDS = {"train": 3, "watched": 4}
"""Not those of the data set's own splits, so that its test pictures are new to every denoiser that is trained here."""


@dataclass
class TrainingPictures:
    """Pictures of one size.

    Attributes:
        pool: (N, 3, H, W) uint8, to learn from.
        watched: (K, 3, H, W) uint8, held out.
        checked: (M, 3, H, W) uint8, held out as well.
        labels: (M,), their classes as the classifier numbers them; None where nobody knows, and its own answers stand in.
        what: what they are, for the card.
        notes: a sentence for each thing the user should know.
        endless: number of the next picture of ``shapes``, which is made while training goes on; None for other data.
    """

    pool: Tensor
    watched: Tensor
    checked: Tensor
    labels: Tensor | None
    what: str
    notes: tuple[str, ...] = ()
    endless: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return int(self.pool.shape[2]), int(self.pool.shape[3])

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 3, H, W) at random; of ``shapes`` some are replaced by new ones first."""
        if self.endless is not None:
            fresh, _ = make_shapes(SHAPES_A_STEP, seed=_SHAPES_SEEDS["train"], start=self.endless)
            self.pool[torch.arange(self.endless, self.endless + SHAPES_A_STEP) % len(self.pool)] = fresh
            self.endless += SHAPES_A_STEP
        return self.pool[torch.randint(len(self.pool), (count,), generator=generator)]


def shapes_pictures(labels: Sequence[str] | None, checked: int) -> TrainingPictures:
    """The endless series of ``shapes``. Raises LabError where the classifier has other classes."""
    _check_classes_of(labels, SHAPES_LABELS, "shapes")
    pool, _ = make_shapes(SHAPES_AT_FIRST, seed=_SHAPES_SEEDS["train"])
    watched, _ = make_shapes(WATCHED, seed=_SHAPES_SEEDS["watched"])
    test = local_pictures(SHAPES_LABELS, (SIDE, SIDE)).data
    return TrainingPictures(
        pool, watched, test.images[:checked], test.labels[:checked], "shapes, made while training", (), SHAPES_AT_FIRST
    )


def has_cifar10() -> bool:
    """Whether the training pictures of CIFAR-10 are on this machine, under LAB_DATA."""
    return any((data_folder() / "cifar10" / "plain_text").glob("train-*.parquet"))


def cifar10_pictures(labels: Sequence[str] | None, checked: int) -> TrainingPictures:
    """CIFAR-10's training pictures; its test pictures are certified. Raises LabError where it is not here."""
    _check_classes_of(labels, CIFAR10_LABELS, "CIFAR-10")
    folder = cifar10_folder()
    if folder is None or not has_cifar10():
        raise LabError(f"CIFAR-10 is not on this machine: put {CIFAR10} into cifar10 under LAB_DATA, or choose other pictures.")
    data = load_dataset(f"parquet/{data_folder() / 'cifar10' / 'plain_text'}", "train")
    test = local_pictures(CIFAR10_LABELS, (SIDE, SIDE)).data
    return TrainingPictures(
        data.images[WATCHED:],
        data.images[:WATCHED],
        test.images[:checked],
        test.labels[:checked],
        f"CIFAR-10, split train, {len(data):,} pictures",
    )


def uploaded_pictures(uploaded: Uploaded, labels: Sequence[str] | None, checked: int) -> TrainingPictures:
    """Somebody's own pictures, parted by chance (the same each time): a sixth is watched and certified, at most 60.

    Raises:
        LabError: where they are too few, or a folder is named after no class of the classifier.
    """
    count = len(uploaded.images)
    if count < FEWEST_PICTURES:
        more = f" ({uploaded.notes[0]})" if uploaded.notes else ""
        raise LabError(f"Only {count} pictures can be used: at least {FEWEST_PICTURES} are needed to learn from.{more}")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    most = WATCHED if uploaded.images[0, 0].numel() <= 64 * 64 else WATCHED // 5
    aside = min(most, max(3, count // 6))
    held, rest = order[:aside], order[aside:]
    numbers = None
    if uploaded.classes is not None and labels is not None:
        known = {spelling: number for number, label in enumerate(labels) for spelling in spellings(label)}
        number_of = {name: next((known[one] for one in spellings(name) if one in known), None) for name in uploaded.classes}
        unknown = sorted(name for name, number in number_of.items() if number is None)
        if unknown:
            raise LabError(
                f"The classifier has no class {unknown[0]!r}: name the folders after its classes"
                f" ({', '.join(list(labels)[:4])}, …), or put all pictures into none."
            )
        numbers = torch.tensor([number_of[uploaded.classes[int(row)]] for row in held])
    notes = uploaded.notes
    if numbers is None and checked:
        notes = (*notes, "The pictures say no classes: right is what the classifier says of them without noise.")
    return TrainingPictures(
        uploaded.images[rest],
        uploaded.images[held],
        uploaded.images[held[:checked]],
        None if numbers is None else numbers[:checked],
        f"{count:,} uploaded pictures",
        notes,
    )


def pictures_for(
    dataset: str, labels: Sequence[str] | None, checked: int, uploaded: Callable[[], Uploaded] | None
) -> TrainingPictures:
    """The pictures of ``shapes``, ``cifar10`` or ``upload``. Raises LabError as the three say."""
    if dataset == "shapes":
        return shapes_pictures(labels, checked)
    if dataset == "cifar10":
        return cifar10_pictures(labels, checked)
    if dataset != "upload" or uploaded is None:
        raise LabError("Upload pictures first: a zip with one folder a class, or several pictures.")
    return uploaded_pictures(uploaded(), labels, checked)


def _check_classes_of(labels: Sequence[str] | None, own: Sequence[str], name: str) -> None:
    if labels is not None and not same_classes(own, labels):
        raise LabError(f"The classifier has other classes than {name}: choose one of {name}, or other pictures.")
