"""The evaluations that come with the Lab: pictures of a test set certified beforehand, one log a sigma and denoiser."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.evaluation.log import LogLine, read_log
from core.folders import EVALUATIONS


@dataclass(frozen=True)
class StoredEvaluation:
    """A log and the numbers it was made with.

    Attributes:
        name: of the file, without its ending.
        dataset: reference of the data set, and ``split`` of it.
        sigma: of the noise, and ``n`` samples counted a picture at ``alpha``.
        lines: one a picture.
    """

    name: str
    classifier: str
    denoiser: str
    dataset: str
    split: str
    sigma: float
    n: int
    alpha: float
    lines: tuple[LogLine, ...]

    def certified(self, radius: float) -> float:
        """Share of the pictures that are right with at least this radius; one that abstained counts as wrong."""
        return sum(line.correct and line.predict >= 0 and line.radius >= radius for line in self.lines) / len(self.lines)


def stored_evaluations(classifier: str = "bundled/cifar10", folder: Path = EVALUATIONS) -> tuple[StoredEvaluation, ...]:
    """Those of one classifier, by denoiser and then by sigma. A log without its settings beside it is left out.

    Raises:
        LabError: where a log cannot be read.
    """
    logs = sorted(path for path in folder.glob("*.tsv") if path.with_suffix(".json").exists())
    read = [_read(path, path.stat().st_mtime, path.with_suffix(".json").stat().st_mtime) for path in logs]
    found = [e for e in read if e is not None and e.classifier == classifier and e.lines]
    return tuple(sorted(found, key=lambda e: (e.denoiser, e.sigma)))


@lru_cache(maxsize=64)
def _read(path: Path, modified: float, settings_modified: float) -> StoredEvaluation | None:
    settings = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    if not isinstance(settings.get("sigma"), int | float) or settings.get("norm", "l2") != "l2":
        return None
    return StoredEvaluation(
        path.stem,
        settings["classifier"]["ref"],
        settings["denoiser"]["ref"],
        settings["dataset"],
        settings["split"],
        float(settings["sigma"]),
        int(settings["n"]),
        float(settings["alpha"]),
        tuple(read_log(path)),
    )
