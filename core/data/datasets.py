"""Pictures by reference: `shapes`, `hub/OWNER/NAME`, `parquet/PATH` and `folder/PATH` have labels, `pictures/PATH` has none."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Resampling
from torch import Tensor

from core.data.parquet import LabelledPicture, columns_of, count_rows, fetch_split, read_rows
from core.data.shapes import SHAPES_LABELS, make_shapes
from core.device import memory_left
from core.errors import LabError
from core.models.hub.download import ProgressListener
from core.models.labels import CIFAR10_LABELS
from core.pictures.reading import read_picture

SHAPES_SIZES = {"train": 10_000, "test": 1_000}
_SHAPES_SEEDS = {"train": 1, "test": 2}
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
"""Of pictures in folders and in zips."""
LISTING, NAME = "labels.tsv", "class_name"
COPIES = 2
"""While it is read a data set is there twice: picture by picture, and as one tensor."""


@dataclass(frozen=True)
class LabelledImages:
    """A data set in memory."""

    images: Tensor  # (N, 3, H, W) uint8
    labels: Tensor  # (N,) int64
    indices: Tensor  # (N,) int64, each image's own number in its data set
    names: tuple[str, ...] | None  # of the classes, where there are any
    skipped: tuple[str, ...] = ()  # a clause for each picture that was left out, since it cannot be read; its number stays free

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return int(self.images.shape[2]), int(self.images.shape[3])

    def batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) and labels (B,) of some rows."""
        return self.images[rows], self.labels[rows]

    def every(self, step: int, offset: int = 0) -> LabelledImages:
        """The images whose own number is ``offset`` modulo ``step``, as the papers' "every 20th image"."""
        return self.where(self.indices % step == offset)

    def first(self, count: int) -> LabelledImages:
        """The first images, at most so many."""
        return self.where(torch.arange(min(count, len(self))))

    def where(self, keep: Tensor) -> LabelledImages:
        """The images where ``keep``, (N,) of truth values, is true; or of its rows in that order, where it has numbers."""
        return replace(self, images=self.images[keep], labels=self.labels[keep], indices=self.indices[keep])


@dataclass(frozen=True)
class Photographs:
    """Pictures of any size and of no classes in memory, of which a training takes square crops at random places."""

    pictures: tuple[Tensor, ...]  # (3, H, W) uint8 each, no side below that of the crops
    side: int  # of the crops, in pixels
    crops: int = 1  # of each picture an epoch
    turned: bool = False  # whether a crop is turned by 0, 90, 180 or 270 degrees
    skipped: tuple[str, ...] = ()  # as of labelled ones

    def __len__(self) -> int:
        return self.crops * len(self.pictures)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a crop."""
        return self.side, self.side

    def batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Crops (B, 3, side, side) drawn anew, and (B,) labels, -1 each: nobody knows them."""
        taken = []
        for row, (down, right, quarter) in zip(
            rows.tolist(), torch.rand(len(rows), 3, generator=generator).tolist(), strict=True
        ):
            picture = self.pictures[row % len(self.pictures)]
            crop = _cut(picture, self.side, down, right)
            taken.append(crop.rot90(int(4 * quarter), (1, 2)) if self.turned else crop)
        return torch.stack(taken), torch.full((len(rows),), -1)

    def part(self, step: int, offset: int) -> tuple[Photographs, LabelledImages]:
        """Those whose number is not ``offset`` modulo ``step``, and the middles of those whose is, to measure on."""
        rest = tuple(one for number, one in enumerate(self.pictures) if number % step != offset)
        aside = self.pictures[offset::step]
        middles = torch.stack([_cut(one, self.side, 0.5, 0.5) for one in aside])
        labels = torch.full((len(aside),), -1)
        return replace(self, pictures=rest), LabelledImages(middles, labels, torch.arange(len(aside)) * step + offset, None)


def _cut(picture: Tensor, side: int, down: float, right: float) -> Tensor:
    top, left = (int(share * (whole - side + 1)) for share, whole in zip((down, right), picture.shape[1:], strict=True))
    return picture[:, top : top + side, left : left + side]


def load_photographs(path: Path, side: int) -> Photographs:
    """All pictures in a folder and in those below it, in the order of their paths; what is smaller than the crops is scaled up.

    Raises LabError where there is no such folder, nothing can be read, or they do not fit into memory.
    """
    if not path.is_dir():
        raise LabError(f"There is no folder {str(path)!r}: pictures/PATH must name a folder of photographs.")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    pictures, skipped, held = list[Tensor](), list[str](), 0
    for file in files:
        try:
            image = read_picture(file, repr(str(file))).image
        except LabError as error:
            skipped.append(str(error).removesuffix("."))
            continue
        if min(image.size) < side:
            scale = side / min(image.size)
            image = image.resize(
                (max(side, round(image.width * scale)), max(side, round(image.height * scale))), Resampling.LANCZOS
            )
        pictures.append(torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous())
        held += pictures[-1].numel()
        if len(pictures) % 100 == 1:
            _check_memory(str(path), held * (len(files) - len(pictures)) // len(pictures), copies=1)
    if not pictures:
        why = f"; the first: {skipped[0]}" if skipped else ""
        raise LabError(f"No PNG, JPEG or WebP picture in {str(path)!r} or in its folders can be read{why}.")
    return Photographs(tuple(pictures), side, skipped=tuple(skipped))


def load_dataset(
    reference: str,
    split: str = "test",
    *,
    on_progress: ProgressListener | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> LabelledImages:
    """Load a data set into memory.

    Args:
        reference: ``shapes``; ``hub/OWNER/NAME[@REVISION]``, a data set of the Hub in parquet files; ``parquet/PATH``, a file
            or a folder of ``SPLIT-*.parquet`` files with columns ``img`` (or ``image``) and ``label``; ``folder/PATH``, one
            folder of pictures a class, or with a ``labels.tsv`` that names each picture and the number of its class.
        split: ``train`` or ``test``; a folder that has ``train``/``test`` folders in it is read there.
        on_progress: told how far a download is; ``should_stop`` is asked whether to give it up.
    Raises LabError where the reference is unknown, no picture can be read, the pictures are not of one size, or they do not fit
    into memory.
    """
    if reference == "shapes":
        if split not in SHAPES_SIZES:
            raise LabError(f"The data set shapes has no split {split!r}: choose train or test.")
        images, labels = make_shapes(SHAPES_SIZES[split], seed=_SHAPES_SEEDS[split])
        return LabelledImages(images, labels, torch.arange(len(images)), SHAPES_LABELS)
    kind, _, rest = reference.partition("/")
    if rest and kind == "hub":
        fetched = fetch_split(reference, split, on_progress=on_progress, should_stop=should_stop)
        return _read_parquet_files(fetched.files, reference)
    if not rest or kind not in ("parquet", "folder"):
        raise LabError(f"Unknown data set {reference!r}: expected shapes, hub/OWNER/NAME, parquet/PATH or folder/PATH.")
    path = Path(rest).expanduser()
    if not path.exists():
        raise LabError(f"Data set {reference!r}: there is no file or folder {str(path)!r}.")
    return _read_parquet(path, split) if kind == "parquet" else _read_folder(path, split)


def _read_parquet(path: Path, split: str) -> LabelledImages:
    files = [path] if path.is_file() else sorted(path.glob(f"{split}-*.parquet"))
    if not files:
        raise LabError(f"No file {split}-*.parquet lies in {str(path)!r}: name a file, or another split.")
    return _read_parquet_files(files, str(path))


def _read_parquet_files(files: Sequence[Path], where: str) -> LabelledImages:
    columns, counts, skipped = columns_of(files[0]), [count_rows(file) for file in files], list[str]()
    firsts = [sum(counts[:number]) for number in range(len(files))]
    parts = (read_rows(file, columns, first=first, skipped=skipped) for file, first in zip(files, firsts, strict=True))
    data = replace(_in_memory(chain.from_iterable(parts), sum(counts), where, skipped), names=columns.names)
    says_cifar10 = re.search(r"cifar-?10(?!0)", where, re.IGNORECASE) is not None
    if data.names is None and says_cifar10 and data.images.shape[2:] == (32, 32) and int(data.labels.max()) < 10:
        return replace(data, names=CIFAR10_LABELS)
    return data


def _in_memory(rows: Iterable[LabelledPicture], count: int, where: str, skipped: Sequence[str]) -> LabelledImages:
    """All rows, ``count`` at most; that they fit, and are of one size, is asked at once: the rest would be in vain.

    Args:
        skipped: grows while rows are read.
    """
    pictures, labels, numbers = list[np.ndarray](), list[int](), list[int]()
    for row in rows:
        pictures.append(np.asarray(row.picture))
        labels.append(row.label)
        numbers.append(row.number)
        if len(pictures) == 1:
            _check_memory(where, count * pictures[0].nbytes)
        elif pictures[-1].shape != pictures[0].shape:
            sizes = ", ".join(f"{w}x{h}" for h, w, _ in sorted({pictures[0].shape, pictures[-1].shape}))
            raise LabError(f"The pictures of {where!r} have different sizes ({sizes}): resize them to one size first.")
    if not pictures and skipped:
        raise LabError(f"None of the {len(skipped):,} pictures can be read; the first: {skipped[0]}.")
    if not pictures:
        raise LabError(f"{where!r} has no rows: expected pictures in it.")
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    own = torch.tensor(numbers)
    return LabelledImages(images=images, labels=torch.tensor(labels), indices=own, names=None, skipped=tuple(skipped))


def _check_memory(where: str, needed: int, copies: int = COPIES) -> None:
    free = memory_left()
    if free is not None and copies * needed > free:
        raise LabError(
            f"The pictures of {where!r} take {copies * needed / 1e9:.1f} GB of memory while they are read and"
            f" {free / 1e9:.1f} GB are free: choose a smaller data set or split."
        )


def _read_folder(path: Path, split: str) -> LabelledImages:
    root = path / split if (path / split).is_dir() else path
    if (root / LISTING).is_file():
        return _read_listed(root)
    classes = sorted(p for p in root.iterdir() if p.is_dir())
    numbered = all(
        p.name.isdecimal() and len(p.name) < 10 for p in classes
    )  # so is each class: by the alphabet, 10 would come before 2
    if not classes:
        raise LabError(f"{str(root)!r} has no folders in it: expected one folder of pictures a class.")
    listed = [
        (file, int(folder.name) if numbered else place)
        for place, folder in enumerate(classes)
        for file in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    ]
    if not listed:
        raise LabError(f"No PNG, JPEG or WebP pictures lie in the folders of {str(root)!r}.")
    return replace(_read_files(listed, root), names=None if numbered else tuple(p.name for p in classes))


def _read_files(listed: Sequence[tuple[Path, int]], root: Path) -> LabelledImages:
    """Pictures and their labels, numbered as listed, those left out that cannot be read."""
    skipped = list[str]()

    def rows() -> Iterator[LabelledPicture]:
        for number, (file, label) in enumerate(listed):
            try:
                picture = read_picture(file, repr(str(file))).image
            except LabError as error:
                skipped.append(str(error).removesuffix("."))
            else:
                yield LabelledPicture(picture, label, number)

    return _in_memory(rows(), len(listed), str(root), skipped)


def _read_listed(root: Path) -> LabelledImages:
    """Pictures listed in labels.tsv: columns of file names (``image`` or ``file``), class numbers, perhaps class names."""
    with (root / LISTING).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    columns = list(rows[0]) if rows else []
    name = next((c for c in columns if c in ("image", "file", "path")), None)
    number = next((c for c in columns if c in ("label", "class_index") or c.endswith("_class_index")), None)
    if name is None or number is None:
        raise LabError(f"{LISTING} in {str(root)!r} has columns {columns}: expected image and label (or class_index).")
    listed: list[tuple[Path, int]] = []
    for line, row in enumerate(rows, 2):
        found = next((p for p in (root / row[name], root / "images" / row[name]) if p.is_file()), None)
        if found is None or not found.resolve().is_relative_to(root.resolve()):
            raise LabError(f"Line {line} of {LISTING} names {row[name]!r}, which is not in {str(root)!r}.")
        if not (row[number] or "").isdigit():
            raise LabError(f"Line {line} of {LISTING} has the class number {row[number]!r}: expected 0, 1, 2, ...")
        listed.append((found, int(row[number])))
    if not listed:
        raise LabError(f"{LISTING} in {str(root)!r} names no pictures.")
    called = {number: row[NAME] for (_, number), row in zip(listed, rows, strict=True) if row.get(NAME)}
    names = tuple(called.get(number, f"class {number}") for number in range(max(called, default=-1) + 1))
    return replace(_read_files(listed, root), names=names or None)
