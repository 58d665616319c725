"""The files of an evaluation: the field's log, the votes behind it, and what made both."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from core.evaluation.log import HEADER, LogLine, read_log
from core.evaluation.votes import Votes, votes_path
from core.runs.resuming import begin_or_resume, drop_torn_line, write_whole

_BEFORE_THERE_WAS_A_CHOICE = {
    "noise": "gaussian",
    "norm": "l2",
    "sound": False,
    "two_sided": False,
    "until_radius": None,
    "within": None,
    "table_radii": None,
}
"""What a log was made with whose side file does not say."""


class LogFiles:
    """Writes an evaluation, each image on disk before the next begins; opened with ``with``.

    Args:
        path: of the log; what made it goes to the same name with .json, the votes to .votes.jsonl.
        made_by: every parameter that decides a line.
        resume: go on with the log that is there.

    Attributes:
        done: the images that an earlier run finished.

    Raises:
        LabError: where the log exists and is not to be resumed, or was made with other parameters, which are named.
    """

    def __init__(self, path: Path, made_by: dict[str, Any], resume: bool) -> None:
        self._path = path
        there = begin_or_resume(
            path,
            path.with_suffix(".json"),
            made_by,
            resume=resume,
            head="\t".join(HEADER) + "\n",
            before=_BEFORE_THERE_WAS_A_CHOICE,
        )
        self.done = frozenset(line.idx for line in read_log(path)) if there else frozenset()
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

    def add(self, line: LogLine, votes: Votes | None = None) -> None:
        """Write an image; the votes first, so that a line in the log has its votes."""
        if votes is not None:
            if self._votes is None:
                self._votes = votes_path(self._path).open("a", encoding="utf-8")
            self._votes.write(json.dumps(votes.to_dict()) + "\n")
            self._votes.flush()
        self._log.write(line.text() + "\n")
        self._log.flush()


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
