"""Uploaded pictures to learn from: several files, or a zip with one folder a class. Nothing is unpacked onto the disk."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import LabError
from core.pictures.reading import fit_to, read_picture

MOST_BYTES = 50 * 2**20
MOST_ENTRIES = 5_000
MOST_UNPACKED = 300 * 2**20
MOST_PIXELS = 500_000_000
"""Of all pictures together, as they are in their files."""
MOST_HELD = 400 * 2**20
"""Bytes of all pictures, at the size they are brought to."""
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
_NAMED = 3

File = tuple[str, bytes]
Array = NDArray[np.uint8]


@dataclass(frozen=True)
class Uploaded:
    """What could be read.

    Attributes:
        images: (N, 3, H, W) uint8, all of the size asked for.
        classes: of each the folder it lay in; None where any lay in none.
        notes: a sentence for each thing that was left out or changed.
    """

    images: Tensor
    classes: tuple[str, ...] | None
    notes: tuple[str, ...] = ()


def read_uploaded(files: Sequence[File], size: tuple[int, int], *, should_stop: Callable[[], bool] = lambda: False) -> Uploaded:
    """Read pictures and zips of pictures; each picture is brought to one size (scaled and cropped at the centre).

    Args:
        files: (name, content).
        size: (height, width) to bring them to.
        should_stop: asked after each picture.

    Raises:
        LabError: where they are over a limit, a zip cannot be opened, or nothing can be read.
    """
    total = sum(len(content) for _, content in files)
    if total > MOST_BYTES:
        raise LabError(
            f"{total / 2**20:.0f} MB were uploaded: at most {MOST_BYTES // 2**20} MB are read; upload fewer pictures."
        )
    pictures, classes, refused, sizes, pixels = list[Array](), list[str | None](), list[str](), Counter[tuple[int, int]](), 0
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
        sizes[image.size] += 1
        classes.append(folder)
        pictures.append(np.asarray(fit_to(image, size)))
    if not pictures:
        why = f" ({refused[0]})" if refused else ""
        raise LabError(f"No picture could be read{why}: upload PNG, JPEG or WebP pictures, or a zip of them.")
    notes = []
    if refused:
        files_were = "1 file was" if len(refused) == 1 else f"{len(refused):,} files were"
        more = f"; and {len(refused) - _NAMED:,} more" if len(refused) > _NAMED else ""
        notes.append(f"{files_were} left out: {'; '.join(refused[:_NAMED])}{more}.")
    if set(sizes) != {(size[1], size[0])}:
        kinds = "of several sizes" if len(sizes) > 1 else "of {} x {} pixels".format(*next(iter(sizes)))
        notes.append(f"The pictures are {kinds}: all were brought to {size[1]} x {size[0]}.")
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    named = tuple(c for c in classes if c is not None)
    return Uploaded(images, named if len(named) == len(classes) else None, tuple(notes))


def _entries(files: Sequence[File]) -> Iterator[tuple[str, str | None, bytes | str]]:
    """(name, folder, content) of each picture; in place of the content a clause that says why it is left out."""
    for name, content in files:
        if name.lower().endswith(".zip"):
            yield from _zipped(name, content)
        else:
            yield name, None, content


def _zipped(name: str, content: bytes) -> Iterator[tuple[str, str | None, bytes | str]]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise LabError(f"{name} is no zip that can be read: make it again.") from error
    with archive:
        entries = [e for e in archive.infolist() if not e.is_dir() and not _is_clutter(e.filename)]
        if len(entries) > MOST_ENTRIES:
            raise LabError(f"{name} has {len(entries):,} files in it: at most {MOST_ENTRIES:,} are read.")
        unpacked = 0
        for entry in entries:
            path = PurePosixPath(entry.filename.replace("\\", "/"))
            shown = path.name[:80]
            if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
                yield shown, None, f"{shown} lies outside the zip's own folders"
                continue
            if path.suffix.lower() not in _SUFFIXES:
                yield shown, None, f"{shown} is no PNG, JPEG or WebP picture"
                continue
            data = _unpacked(archive, entry, MOST_UNPACKED - unpacked, name)
            unpacked += len(data)
            yield shown, path.parent.name or None, data if not isinstance(data, str) else f"{shown} {data}"


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int, name: str) -> bytes | str:
    """A file's content, or why there is none. What the zip says of sizes is not believed."""
    try:
        with archive.open(entry) as file:
            data = file.read(room + 1)
    except RuntimeError:
        return "is encrypted"
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, ValueError):
        return "is damaged in the zip"
    if len(data) > room:
        raise LabError(f"{name} unpacks to more than {MOST_UNPACKED // 2**20} MB: upload fewer or smaller pictures.")
    return data


def _is_clutter(name: str) -> bool:
    """What systems put into zips of their own accord."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and (parts[0] == "__MACOSX" or parts[-1].startswith(".") or parts[-1] in ("Thumbs.db", "desktop.ini"))
