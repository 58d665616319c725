"""The files of an evaluation while it is written: the field's log, the votes behind it, and what made both."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from core.evaluation.log import LogLine, log_text, read_log
from core.evaluation.votes import ImageVotes, read_votes, votes_path, votes_text
from core.runs.resuming import begin_or_resume, drop_torn_line, write_whole


class LogFiles:
    """Writes an evaluation, each image on disk before the next begins; opened with ``with``.

    Args:
        path: of the log; what made it goes to the same name with .json, the votes to .votes.jsonl.
        made_by: every parameter that decides a line.
        resume: go on with the log that is there.
        on_notice: told where versions have changed since it was begun.

    Attributes:
        done: the images that an earlier run finished.

    Raises:
        LabError: where the log exists and is not to be resumed, or was made with other parameters, which are named.
    """

    def __init__(self, path: Path, made_by: Mapping[str, Any], resume: bool, on_notice: Callable[[str], None]) -> None:
        self._path = path
        there = begin_or_resume(path, path.with_suffix(".json"), made_by, resume=resume, on_notice=on_notice, head=log_text())
        self.done = frozenset(read_log(path).idx.tolist()) if there else frozenset[int]()
        votes = votes_path(path)
        if there and votes.exists():
            drop_torn_line(votes)
            _drop_votes_without_line(votes, self.done)
        elif not there:
            votes.unlink(missing_ok=True)

    def __enter__(self) -> LogFiles:
        self._log: IO[str] = self._path.open("a", encoding="utf-8")
        self._votes: IO[str] | None = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._log.close()
        if self._votes is not None:
            self._votes.close()

    def add(self, line: LogLine, votes: ImageVotes | None = None) -> None:
        """Write an image; the votes first, so that a line in the log has its votes."""
        if votes is not None:
            if self._votes is None:
                self._votes = votes_path(self._path).open("a", encoding="utf-8")
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
        head, *lines = (line for line in log.read_text(encoding="utf-8").splitlines() if line)
        texts = {int(line.split("\t", 1)[0]): line for line in lines}
        write_whole(log, "".join(f"{line}\n" for line in (head, *(texts[index] for index in wanted))))
    votes = read_votes(log)
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
