"""Labelled pictures in parquet files: on this machine, or of a data set of the Hub, ``hub/OWNER/NAME[@REVISION]``."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.errors import LabError, first_line
from core.models.hub.download import ProgressListener, fetch_files
from core.models.hub.repository import HubRepository, look_up
from core.models.references import parse_reference
from core.pictures.reading import read_picture

_LABEL_COLUMNS = ("label", "fine_label", "labels", "class")


@dataclass(frozen=True)
class Columns:
    """The columns of a file that hold its pictures and labels, and the class names where the file's features say them."""

    image: str
    label: str
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class LabelledPicture:
    """One RGB picture of a data set, with the number (and name) of its class."""

    picture: Image.Image
    label: int
    number: int  # of ``00123.png`` in its path where there is one, else its row
    name: str | None = None


def columns_of(file: Path) -> Columns:
    """The picture and label columns, from the features that the data set's own library wrote, else by their usual names.
    Raises LabError where the file is no parquet or has none.
    """
    schema = _opened(file).schema_arrow
    try:
        raw = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features: dict[str, Any] = raw["info"]["features"]
    except (ValueError, KeyError, TypeError):
        features = {}
    kinds = {name: one.get("_type") for name, one in features.items() if isinstance(one, dict)}
    present = list(schema.names)
    image = next((n for n, kind in kinds.items() if kind == "Image" and n in present), None)
    image = image or next((n for n in ("img", "image") if n in present), None)
    label = next((n for n in _LABEL_COLUMNS if n in present), None)
    label = label or next((n for n, kind in kinds.items() if kind == "ClassLabel" and n in present), None)
    if image is None or label is None:
        raise LabError(f"{file.name} has columns {present}: expected img (or image) and label.")
    names = features.get(label, {}).get("names") if isinstance(features.get(label), dict) else None
    return Columns(image, label, tuple(str(name) for name in names) if isinstance(names, list) and names else None)


def read_rows(
    file: Path, columns: Columns, *, first: int = 0, only: Sequence[int] | None = None, skipped: list[str] | None = None
) -> Iterator[LabelledPicture]:
    """The rows of a file, or the ones with these numbers in the file; of row groups that hold none of them nothing is read.

    Args:
        first: number of the file's first row in its data set.
        only: row numbers within the file.
        skipped: where rows whose picture cannot be read are told, with why, and left out.
    Raises LabError naming the row whose label cannot be read, or, without ``skipped``, whose picture cannot.
    """
    opened, begin = _opened(file), 0
    wanted, names = None if only is None else set(only), dict(enumerate(columns.names or ()))
    for group in range(opened.num_row_groups):
        count = opened.metadata.row_group(group).num_rows
        inside = range(begin, begin + count)
        if wanted is None or not wanted.isdisjoint(inside):
            table = opened.read_row_group(group, columns=[columns.image, columns.label])
            pictures, labels = table[columns.image], table[columns.label]
            for offset in range(count):
                if wanted is not None and begin + offset not in wanted:
                    continue
                row = first + begin + offset
                try:
                    picture, path = _picture(pictures[offset].as_py(), row, file.name)
                except LabError as error:
                    if skipped is None:
                        raise
                    skipped.append(str(error).removesuffix("."))
                    continue
                label, own = _label(labels[offset].as_py(), row, file.name), re.fullmatch(r"(\d+)\.\w+", Path(path or "").name)
                yield LabelledPicture(picture, label, int(own[1]) if own else row, names.get(label))
        begin += count


def count_rows(file: Path) -> int:
    """How many rows a file has."""
    return int(_opened(file).metadata.num_rows)


def _picture(cell: Any, row: int, name: str) -> tuple[Image.Image, str | None]:
    """The picture of a cell, and the path that is kept with it."""
    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    if not isinstance(data, bytes):
        raise LabError(f"Row {row} of {name} holds no picture: expected the bytes of one.")
    return read_picture(data, f"Row {row} of {name}").image, path


def _label(cell: Any, row: int, name: str) -> int:
    if not isinstance(cell, int) or cell < 0:
        raise LabError(f"Row {row} of {name} has the label {cell!r}: expected the number of a class.")
    return cell


def _opened(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise LabError(f"{str(file)!r} cannot be read as parquet ({first_line(error)}): name another file.") from error


_FILE = re.compile(r"(?:(?P<config>[^/]+)/)?(?P<split>[A-Za-z_]\w*)(?:-\d+-of-(?P<of>\d+)(?:-[0-9a-f]+)?|/[^/]+)?\.parquet")
_USUAL = ("plain_text", "default", "data", "")
_SPLITS = ("train", "test", "validation")


@dataclass(frozen=True)
class Split:
    """The files of one split of a data set of the Hub, in order, on this machine."""

    reference: str
    files: tuple[Path, ...]
    columns: Columns


def fetch_split(
    reference: str,
    split: str = "test",
    *,
    on_progress: ProgressListener | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Split:
    """Bring the files of a split to this machine.
    Raises LabError where there is no such data set or split, it has no parquet files, is too large, or the Hub is out of reach.
    """
    parsed = parse_reference(reference)
    if parsed.kind != "hub":
        raise LabError(f"{reference!r} is no data set of the Hub: expected hub/OWNER/NAME[@REVISION].")
    repository = look_up(parsed.name, parsed.revision, kind="dataset", should_stop=should_stop)
    names = split_files(repository, split)
    folder = fetch_files(repository, names, on_progress=on_progress, should_stop=should_stop)
    files = tuple(folder / name for name in names)
    return Split(f"hub/{repository.name}", files, columns_of(files[0]))


def split_files(repository: HubRepository, split: str) -> list[str]:
    """Names of the parquet files of a split, of the usual configuration where there are several.
    Raises LabError naming the splits there are, or where some of the split's files are not.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for name in repository.file_names:
        match = _FILE.fullmatch(name)
        if match:
            config, part = match["config"] or "", match["split"]
            if config in _SPLITS:  # a folder a split, whatever its files are called
                config, part = "", config
            found.setdefault(config, {}).setdefault(part, []).append(name)
    cached = " in the cache, and the Hub was not asked" if repository.from_cache else ""
    if not found:
        raise LabError(f"The data set {repository.name!r} has no parquet files{cached}: choose one that has.")
    config = next((usual for usual in _USUAL if usual in found), sorted(found)[0])
    splits = found[config]
    if split not in splits:
        raise LabError(
            f"The data set {repository.name!r} has no split {split!r}{cached}: choose one of {', '.join(sorted(splits))}."
        )
    names = sorted(splits[split])
    match = _FILE.fullmatch(names[0])
    if match and match["of"] and len(names) != int(match["of"]):
        raise LabError(
            f"The split {split!r} of {repository.name!r} has {len(names)} of its {int(match['of'])} files{cached}:"
            " a part is not taken for the whole; choose another split or data set."
        )
    return names


def sample_pictures(split: Split, count: int, seed: int) -> list[LabelledPicture]:
    """Some pictures of a split at random, in a random order; only the row groups that hold them are read.
    Raises LabError where a picture cannot be read.
    """
    sizes = [count_rows(file) for file in split.files]
    if not sum(sizes):
        raise LabError(f"The split of {split.reference!r} is empty: choose another.")
    rows = np.random.default_rng(seed).permutation(sum(sizes))[:count]
    picked: dict[int, LabelledPicture] = {}
    first = 0
    for file, size in zip(split.files, sizes, strict=True):
        inside = [int(row) - first for row in rows if first <= row < first + size]
        # Rows come in the order of the file: asked for one at a time they could not be told apart where paths repeat.
        for position, row in zip(sorted(inside), read_rows(file, split.columns, first=first, only=inside), strict=True):
            picked[first + position] = row
        first += size
    return [picked[int(row)] for row in rows]
