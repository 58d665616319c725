"""Lines of a comparison of modes: the votes of every run, from which all that is said can be computed again. Without torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.evaluation.log import read_json_lines

FLOAT, SOUND, ROUNDED = "float", "sound", "rounded"
"""Gaussian noise in floats; exact noise on the grid of grey levels; the float noise again, rounded to the grid."""


@dataclass(frozen=True)
class VotesOf:
    """One run of a fixed n.

    Attributes:
        candidate: the class that n0 samples chose.
        counts: votes of the n samples, one entry a class.
        seconds, processor_seconds: what the run took, all included: of the clock, and of the processors at work for it.
    """

    candidate: int | None
    counts: tuple[int, ...]
    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Settling:
    """One run until a radius is settled.

    Attributes:
        radius: in l2.
        settled: ``reached``, ``out of reach``, or None where the samples did not suffice.
        samples: taken, those that chose the class not counted.
        seconds, processor_seconds: as of :class:`VotesOf`.
    """

    radius: float
    settled: str | None
    samples: int
    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class ModesLine:
    """One picture of a data set, certified in every mode.

    Attributes:
        idx, label: its number and true class.
        height, width: its size in pixels; the radius in linf depends on it.
        runs: by name: ``float``, ``sound``, ``rounded``, and noises beside the Gaussian.
        until: the radii that were settled.
    """

    idx: int
    label: int
    height: int
    width: int
    runs: dict[str, VotesOf]
    until: tuple[Settling, ...]

    def text(self) -> str:
        """The line as it stands in the file, without its end."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> ModesLine:
        """Undo :meth:`text`. Raises KeyError, TypeError, AttributeError or ValueError where it is no such document."""
        runs = {name: VotesOf(**(run | {"counts": tuple(run["counts"])})) for name, run in raw["runs"].items()}
        for name in (FLOAT, SOUND, ROUNDED):
            if sum(runs[name].counts) != sum(runs[FLOAT].counts):
                raise ValueError(f"the runs have different numbers of votes: {name}")
        return cls(**(raw | {"runs": runs, "until": tuple(Settling(**one) for one in raw["until"])}))


def read_modes(path: Path) -> list[ModesLine]:
    """Read a file of such lines.

    Raises:
        LabError: where it cannot be read, or holds a picture twice; it names the line.
    """
    lines: dict[int, ModesLine] = {}
    for number, line in read_json_lines(path, ModesLine.from_dict, wrong=", is no line of a comparison of modes: {line!r}"):
        if line.idx in lines:
            raise LabError(f"{path.name}, line {number}, holds picture {line.idx} again: two runs wrote to it; begin another.")
        lines[line.idx] = line
    return list(lines.values())
