"""Work of a page that may be cut short: what was asked, in a folder of its own that is there until the work has ended.

What a kill leaves is offered to be gone on with; a lock that ends with its process tells it from work that is under way.
"""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from core.errors import LabError
from core.folders import home_folder
from core.runs.resuming import write_whole

MOST_LEFT = 10  # of a kind and an owner; the oldest make room
_ASKED, _LOCK = "asked.json", "lock"
_GONE = "It is not there any more: somebody finished or dropped it."


@dataclass(frozen=True)
class Unfinished:
    """Work that was cut short."""

    kind: str  # names its folder, with ``id``
    id: str
    asked: dict[str, Any]  # as remembered was told
    when: float  # the last time anything was written, in seconds since 1970

    @property
    def folder(self) -> Path:
        """Where the work keeps its own files."""
        return _home(self.kind) / self.id

    def drop(self) -> None:
        """Forget it. Raises LabError where somebody works on it."""
        with _held(self.folder, patience=1.0):
            _remove(self.folder)


class Kept:
    """Work under way; it ``stays`` where it is to be offered although it ends by itself.

    ``folder`` is for files of its own; None where it cannot be written to, which ``trouble`` says in a sentence.
    """

    def __init__(self, folder: Path | None, trouble: str | None = None) -> None:
        self.folder, self.trouble, self.stays = folder, trouble, False


def unfinished(kind: str) -> list[Unfinished]:
    """All that was cut short, the newest first. What is under way, damaged or cannot be read is passed over."""
    found = []
    with suppress(OSError):
        for folder in _home(kind).iterdir():
            with suppress(OSError, ValueError, TypeError, LabError), _held(folder):
                asked = json.loads((folder / _ASKED).read_text(encoding="utf-8"))
                when = max(path.stat().st_mtime for path in folder.iterdir() if path.name != _LOCK)
                found.append(Unfinished(kind, folder.name, dict(asked), when))
    return sorted(found, key=lambda work: (-work.when, work.id))


@contextmanager
def remembered(kind: str, asked: Mapping[str, Any], left: Unfinished | None = None) -> Iterator[Kept]:
    """Keep what is asked for as long as the work takes, or go on with what was ``left``.

    Where the work fails, its folder stays if it holds files of its own. One that cannot be written prevents no work. Raises
    LabError where somebody else goes on with it already, or it was dropped.
    """
    folder = left.folder if left is not None else _home(kind) / uuid.uuid4().hex
    if left is None:
        try:
            same = [old for old in unfinished(kind) if old.asked.get("owner") == asked.get("owner")]
            for old in same[MOST_LEFT - 1 :]:
                old.drop()
            folder.mkdir(parents=True)
            write_whole(folder / _ASKED, json.dumps(asked))
        except (OSError, LabError) as error:
            why = getattr(error, "strerror", None) or error
            yield Kept(None, f"What is done here cannot be kept on the way ({why}): a crash would lose it.")
            return
    with _held(folder, patience=1.0):
        if not (folder / _ASKED).is_file():
            raise LabError(_GONE)
        kept = Kept(folder)
        try:
            yield kept
        except BaseException:
            kept.stays = {path.name for path in folder.iterdir()} > {_ASKED, _LOCK}
            raise
        finally:
            if not kept.stays:
                _remove(folder)


@contextmanager
def _held(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Hold a folder for this piece of work. Raises LabError where another does for longer than ``patience``, or it is gone."""
    if not folder.is_dir():
        raise LabError(_GONE)  # the lock would make it
    try:
        held = FileLock(folder / _LOCK).acquire(timeout=patience)
    except Timeout:
        raise LabError("Somebody goes on with it already: wait for its end.") from None
    except OSError as error:
        raise LabError(f"It cannot be gone on with ({error.strerror or error}).") from error
    with held:
        yield


def _remove(folder: Path) -> None:
    # By another name first: what is half deleted is offered to nobody.
    gone = folder.with_name(f".gone-{folder.name}")
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _home(kind: str) -> Path:
    return home_folder() / "unfinished" / kind
