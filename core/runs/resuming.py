"""Going on with what an earlier run left: the one check; files of lines, beside which stands what made them; logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import MISSING, fields
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from filelock import FileLock, Timeout

from core.engines import EAGER, FLOAT32
from core.errors import LabError
from core.evaluation.log import ImageVotes, LogLine, log_text, read_image_votes, read_log, votes_path, votes_text
from core.smoothing.settings import Settings
from core.versions import versions

VERSIONS, IMAGES = "versions", "images"
UNSAID = {field.name: field.default for field in fields(Settings) if field.default is not MISSING} | {
    "norm": "l2",
    "engine": EAGER,
    "precision": FLOAT32,
}
"""What was begun before there was a choice does not say it, and was made with this."""


def changed_since(then: Mapping[str, Any], now: Mapping[str, Any], *, begun: str, otherwise: str) -> list[str]:
    """See that what was begun can be gone on with: the same parameters and weights give the same lines.

    ``then`` and ``now`` are every parameter that decides a line, as it was stored, with the versions of packages, and as it is.
    Returns the packages whose version is another; last digits may differ from here on. Raises LabError, from ``begun`` to
    ``otherwise``, where parameters differ, which are named.
    """
    here = json.loads(json.dumps(now))  # as it was stored: a tuple, say, is a list then
    if IMAGES not in then:  # older logs do not say how many they were to have
        here.pop(IMAGES, None)
    before = {key: value for key, value in UNSAID.items() if key in here} | dict(then)
    differing = sorted(key for key in (before.keys() | here.keys()) - {VERSIONS} if before.get(key) != here.get(key))
    if differing:
        raise LabError(f"{begun} was begun with another {', '.join(differing)}{otherwise}")
    noted, current = then.get(VERSIONS) or {}, versions()
    return sorted(name for name in noted if noted[name] != current.get(name))


def begin_or_resume(
    path: Path, side: Path, made_by: Mapping[str, Any], *, resume: bool, on_notice: Callable[[str], None], head: str = ""
) -> bool:
    """Begin a file of lines with ``head``, or make an earlier run's ready to be gone on with; returns whether it is one.

    ``side``, the file beside it, says what made it: all that decides a line, and the versions of packages, which may change:
    ``on_notice`` is told then, in a sentence. A line that a kill cut short is dropped. Raises LabError where the file exists
    and is not to be resumed, or was made with other parameters, which are named.
    """
    if not (resume and path.exists()):
        if path.exists():
            raise LabError(f"{str(path)!r} exists already: add --resume to go on with it, or choose another --out.")
        path.parent.mkdir(parents=True, exist_ok=True)
        # In this order, each whole or not there at all: a kill leaves both, or no file of lines, which begins anew.
        write_whole(side, json.dumps({**made_by, VERSIONS: versions()}, indent=2) + "\n")
        write_whole(path, head)
        return False
    try:
        made = json.loads(side.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{str(path)!r} cannot be resumed: {side.name} beside it cannot be read ({error}).") from error
    changed = changed_since(made, made_by, begun=repr(str(path)), otherwise=": use the same, or another --out.")
    if changed:
        on_notice(
            f"{path.name} was begun with another version of {', '.join(changed)}: its last digits may differ from here on."
        )
    drop_torn_line(path)
    return True


def seed_of(log: Path) -> int | None:
    """The seed that a log was begun with, and is gone on with; None where there is no log whose file says."""
    try:
        made = json.loads(log.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # told by begin_or_resume, which reads it again
        return None
    return made.get("seed") if isinstance(made, dict) else None


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that a kill left without its end; what stands before it is not touched."""
    with path.open("r+b") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            file.truncate(whole)


def write_whole(path: Path, text: str) -> None:
    """Write a file under another name and rename it, so that a kill leaves all of it or nothing."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


class LogFiles:
    """Writes an evaluation, each image on disk before the next begins; opened with ``with``.

    What made the log at ``path`` goes to the same name with .json, the votes to .votes.jsonl. Arguments and errors as of
    :func:`begin_or_resume`; ``done`` are the images that an earlier run finished. One process writes a log at a time.
    """

    def __init__(self, path: Path, made_by: Mapping[str, Any], resume: bool, on_notice: Callable[[str], None]) -> None:
        self._path = path
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        with ExitStack() as held:
            try:
                held.enter_context(lock.acquire(timeout=0))
            except Timeout:
                busy = f"Another process writes {str(path)!r} now: wait for its end, or choose another --out."
                raise LabError(busy) from None
            held.callback(Path(lock.lock_file).unlink, missing_ok=True)
            self._begin(made_by, resume, on_notice)
            self._held = held.pop_all()

    def _begin(self, made_by: Mapping[str, Any], resume: bool, on_notice: Callable[[str], None]) -> None:
        path = self._path
        there = begin_or_resume(path, path.with_suffix(".json"), made_by, resume=resume, on_notice=on_notice, head=log_text())
        self.done = frozenset(read_log(path).idx.tolist()) if there else frozenset[int]()
        votes = votes_path(path)
        if there and votes.exists():
            drop_torn_line(votes)
            _drop_votes_without_line(votes, self.done)
        elif not there:
            votes.unlink(missing_ok=True)

    def __enter__(self) -> LogFiles:
        self._log = self._held.enter_context(self._path.open("a", encoding="utf-8"))
        self._votes: IO[str] | None = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._held.close()

    def add(self, line: LogLine, votes: ImageVotes | None = None) -> None:
        """Write an image; the votes first, so that a line in the log has its votes."""
        if votes is not None:
            if self._votes is None:
                self._votes = self._held.enter_context(votes_path(self._path).open("a", encoding="utf-8"))
            self._votes.write(votes_text([votes]))
            self._votes.flush()
        self._log.write(line.text() + "\n")
        self._log.flush()


def put_in_order(log: Path, indices: Sequence[int]) -> None:
    """Write a finished log and its votes anew in the order of ``indices``, each in one step, where they are in another.

    While images are certified, each is written as it is finished, so that a kill loses nothing that is finished; several
    workers finish out of order. Votes that a kill left twice are kept once: the later.
    """
    places = {index: place for place, index in enumerate(indices)}
    found = read_log(log).idx.tolist()
    wanted = sorted(found, key=lambda index: places.get(index, len(places)))
    if found != wanted:
        head, *lines = (line for line in log.read_text(encoding="utf-8").splitlines() if line.strip())
        texts = {int(line.split("\t", 1)[0]): line for line in lines}
        write_whole(log, "".join(f"{line}\n" for line in (head, *(texts[index] for index in wanted))))
    votes = read_image_votes(log)
    counted = [index for index in wanted if index in votes]
    if list(votes) != counted:
        write_whole(votes_path(log), votes_text(votes[index] for index in counted))


def _drop_votes_without_line(votes: Path, done: frozenset[int]) -> None:
    """Drop the votes of images that a kill parted from their log lines: they are certified again."""
    lines = votes.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = {line if idx is None else idx: line for line in lines if (idx := _index_of(line)) is None or idx in done}
    if len(kept) < len(lines):
        write_whole(votes, "".join(kept.values()))


def _index_of(line: str) -> Any:
    """The image's number; None where it is no such line, which whoever reads the file will name."""
    try:
        return json.loads(line)["idx"]
    except (ValueError, KeyError, TypeError):
        return None
