"""An evaluation as its files tell it: the log, what made it, and the votes behind it. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import LabError
from core.evaluation.made_by import MadeBy, made_by_name, read_made_by
from core.evaluation.outcomes import Outcomes, read_outcomes
from core.evaluation.votes import Votes, votes_path


@dataclass(frozen=True, eq=False)
class RecordedEvaluation:
    """A log that was read and checked.

    Attributes:
        name: of the file, without its ending.
        outcomes: its images.
        made_by: how it was made, as far as that is known.
        votes: the votes behind each image; empty where none were kept.
        remarks: what the user should know, a sentence each.
        digest: SHA-256 of all its files, for caches.
    """

    name: str
    outcomes: Outcomes
    made_by: MadeBy
    votes: dict[int, Votes]
    remarks: tuple[str, ...]
    digest: str


def read_recorded(path: Path) -> RecordedEvaluation:
    """Read a log and what lies beside it.

    Raises:
        LabError: where one of the files cannot be read, or they contradict each other; it says which, and where.
    """
    try:
        log = path.read_bytes()
        side, votes = (file.read_bytes() if file.exists() else None for file in (path.with_suffix(".json"), votes_path(path)))
    except OSError as error:
        raise LabError(f"The log {str(path)!r} cannot be read: {error.strerror or error}.") from error
    return recorded_from(path.name, log, side, votes)


def recorded_from(name: str, log: bytes, side: bytes | None = None, votes: bytes | None = None) -> RecordedEvaluation:
    """The same from the contents of the files.

    Args:
        name: of the log, with its ending.
        log: the log itself.
        side: the JSON beside it; None takes sigma from the name where it is there.
        votes: the lines of votes beside it.

    Raises:
        LabError: as :func:`read_recorded`.
    """
    stem = Path(name).stem
    outcomes, remarks = read_outcomes(log, name)
    made_by = made_by_name(name) if side is None else read_made_by(side, f"{stem}.json")
    _check_ceiling(outcomes, made_by, name)
    kept, torn = ({}, False) if votes is None else _read_votes(votes, f"{stem}.votes.jsonl")
    if torn:
        remarks = (*remarks, f"{stem}.votes.jsonl: the last line has no end and was left out.")
    differing = int((outcomes.right & (outcomes.predict != outcomes.label)).sum())
    if differing:
        remarks = (
            *remarks,
            f"{name}: {differing} lines count as correct though predict and label differ; the column 'correct' is believed.",
        )
    digest = hashlib.sha256(b"\0".join((log, side or b"", votes or b"", name.encode()))).hexdigest()
    return RecordedEvaluation(stem, outcomes, made_by, kept, remarks, digest)


def _check_ceiling(outcomes: Outcomes, made_by: MadeBy, name: str) -> None:
    highest = int(np.argmax(outcomes.radius))
    if not made_by.allows(float(outcomes.radius[highest])):
        raise LabError(
            f"{name} has a radius of {outcomes.radius[highest]:g} (image {outcomes.idx[highest]}), but n = {made_by.n:,} at"
            f" alpha {made_by.alpha:g} and sigma {made_by.sigma:g} can give no more than {made_by.ceiling:.4g}: lines of"
            " another sigma or n are mixed in, or the file beside the log belongs to another."
        )


def _read_votes(text: bytes, name: str) -> tuple[dict[int, Votes], bool]:
    """The votes by image, the later where an image is there twice, and whether a torn last line was left out."""
    found: dict[int, Votes] = {}
    lines = text.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        if not line.strip():
            continue
        try:
            votes = Votes.from_dict(json.loads(line))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LabError(f"{name}, line {number} does not hold the votes of an image ({error}).") from error
        found[votes.idx] = votes
    return found, bool(lines[-1].strip())
