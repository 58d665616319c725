"""The field's log of certified images: tab-separated, one line an image (Cohen et al. 2019 and all who followed)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from core.errors import LabError

HEADER = ("idx", "label", "predict", "radius", "correct", "time")


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
        return f"{self.idx}\t{self.label}\t{self.predict}\t{self.radius:.6g}\t{int(self.correct)}\t{self.seconds:.3f}"


def read_log(path: Path) -> list[LogLine]:
    """Read a log.

    Raises:
        LabError: where it cannot be read, its header is another, or a line is not what it should be; it names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"The log {str(path)!r} cannot be read: {error}.") from error
    if not lines or tuple(lines[0].split("\t")) != HEADER:
        raise LabError(f"{str(path)!r} is no certification log: its first line should be {' '.join(HEADER)}, with tabs.")
    return [_parse(line, f"{path.name}, line {number}") for number, line in enumerate(lines[1:], 2) if line]


def _parse(line: str, where: str) -> LogLine:
    parts = line.split("\t")
    try:
        idx, label, predict, radius, correct, seconds = parts
        parsed = LogLine(int(idx), int(label), int(predict), float(radius), bool(int(correct)), _seconds(seconds))
    except ValueError as error:
        raise LabError(f"{where} is not a line of a certification log: {line[:80]!r}.") from error
    if not math.isfinite(parsed.radius) or parsed.radius < 0:
        raise LabError(f"{where} has radius {parts[3]}: expected a finite number of at least 0.")
    return parsed


def _seconds(text: str) -> float:
    """Seconds, or h:mm:ss as most published logs have it."""
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds
