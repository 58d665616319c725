"""The pictures of a training: those to learn from, to watch, and to certify before and after; and how uploads are read.

Uploads are several files, or a zip with one folder a class. Nothing is unpacked onto the disk.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import torch
from torch import Tensor

from core.data.classes import same_classes, spellings
from core.data.datasets import SUFFIXES, load_dataset
from core.data.local import CIFAR10_ON_THE_HUB, cifar10_folder, local_pictures
from core.data.shapes import SHAPES_LABELS, SIDE, make_shapes
from core.errors import LONGEST_FILE, LabError, one_line
from core.folders import data_folder
from core.models.labels import CIFAR10_LABELS
from core.pictures.reading import MAX_BYTES, fit_to, read_picture

WATCHED = 60
"""Pictures held out; a fifth of it where they are larger than 64 x 64 pixels."""
SHAPES_AT_FIRST = 2_000
SHAPES_A_STEP = 4
_SHAPES_SEEDS = {"train": 3, "watched": 4}
"""Not those of the data set's own splits, so that its test pictures are new to every denoiser that is trained here."""
FEWEST_PICTURES = 20

MOST_BYTES = 50 * 2**20
MOST_ENTRIES = 5_000
MOST_UNPACKED = 300 * 2**20
MOST_PIXELS = 500_000_000
"""Of all pictures together, as they are in their files."""
MOST_HELD = 400 * 2**20
"""Bytes of all pictures, at the size they are brought to."""
_REFUSED_TOLD = 3
_ENCRYPTED = 0x1
"""The bit of an entry of a zip that says so."""

File = tuple[str, bytes]


@dataclass
class TrainingPictures:
    """Pictures of one size: to learn from, to watch, and to certify; the latter two are held out."""

    pool: Tensor  # (N, 3, H, W) uint8
    watched: Tensor  # (K, 3, H, W) uint8
    checked: Tensor  # (M, 3, H, W) uint8
    labels: Tensor | None  # (M,) of the classifier's; None where nobody knows, and its own answers stand in
    what: str  # they are, for the card
    notes: tuple[str, ...] = ()  # a sentence for each thing the user should know
    endless: int | None = None  # number of the next picture of ``shapes``, which is made while training goes on

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

    def go_on(self, draws: int) -> None:
        """Be where so many draws lead, for a training that goes on; pictures that are not made on the way stay as they are."""
        if self.endless is not None and draws:
            self.endless += draws * SHAPES_A_STEP
            count = len(self.pool)
            fresh, _ = make_shapes(count, seed=_SHAPES_SEEDS["train"], start=self.endless - count)
            self.pool[torch.arange(self.endless - count, self.endless) % count] = fresh


def shapes_pictures(labels: Sequence[str] | None, checked: int) -> TrainingPictures:
    """The endless series of ``shapes``. Raises LabError where the classifier has other classes."""
    _check_classes_of(labels, SHAPES_LABELS, "shapes")
    test = local_pictures(SHAPES_LABELS, (SIDE, SIDE)).data
    return TrainingPictures(
        pool=make_shapes(SHAPES_AT_FIRST, seed=_SHAPES_SEEDS["train"])[0],
        watched=make_shapes(WATCHED, seed=_SHAPES_SEEDS["watched"])[0],
        checked=test.images[:checked],
        labels=test.labels[:checked],
        what="shapes, made while training",
        endless=SHAPES_AT_FIRST,
    )


def has_cifar10() -> bool:
    """Whether the training pictures of CIFAR-10 are on this machine, under LAB_DATA."""
    return any((data_folder() / "cifar10" / "plain_text").glob("train-*.parquet"))


def cifar10_pictures(labels: Sequence[str] | None, checked: int) -> TrainingPictures:
    """CIFAR-10's training pictures; its test pictures are certified. Raises LabError where it is not here."""
    _check_classes_of(labels, CIFAR10_LABELS, "CIFAR-10")
    if cifar10_folder() is None or not has_cifar10():
        raise LabError(
            f"CIFAR-10 is not on this machine: put {CIFAR10_ON_THE_HUB} into cifar10 under LAB_DATA, or choose other pictures."
        )
    data = load_dataset(f"parquet/{data_folder() / 'cifar10' / 'plain_text'}", "train")
    test = local_pictures(CIFAR10_LABELS, (SIDE, SIDE)).data
    return TrainingPictures(
        pool=data.images[WATCHED:],
        watched=data.images[:WATCHED],
        checked=test.images[:checked],
        labels=test.labels[:checked],
        what=f"CIFAR-10, split train, {len(data):,} pictures",
    )


def uploaded_pictures(uploaded: Uploaded, labels: Sequence[str] | None, checked: int) -> TrainingPictures:
    """Somebody's own pictures, parted by chance (the same each time): a sixth is watched and certified, at most 60.

    Raises LabError where they are too few, or a folder is named after no class of the classifier.
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
        pool=uploaded.images[rest],
        watched=uploaded.images[held],
        checked=uploaded.images[held[:checked]],
        labels=None if numbers is None else numbers[:checked],
        what=f"{count:,} uploaded pictures",
        notes=notes,
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


@dataclass(frozen=True)
class Uploaded:
    """What could be read."""

    images: Tensor  # (N, 3, H, W) uint8, all of the size asked for
    classes: tuple[str, ...] | None  # of each the folder it lay in; None where any lay in none
    notes: tuple[str, ...] = ()  # a sentence for each thing that was left out or changed


def read_uploaded(files: Sequence[File], size: tuple[int, int], *, should_stop: Callable[[], bool] = lambda: False) -> Uploaded:
    """Read pictures and zips of pictures; each picture is brought to one size (scaled and cropped at the centre).

    Args:
        files: (name, content).
        size: (height, width) to bring them to.
        should_stop: asked after each picture.
    Raises LabError where they are over a limit, a zip cannot be opened, or nothing can be read.
    """
    total = sum(len(content) for _, content in files)
    if total > MOST_BYTES:
        raise LabError(
            f"{total / 2**20:.0f} MB were uploaded: at most {MOST_BYTES // 2**20} MB are read; upload fewer pictures."
        )
    pictures, classes, refused = list[np.ndarray](), list[str | None](), list[str]()
    sizes, pixels = set[tuple[int, int]](), 0
    for name, folder, content in _entries(files):
        if should_stop():
            raise LabError("Stopped while the pictures were read: nothing is kept.")
        if isinstance(content, str):
            refused.append(content)
            continue
        try:
            image = read_picture(content, name).image
        except LabError as error:
            refused.append(str(error).rstrip("."))
            continue
        pixels += image.width * image.height
        if pixels > MOST_PIXELS:
            raise LabError(f"The pictures have over {MOST_PIXELS // 10**6} million pixels together: make them smaller first.")
        if (len(pictures) + 1) * 3 * size[0] * size[1] > MOST_HELD:
            most = MOST_HELD // (3 * size[0] * size[1])
            raise LabError(f"Of {size[1]} x {size[0]} pixels, the classifier's size, at most {most:,} pictures are taken.")
        sizes.add(image.size)
        classes.append(folder)
        pictures.append(np.asarray(fit_to(image, size)))
    if not pictures:
        why = f" ({refused[0]})" if refused else ""
        raise LabError(f"No picture could be read{why}: upload PNG, JPEG or WebP pictures, or a zip of them.")
    notes = []
    if refused:
        files_were = "1 file was" if len(refused) == 1 else f"{len(refused):,} files were"
        more = f"; and {len(refused) - _REFUSED_TOLD:,} more" if len(refused) > _REFUSED_TOLD else ""
        notes.append(f"{files_were} left out: {'; '.join(refused[:_REFUSED_TOLD])}{more}.")
    if sizes != {(size[1], size[0])}:
        kinds = "of several sizes" if len(sizes) > 1 else "of {} x {} pixels".format(*next(iter(sizes)))
        notes.append(f"The pictures are {kinds}: all were brought to {size[1]} x {size[0]}.")
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    folders = tuple(c for c in classes if c is not None)
    return Uploaded(images, folders if len(folders) == len(classes) else None, tuple(notes))


def _entries(files: Sequence[File]) -> Iterator[tuple[str, str | None, bytes | str]]:
    """(name, folder, content) of each picture; in place of the content a clause that says why it is left out."""
    for name, content in files:
        if name.lower().endswith(".zip"):
            yield from _zipped(name, content)
        else:
            yield name, None, content


def _zipped(name: str, content: bytes) -> Iterator[tuple[str, str | None, bytes | str]]:
    # Counted before it is opened, which makes an object of each, and again without those that do not count.
    _check_entries(name, content.count(b"PK\1\2"), 2 * MOST_ENTRIES)
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise LabError(f"{name} is no zip that can be read: make it again.") from error
    unpacked = 0
    with archive:
        entries = [e for e in archive.infolist() if not e.filename.endswith("/") and not _is_clutter(e.filename)]
        _check_entries(name, len(entries), MOST_ENTRIES)
        for entry in entries:
            path = PurePosixPath(entry.filename.replace("\\", "/"))
            shown = one_line(path.name, LONGEST_FILE) or "a file without a name"
            if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
                yield shown, None, f"{shown} lies outside the zip's own folders"
                continue
            if path.suffix.lower() not in SUFFIXES:
                yield shown, None, f"{shown} is no PNG, JPEG or WebP picture"
                continue
            data = _unpacked(archive, entry)
            unpacked += len(data)
            if unpacked > MOST_UNPACKED:
                most = MOST_UNPACKED // 2**20
                raise LabError(f"{name} unpacks to more than {most} MB: upload fewer or smaller pictures.")
            yield shown, path.parent.name or None, data if not isinstance(data, str) else f"{shown} {data}"


def _check_entries(name: str, count: int, most: int) -> None:
    if count > most:
        raise LabError(f"{name} has {count:,} files in it: at most {MOST_ENTRIES:,} are read; upload fewer.")


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | str:
    """A file's content, at most a byte more than a picture may have, or why there is none. What the zip says of sizes is
    not believed, and only what is unpacked bit by bit is unpacked: of LZMA and bzip2 a few bytes become gigabytes at once."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in another way than deflate"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    try:
        with archive.open(entry) as file:
            return file.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError):
        return "is damaged in the zip"


def _is_clutter(name: str) -> bool:
    """What systems put into zips of their own accord."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and (parts[0] == "__MACOSX" or parts[-1].startswith(".") or parts[-1] in ("Thumbs.db", "desktop.ini"))
