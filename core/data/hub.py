"""Data sets of the Hub: ``hub/OWNER/NAME[@REVISION]``, in parquet files."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.parquet import Columns, LabelledPicture, columns_of, count_rows, read_rows
from core.errors import LabError
from core.models.hub.download import ProgressListener, fetch_files
from core.models.hub.repository import HubRepository, look_up
from core.models.references import parse_reference

_FILE = re.compile(r"(?:(?P<config>[^/]+)/)?(?P<split>[A-Za-z_]\w*)(?:-\d+-of-(?P<of>\d+)(?:-[0-9a-f]+)?|/[^/]+)?\.parquet")
_USUAL = ("plain_text", "default", "data", "")
_SPLITS = ("train", "test", "validation")


@dataclass(frozen=True)
class Split:
    """The files of one split, on this machine.

    Attributes:
        reference: of the data set.
        commit: the commit they are of.
        files: in order.
        columns: where pictures and labels are.
    """

    reference: str
    commit: str
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

    Raises:
        LabError: where there is no such data set or split, it has no parquet files, is too large, or the Hub is out of reach.
    """
    parsed = parse_reference(reference)
    if parsed.kind != "hub":
        raise LabError(f"{reference!r} is no data set of the Hub: expected hub/OWNER/NAME[@REVISION].")
    repository = look_up(parsed.name, parsed.revision, kind="dataset", should_stop=should_stop)
    names = split_files(repository, split)
    folder = fetch_files(repository, names, on_progress=on_progress, should_stop=should_stop)
    files = tuple(folder / name for name in names)
    return Split(f"hub/{repository.name}", repository.commit, files, columns_of(files[0]))


def split_files(repository: HubRepository, split: str) -> list[str]:
    """Names of the parquet files of a split, of the usual configuration where there are several.

    Raises:
        LabError: naming the splits there are, or where some of the split's files are not.
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
        raise LabError(f"The data set {repository.name!r} has no parquet files{cached}: the Lab reads no others.")
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
            " a part of a split is not taken for the whole."
        )
    return names


def sample_pictures(split: Split, count: int, seed: int) -> list[LabelledPicture]:
    """Some pictures of a split at random, in a random order; only the row groups that hold them are read.

    Raises:
        LabError: where a picture cannot be read.
    """
    sizes = [count_rows(file) for file in split.files]
    if not sum(sizes):
        raise LabError(f"The split of {split.reference!r} is empty.")
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
