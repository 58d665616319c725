"""What became of each image of a log, as columns: thousands of lines are read and compared at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import LabError
from core.evaluation.log import HEADER, LogLine

ABSTAINED = -1
MOST_BYTES = 64 * 2**20
MOST_LINES = 1_000_000
"""A log is at most so large; ImageNet's 50,000 test images take 2 MB."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The lines of a log, one entry an image, all of length N.

    Attributes:
        idx: (N,) int64, the image's own number.
        label, predict: (N,) int64; predict is -1 where it abstained.
        radius: (N,) float64, in [0, 1] pixel units; 0 where it abstained.
        right: (N,) bool.
        seconds: (N,) float64.
    """

    idx: NDArray[np.int64]
    label: NDArray[np.int64]
    predict: NDArray[np.int64]
    radius: NDArray[np.float64]
    right: NDArray[np.bool_]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.idx)

    @property
    def abstained(self) -> NDArray[np.bool_]:
        """(N,) where nothing was predicted."""
        return self.predict == ABSTAINED

    def where(self, keep: NDArray[Any]) -> Outcomes:
        """Those images at which ``keep``, truth values or places, says so."""
        return Outcomes(
            self.idx[keep], self.label[keep], self.predict[keep], self.radius[keep], self.right[keep], self.seconds[keep]
        )

    @classmethod
    def of(cls, lines: Sequence[LogLine]) -> Outcomes:
        """From lines that were read already."""
        return cls(
            np.array([line.idx for line in lines], dtype=np.int64),
            np.array([line.label for line in lines], dtype=np.int64),
            np.array([line.predict for line in lines], dtype=np.int64),
            np.array([line.radius for line in lines], dtype=np.float64),
            np.array([line.correct for line in lines], dtype=np.bool_),
            np.array([line.seconds for line in lines], dtype=np.float64),
        )


def read_outcomes(text: bytes, name: str) -> tuple[Outcomes, tuple[str, ...]]:
    """Read a log that may still be written to.

    A last line without its end is what a kill, or a writer at work, leaves behind: it is left out, and a remark says so.

    Args:
        text: the file.
        name: of the file, for messages.

    Returns:
        the images, and remarks for the user, a sentence each.

    Raises:
        LabError: where the file is too large, the first line is another than the header, a line is not what it should be, an
            image is there twice, or none is there; it names the line.
    """
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
    if not numbered:
        raise LabError(f"{name} has no images yet: expected a line for each below the header.")
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
    idx, label, predict, radius, correct, seconds = zip(*rows, strict=True)
    try:
        return Outcomes(
            np.array([int(text) for text in idx], dtype=np.int64),
            np.array([int(text) for text in label], dtype=np.int64),
            np.array([int(text) for text in predict], dtype=np.int64),
            np.array([float(text) for text in radius], dtype=np.float64),
            np.array([bool(int(text)) for text in correct], dtype=np.bool_),
            _seconds(seconds),
        )
    except (ValueError, OverflowError) as error:
        raise _first_mistake(numbered, name) from error


def _seconds(column: Sequence[str]) -> NDArray[np.float64]:
    """Seconds, or h:mm:ss as many published logs have it."""
    if not any(":" in text for text in column):
        return np.array([float(text) for text in column], dtype=np.float64)
    return np.array([_clock(text) for text in column], dtype=np.float64)


def _clock(text: str) -> float:
    seconds = 0.0
    for part in text.rpartition(" ")[2].split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def _first_mistake(numbered: Sequence[tuple[int, str]], name: str) -> LabError:
    for number, line in numbered:
        where = f"{name}, line {number}"
        if tuple(line.split("\t")) == HEADER:
            return LabError(f"{where} is the header once more: several logs seem to be joined; give each as a file of its own.")
        parts = line.split("\t")
        if len(parts) != len(HEADER):
            return LabError(f"{where} has {len(parts)} columns: expected {len(HEADER)} ({' '.join(HEADER)}): {line[:60]!r}.")
        kinds: tuple[Callable[[str], float], ...] = (int, int, int, float, int, _clock)
        for column, part, kind in zip(HEADER, parts, kinds, strict=True):
            try:
                value = float(kind(part))
            except ValueError:
                value = float("inf")
            if abs(value) >= 2**62:
                return LabError(f"{where}: {column} is {part[:40]!r}: expected a number.")
    return LabError(f"{name} cannot be read as a certification log.")


def _check(outcomes: Outcomes, numbers: Sequence[int], name: str) -> None:
    def first(wrong: NDArray[np.bool_]) -> tuple[int, str]:
        place = int(np.flatnonzero(wrong)[0])
        return place, f"{name}, line {numbers[place]}"

    wrong = ~np.isfinite(outcomes.radius) | (outcomes.radius < 0)
    if wrong.any():
        place, where = first(wrong)
        raise LabError(f"{where} has radius {outcomes.radius[place]:g}: expected a finite number of at least 0.")
    wrong = outcomes.predict < ABSTAINED
    if wrong.any():
        place, where = first(wrong)
        raise LabError(f"{where} has predict {outcomes.predict[place]}: expected a class, or -1 where it abstained.")
    wrong = outcomes.abstained & outcomes.right
    if wrong.any():
        place, where = first(wrong)
        raise LabError(f"{where} says that an abstention (predict -1) is correct: an abstention counts as wrong.")
    wrong = outcomes.abstained & (outcomes.radius > 0)
    if wrong.any():
        place, where = first(wrong)
        raise LabError(f"{where} abstains (predict -1) with radius {outcomes.radius[place]:g}: expected 0.")
    order = np.argsort(outcomes.idx, kind="stable")
    twice = np.flatnonzero(np.diff(outcomes.idx[order]) == 0)
    if len(twice):
        one, other = (numbers[int(order[twice[0] + step])] for step in (0, 1))
        more = f", and {len(twice) - 1} more such lines" if len(twice) > 1 else ""
        raise LabError(
            f"{name} has image {outcomes.idx[order[twice[0]]]} twice, in lines {one} and {other}{more}: each image counts once,"
            " so remove one of them."
        )
