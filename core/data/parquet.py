"""Labelled pictures in parquet files, as the Hub's data sets have them."""

import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from core.errors import LabError
from core.pictures.reading import MAX_PIXELS

_LABEL_COLUMNS = ("label", "fine_label", "labels", "class")


@dataclass(frozen=True)
class Columns:
    """Where a file has its pictures and labels.

    Attributes:
        image, label: names of columns.
        names: class names, where the file's features say them.
    """

    image: str
    label: str
    names: tuple[str, ...] | None

    def name_of(self, label: int) -> str | None:
        """The name of a class, where it has one."""
        return self.names[label] if self.names is not None and label < len(self.names) else None


@dataclass(frozen=True)
class LabelledPicture:
    """One picture of a data set.

    Attributes:
        picture: RGB.
        label: number of its class, and ``name`` that class's where it is named.
        number: of ``00123.png`` in its path where there is one, else its row.
    """

    picture: Image.Image
    label: int
    number: int
    name: str | None = None


def columns_of(file: Path) -> Columns:
    """The picture and label columns, from the features that the data set's own library wrote, else by their usual names.

    Raises:
        LabError: where the file is no parquet or has none.
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

    Raises:
        LabError: naming the row whose label cannot be read, or, without ``skipped``, whose picture cannot.
    """
    opened, begin = _opened(file), 0
    wanted = None if only is None else set(only)
    for group in range(opened.num_row_groups):
        count = opened.metadata.row_group(group).num_rows
        inside = range(begin, begin + count)
        if wanted is None or not wanted.isdisjoint(inside):
            table = opened.read_row_group(group, columns=[columns.image, columns.label])
            pictures, labels = table[columns.image], table[columns.label]
            for offset in range(count):
                if wanted is None or begin + offset in wanted:
                    row = first + begin + offset
                    try:
                        picture, path = _picture(pictures[offset].as_py(), row, file.name)
                    except LabError as error:
                        if skipped is None:
                            raise
                        skipped.append(str(error).removesuffix("."))
                        continue
                    label, number = _label(labels[offset].as_py(), row, file.name), _number(path, row)
                    yield LabelledPicture(picture, label, number, columns.name_of(label))
        begin += count


def count_rows(file: Path) -> int:
    """How many rows a file has."""
    return int(_opened(file).metadata.num_rows)


def _picture(cell: Any, row: int, name: str) -> tuple[Image.Image, str | None]:
    """The picture of a cell, and the path that is kept with it."""
    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)
    if not isinstance(data, bytes):
        raise LabError(f"Row {row} of {name} holds no picture: expected the bytes of one.")
    return decode(data, f"Row {row} of {name}"), path


def _label(cell: Any, row: int, name: str) -> int:
    if not isinstance(cell, int) or cell < 0:
        raise LabError(f"Row {row} of {name} has the label {cell!r}: expected the number of a class.")
    return cell


def _number(path: str | None, row: int) -> int:
    own = re.fullmatch(r"(\d+)\.\w+", Path(path or "").name)
    return int(own[1]) if own else row


def decode(data: bytes, what: str) -> Image.Image:
    """Encoded bytes as an RGB picture.

    Raises:
        LabError: where they are no picture, or one of too many pixels.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise LabError(f"{what} has {picture.width:,} x {picture.height:,} pixels: at most 50 million are read.")
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LabError(f"{what} cannot be read as a picture: {error}.") from error


def _opened(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise LabError(f"{str(file)!r} cannot be read as parquet: {str(error).splitlines()[0]}") from error
