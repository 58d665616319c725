"""The field's log of certified images: tab-separated, one line an image (Cohen et al. 2019 and all who followed).

Its one reader, and that of the votes behind each line, which lie beside it: what another alpha, bound or n would make of them
can be computed. A log may have thousands of lines, which are compared at once, so they are read into columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import LONGEST_FILE, LabError, one_line
from core.smoothing.certificate import Certificate

HEADER = ("idx", "label", "predict", "radius", "correct", "time")
NO_VOTES = " does not hold the votes of an image ({error})"
ABSTAINED = -1
UNNAMED = -2
"""What ``predict`` says where a vision API's label was certified that the data set has no class for."""

MOST_BYTES = 64 * 2**20
MOST_LINES = 1_000_000
"""A log is at most so large; ImageNet's 50,000 test images take 2 MB."""

_CLOCK = re.compile(r"(?:(\d+) days?, )?(\d+(?::\d+)*(?:\.\d*)?)")


T = TypeVar("T")


@dataclass(frozen=True)
class LogLine:
    """One image: its number, true label, predicted class (-1 where it abstained), radius, whether it was right, seconds.

    The format names no norm: in the field's logs it is l2; beside ours stands a .json that says.
    """

    idx: int
    label: int
    predict: int
    radius: float
    correct: bool
    seconds: float

    def text(self) -> str:
        """The line as it stands in the file, without its end."""
        radius = repr(float(self.radius)).removesuffix(".0")
        return f"{self.idx}\t{self.label}\t{self.predict}\t{radius}\t{int(self.correct)}\t{self.seconds:.3f}"


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of each image of a log: its lines as columns, one entry an image, all of length N.

    ``predict`` is -1 where it abstained, and ``radius``, in [0, 1] pixel units, 0 then. ``growing``: images that are to come
    are missing, so that whoever looks may have chosen the moment.
    """

    idx: NDArray[np.int64]
    label: NDArray[np.int64]
    predict: NDArray[np.int64]
    radius: NDArray[np.float64]
    right: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    growing: bool = field(default=False, kw_only=True)

    def __len__(self) -> int:
        return len(self.idx)

    @property
    def abstained(self) -> NDArray[np.bool_]:
        """(N,) where nothing was predicted."""
        return self.predict == ABSTAINED

    def columns(self) -> tuple[NDArray[Any], ...]:
        """The six of them, in the order of the file."""
        return self.idx, self.label, self.predict, self.radius, self.right, self.seconds

    def where(self, keep: NDArray[Any]) -> Outcomes:
        """Those images at which ``keep``, truth values or places, says so."""
        return Outcomes(*(column[keep] for column in self.columns()), growing=self.growing)

    def lines(self) -> list[LogLine]:
        """Line by line."""
        return [LogLine(*row) for row in zip(*(column.tolist() for column in self.columns()), strict=True)]

    @classmethod
    def of(cls, lines: Sequence[LogLine], *, growing: bool = False) -> Outcomes:
        """From lines that were read already."""
        rows = [(o.idx, o.label, o.predict, o.radius, o.correct, o.seconds) for o in lines]
        return replace(cls.of_rows(rows), growing=growing)

    @classmethod
    def of_rows(cls, rows: Sequence[tuple[int, int, int, float, bool, float]]) -> Outcomes:
        """From the numbers of each line, in the order of the file."""
        columns = list(zip(*rows, strict=True)) or [()] * len(HEADER)
        kinds = (np.int64, np.int64, np.int64, np.float64, np.bool_, np.float64)
        return cls(*(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))


def log_text(lines: Iterable[LogLine] = ()) -> str:
    """The whole file, header first."""
    return "\t".join(HEADER) + "\n" + "".join(f"{line.text()}\n" for line in lines)


def read_log(path: Path) -> Outcomes:
    """Read a log; :func:`core.evaluation.recorded.read_recorded` reads what lies beside it, too, and has remarks."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise LabError(f"The log {str(path)!r} cannot be read: {error.strerror or error}.") from error
    return parse_log(text, path.name)[0]


def parse_log(text: bytes, name: str) -> tuple[Outcomes, tuple[str, ...]]:
    """The images of a log, with or without a byte-order mark, that may still be written to; and remarks, a sentence each.

    A last line without its end is what a kill, or a writer at work, leaves behind: it is left out, and a remark says so. Raises
    LabError where the file is too large, the first line is another than the header, a line is not what it should be, or an
    image is there twice; it names the line.
    """
    name = one_line(name, LONGEST_FILE)
    if len(text) > MOST_BYTES:
        raise LabError(f"{name} has {len(text) / 2**20:.0f} MiB: a log of at most {MOST_BYTES // 2**20} MiB is read.")
    try:
        lines = text.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise LabError(
            f"{name} is no text (byte {error.start:,} is no UTF-8): expected a log of tab-separated lines."
        ) from error
    _check_header(lines[0].rstrip("\r"), name)
    remarks = []
    if lines[-1].strip() and len(lines) > 1:
        remarks.append(
            f"{name}: the last line has no end ({lines[-1][:60]!r}) and was left out; an evaluation that is under way, or was"
            " killed, leaves such a line."
        )
    numbered = [(number, line.rstrip("\r")) for number, line in enumerate(lines[1:-1], 2) if line.strip()]
    if len(numbered) > MOST_LINES:
        raise LabError(f"{name} has {len(numbered):,} lines: at most {MOST_LINES:,} are read.")
    outcomes = _parsed(numbered, name)
    _check(outcomes, [number for number, _ in numbered], name)
    return outcomes, tuple(remarks)


def _check_header(line: str, name: str) -> None:
    if tuple(line.split("\t")) == HEADER:
        return
    found = line if len(line) <= 60 else f"{line[:60]}…"
    raise LabError(
        f"{name} is no certification log: its first line should be '{' '.join(HEADER)}', with tabs between, and is {found!r}."
    )


def _parsed(numbered: Sequence[tuple[int, str]], name: str) -> Outcomes:
    """All lines at once; where that fails, the first wrong line is looked for and named."""
    rows = [line.split("\t") for _, line in numbered]
    if any(len(row) != len(HEADER) for row in rows):
        raise _first_mistake(numbered, name)
    try:
        return Outcomes.of_rows([(int(i), int(y), int(p), float(r), bool(int(c)), _seconds(t)) for i, y, p, r, c, t in rows])
    except (ValueError, OverflowError) as error:
        raise _first_mistake(numbered, name) from error


def _seconds(text: str) -> float:
    """Seconds, or a clock as many published logs have it.

    >>> _seconds("2.5"), _seconds("0:01:02.5"), _seconds("1 day, 0:00:03")
    (2.5, 62.5, 86403.0)
    """
    if ":" not in text:
        return float(text)
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    seconds = 0.0
    for part in found[2].split(":"):
        seconds = 60 * seconds + float(part)
    return 86_400 * int(found[1] or 0) + seconds


def _first_mistake(numbered: Sequence[tuple[int, str]], name: str) -> LabError:
    kinds: tuple[Callable[[str], float], ...] = (int, int, int, float, int, _seconds)
    for number, line in numbered:
        where = f"{name}, line {number}"
        parts = line.split("\t")
        if tuple(parts) == HEADER:
            return LabError(f"{where} is the header once more: several logs seem to be joined; give each as a file of its own.")
        if len(parts) != len(HEADER):
            return LabError(f"{where} has {len(parts)} columns: expected {len(HEADER)} ({' '.join(HEADER)}): {line[:60]!r}.")
        for column, part, kind in zip(HEADER, parts, kinds, strict=True):
            try:
                value = float(kind(part))
            except (ValueError, OverflowError):
                value = float("inf")
            if abs(value) >= 2**62:
                return LabError(f"{where}: {column} is {part[:40]!r}: expected a number.")
    return LabError(f"{name} cannot be read as a certification log.")


def _check(o: Outcomes, numbers: Sequence[int], name: str) -> None:
    mistakes: tuple[tuple[NDArray[np.bool_], Callable[[int], str]], ...] = (
        (
            ~np.isfinite(o.radius) | (o.radius < 0),
            lambda i: f"has radius {o.radius[i]:g}: expected a finite number of at least 0",
        ),
        (o.predict < UNNAMED, lambda i: f"has predict {o.predict[i]}: expected a class, or -1 where it abstained"),
        (o.abstained & o.right, lambda i: "says that an abstention (predict -1) is correct: an abstention counts as wrong"),
        (o.abstained & (o.radius > 0), lambda i: f"abstains (predict -1) with radius {o.radius[i]:g}: expected 0"),
    )
    for wrong, told in mistakes:
        if wrong.any():
            place = int(np.flatnonzero(wrong)[0])
            raise LabError(f"{name}, line {numbers[place]} {told(place)}.")
    order = np.argsort(o.idx, kind="stable")
    twice = np.flatnonzero(np.diff(o.idx[order]) == 0)
    if len(twice):
        one, other = (numbers[int(order[twice[0] + step])] for step in (0, 1))
        more = f", and {len(twice) - 1} more such lines" if len(twice) > 1 else ""
        raise LabError(
            f"{name} has image {o.idx[order[twice[0]]]} twice, in lines {one} and {other}{more}: each image counts once,"
            " so remove one of them."
        )


@dataclass(frozen=True)
class ImageVotes:
    """How the noisy copies of one image were classified: as its :class:`core.smoothing.certificate.Certificate` says.

    ``counts`` has the votes of the n samples by class; classes without any are left out.
    """

    idx: int
    candidate: int | None
    counts: dict[int, int]
    n: int
    p_lower: float
    settled: str | None = None

    @classmethod
    def of(cls, idx: int, c: Certificate) -> ImageVotes:
        """The votes of a certificate."""
        counts = {label: count for label, count in enumerate(c.counts) if count}
        return cls(idx=idx, candidate=c.candidate, counts=counts, n=c.n, p_lower=c.p_lower, settled=c.settled)

    def to_dict(self) -> dict[str, Any]:
        """The document of one line of the file; JSON has names only, so classes become text."""
        own = {name: value for name, value in vars(self).items() if name != "counts"}
        return own | {"counts": {str(label): count for label, count in self.counts.items()}}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> ImageVotes:
        """Undo :meth:`to_dict`. Raises KeyError, TypeError or ValueError where it is no such document."""
        counts = {int(label): int(count) for label, count in document["counts"].items()}
        idx, n, candidate = int(document["idx"]), int(document["n"]), document["candidate"]
        if n < 0 or min(counts.values(), default=0) < 0 or sum(counts.values()) != n:
            raise ValueError(f"{sum(counts.values())} votes, but n is {n}")
        chosen = None if candidate is None else int(candidate)
        return cls(idx, chosen, counts, n=n, p_lower=float(document["p_lower"]), settled=document["settled"])


def votes_path(log: Path) -> Path:
    """Where the votes of a log lie."""
    return log.with_suffix(".votes.jsonl")


def read_image_votes(log: Path) -> dict[int, ImageVotes]:
    """The votes beside a log; empty where none were kept, as with logs from elsewhere."""
    path = votes_path(log)
    try:
        return parse_votes(path.read_bytes(), path.name)[0] if path.exists() else {}
    except OSError as error:
        raise LabError(f"The votes {str(path)!r} cannot be read: {error}.") from error


def parse_votes(text: bytes, name: str) -> tuple[dict[int, ImageVotes], tuple[str, ...]]:
    """The votes behind a log, by image number, and remarks for the user.

    An image that a kill parted from its log line was certified again; its later votes are those of the log. A last line
    without its end is left out, and remarked on. Raises LabError, which names the line that holds no votes of an image.
    """
    *lines, torn = text.split(b"\n")
    found = {votes.idx: votes for _, votes in parse_json_lines(lines, name, ImageVotes.from_dict, wrong=NO_VOTES)}
    return found, (f"{one_line(name, LONGEST_FILE)}: the last line has no end and was left out.",) if torn.strip() else ()


def parse_json_lines(
    lines: Iterable[str | bytes], name: str, parse: Callable[[Any], T], *, wrong: str
) -> Iterator[tuple[int, T]]:
    """What each line of JSON holds, and its number; blank lines are passed over.

    ``parse`` raises KeyError, TypeError, ValueError or AttributeError where a document is none of its kind; a LabError then
    names the file and the line, and ends with ``wrong``, ``{error}`` and ``{line}`` filled in.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, parse(json.loads(line))
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
                raise LabError(f"{name}, line {number}{wrong.format(error=error, line=line[:80])}.") from error


def read_json_lines(path: Path, parse: Callable[[Any], T], *, wrong: str, what: str = "") -> list[tuple[int, T]]:
    """The same of a file, whose path comes after ``what`` where it cannot be read."""
    try:
        return list(parse_json_lines(path.read_text(encoding="utf-8").splitlines(), path.name, parse, wrong=wrong))
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{what}{str(path)!r} cannot be read: {error}.") from error


def votes_text(votes: Iterable[ImageVotes]) -> str:
    """The whole file, one line an image."""
    return "".join(json.dumps(one.to_dict()) + "\n" for one in votes)
