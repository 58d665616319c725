"""The votes behind each line of a log, kept beside it: what another alpha, bound or n would make of them can be computed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.smoothing.certificate import Certificate


@dataclass(frozen=True)
class ImageVotes:
    """How the noisy copies of one image were classified.

    Attributes:
        idx: the image's number, as in the log.
        candidate: the class that the first n0 samples chose.
        counts: votes of the n samples, by class; classes without any are left out.
        n: samples counted; fewer than planned where the question was settled before.
        p_lower: the lower bound on the candidate's probability that was reported.
        settled: as in :class:`core.smoothing.certificate.Certificate`.
    """

    idx: int
    candidate: int | None
    counts: dict[int, int]
    n: int
    p_lower: float
    settled: str | None = None

    @classmethod
    def of(cls, idx: int, certificate: Certificate) -> ImageVotes:
        """The votes of a certificate."""
        counts = {label: count for label, count in enumerate(certificate.counts) if count}
        c = certificate
        return cls(idx=idx, candidate=c.candidate, counts=counts, n=c.n, p_lower=c.p_lower, settled=c.settled)

    def to_dict(self) -> dict[str, Any]:
        """The document of one line of the file; JSON has names only, so classes become text."""
        return {
            "idx": self.idx,
            "candidate": self.candidate,
            "n": self.n,
            "p_lower": self.p_lower,
            "settled": self.settled,
            "counts": {str(label): count for label, count in self.counts.items()},
        }

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> ImageVotes:
        """Undo :meth:`to_dict`. Raises KeyError, TypeError or ValueError where it is no such document."""
        counts = {int(label): int(count) for label, count in document["counts"].items()}
        candidate = document["candidate"]
        votes = cls(
            idx=int(document["idx"]),
            candidate=None if candidate is None else int(candidate),
            counts=counts,
            n=int(document["n"]),
            p_lower=float(document["p_lower"]),
            settled=document["settled"],
        )
        if votes.n < 0 or min(counts.values(), default=0) < 0 or sum(counts.values()) != votes.n:
            raise ValueError(f"{sum(counts.values())} votes, but n is {votes.n}")
        return votes


def votes_path(log: Path) -> Path:
    """Where the votes of a log lie."""
    return log.with_suffix(".votes.jsonl")


def read_image_votes(log: Path) -> dict[int, ImageVotes]:
    """The votes beside a log; empty where none were kept, as with logs from elsewhere.

    Raises:
        LabError: as :func:`parse_votes`, and where the file cannot be read.
    """
    path = votes_path(log)
    try:
        return parse_votes(path.read_bytes(), path.name)[0] if path.exists() else {}
    except OSError as error:
        raise LabError(f"The votes {str(path)!r} cannot be read: {error}.") from error


def parse_votes(text: bytes, name: str) -> tuple[dict[int, ImageVotes], tuple[str, ...]]:
    """The votes behind a log, by image number, and remarks for the user.

    An image that a kill parted from its log line was certified again; its later votes are those of the log. A last line
    without its end is left out, and remarked on.

    Raises:
        LabError: where a line does not hold the votes of an image; it names the line.
    """
    found = {}
    lines = text.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        if not line.strip():
            continue
        try:
            votes = ImageVotes.from_dict(json.loads(line))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LabError(f"{name}, line {number} does not hold the votes of an image ({error}).") from error
        found[votes.idx] = votes
    return found, (f"{name}: the last line has no end and was left out.",) if lines[-1].strip() else ()


def votes_text(votes: Iterable[ImageVotes]) -> str:
    """The whole file, one line an image."""
    return "".join(json.dumps(one.to_dict()) + "\n" for one in votes)
