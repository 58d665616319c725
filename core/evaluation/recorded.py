"""An evaluation as its files tell it: the log, what it was made with, and the votes behind it. Needs no torch."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from core.errors import LONGEST_FILE, LabError, one_line
from core.evaluation.log import ImageVotes, LogLine, Outcomes, log_text, parse_log, parse_votes, votes_path, votes_text
from core.folders import EVALUATIONS, made_once
from core.models.labels import CIFAR10_LABELS
from core.smoothing.bounds import METHODS, UNIFORM, lower_bound
from core.smoothing.radius import OWN_NORM, own_radius

if TYPE_CHECKING:
    from core.data.datasets import LabelledImages

_SIGMA_IN_NAME = re.compile(r"sigma[_=-]?(\d+(?:\.\d+)?|\.\d+)", re.IGNORECASE)
_ROUNDED = 0.005
"""Relative: published logs have three digits."""


@dataclass(frozen=True)
class MadeBy:
    """The settings of an evaluation; None where they are not known.

    Attributes:
        n0, n, alpha, method: of CERTIFY. Where ``stops_early``, n is the most that an image may take; where several
            certificates of an image share alpha, it is the part of each.
        images: how many were to be certified.
        noise, norm: of the radii; the field's logs are Gaussian and l2.
        two_sided, stops_early: whether the runner-up was bounded, too; whether sampling ended once a question was settled.
        document: the whole side file; None where there is none.
    """

    sigma: float | None = None
    n0: int | None = None
    n: int | None = None
    alpha: float | None = None
    method: str = "clopper-pearson"
    mixture: float = UNIFORM
    noise: str = "gaussian"
    norm: str = "l2"
    two_sided: bool = False
    stops_early: bool = False
    images: int | None = None
    classifier: str | None = None
    denoiser: str | None = None
    dataset: str | None = None
    split: str | None = None
    device: str | None = None
    document: dict[str, Any] | None = None

    @property
    def samples(self) -> int | None:
        """Noisy copies an image takes at most."""
        return None if self.n is None else self.n + (self.n0 or 0)

    @property
    def ceiling(self) -> float | None:
        """The largest radius that these numbers can give, were every vote the same; None where they do not say.

        A two-sided bound, or stopping early, gives no more.
        """
        if self.sigma is None or self.n is None or self.alpha is None:
            return None
        if self.norm != OWN_NORM.get(self.noise) or self.method not in METHODS:
            return None
        most = lower_bound(self.n, self.n, self.alpha, self.method, mixture=self.mixture, uniform=0.0)
        return own_radius(self.noise, most, None, self.sigma)

    def allows(self, radius: float) -> bool:
        """Whether a radius, which may be rounded to three digits, is within the ceiling."""
        return self.ceiling is None or radius <= self.ceiling * (1 + _ROUNDED)


@dataclass(frozen=True, eq=False)
class RecordedEvaluation:
    """A log that was read and checked.

    ``name`` is the file's, without its ending; ``votes`` are empty where none were kept; ``remarks`` are what the user should
    know, a sentence each.
    """

    name: str
    outcomes: Outcomes
    made_by: MadeBy
    votes: dict[int, ImageVotes]
    remarks: tuple[str, ...]


def read_recorded(path: Path) -> RecordedEvaluation:
    """Read a log and what lies beside it; raises LabError where a file cannot be read or they contradict each other."""
    try:
        log = path.read_bytes()
        side, votes = (file.read_bytes() if file.exists() else None for file in (path.with_suffix(".json"), votes_path(path)))
    except OSError as error:
        raise LabError(f"The log {str(path)!r} cannot be read: {error.strerror or error}.") from error
    return recorded_from(path.name, log, side, votes)


def recorded_from(name: str, log: bytes, side: bytes | None = None, votes: bytes | None = None) -> RecordedEvaluation:
    """The same from the contents of the files; without a ``side``, sigma is taken from the name where it is there."""
    name = one_line(name, LONGEST_FILE)
    stem = Path(name).stem
    outcomes, remarks = parse_log(log, name)
    if not len(outcomes):
        raise LabError(f"{name} has no images yet: expected a line for each below the header.")
    made_by = _made_by_name(name) if side is None else _read_side(side, f"{stem}.json")
    _check_ceiling(outcomes, made_by, name)
    counted, more = parse_votes(votes or b"", f"{stem}.votes.jsonl")
    remarks += more
    differing = int((outcomes.right & (outcomes.predict != outcomes.label)).sum())
    if differing:
        remarks += (
            f"{name}: {differing} lines count as correct though predict and label differ; the column 'correct' is believed.",
        )
    outcomes = replace(outcomes, growing=made_by.images is not None and len(outcomes) < made_by.images)
    return RecordedEvaluation(name=stem, outcomes=outcomes, made_by=made_by, votes=counted, remarks=remarks)


def read_stored(path: Path) -> RecordedEvaluation:
    """As :func:`read_recorded`; read once for as long as none of the files changes."""
    files = (path, path.with_suffix(".json"), votes_path(path))
    return _read_once(path, *(file.stat().st_mtime if file.exists() else 0.0 for file in files))


@made_once(64)
def _read_once(path: Path, *modified: float) -> RecordedEvaluation:
    return read_recorded(path)


def stored_evaluations(classifier: str = "bundled/cifar10", folder: Path = EVALUATIONS) -> tuple[RecordedEvaluation, ...]:
    """Those that come with the Lab, of one classifier and in l2, by denoiser and then by sigma; none without its settings."""
    logs = [read_stored(path) for path in sorted(folder.glob("*.tsv")) if path.with_suffix(".json").exists()]
    found = [log for log in logs if log.made_by.classifier == classifier and log.made_by.sigma and log.made_by.norm == "l2"]
    return tuple(sorted(found, key=lambda log: (log.made_by.denoiser or "", log.made_by.sigma or 0.0)))


def _check_ceiling(outcomes: Outcomes, made_by: MadeBy, name: str) -> None:
    highest = int(np.argmax(outcomes.radius))
    if not made_by.allows(float(outcomes.radius[highest])):
        raise LabError(
            f"{name} has a radius of {outcomes.radius[highest]:g} (image {outcomes.idx[highest]}), but n = {made_by.n:,} at"
            f" alpha {made_by.alpha:g} and sigma {made_by.sigma:g} can give no more than {made_by.ceiling:.4g}: lines of"
            " another sigma or n are mixed in, or the file beside the log belongs to another."
        )


def _made_by_name(name: str) -> MadeBy:
    """What the name of a log without a side file gives away.

    >>> _made_by_name("cifar10_resnet110_noise_0.25_test_sigma_0.25.tsv").sigma
    0.25
    """
    found = _SIGMA_IN_NAME.search(name)
    sigma = float(found[1].rstrip(".")) if found else 0.0
    return MadeBy(sigma=sigma) if sigma > 0 else MadeBy()


def _read_side(text: bytes, name: str) -> MadeBy:
    """Read the file beside a log. Raises LabError where it is no JSON object, or a value is impossible."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LabError(f"{name}, which says how its log was made, is no JSON ({error}).") from error
    if not isinstance(document, dict):
        raise LabError(f"{name} should hold a JSON object that says how its log was made, and holds another value.")
    sigma = document.get("sigma")
    if isinstance(sigma, list) and len(sigma) > 1:
        raise LabError(
            f"{name} says that its log has several sigmas ({', '.join(map(str, sigma))}): a log is of one; split it by sigma."
        )
    noise, norm = str(document.get("noise", "gaussian")), str(document.get("norm") or "")
    if noise not in OWN_NORM:
        raise LabError(f"{name} names the noise {noise!r}: expected one of {', '.join(OWN_NORM)}.")
    alpha, tries = _number(document, "alpha", name, below=1.0), _whole(document, "tries", name) or 1
    return MadeBy(
        sigma=_number(document, "sigma", name),
        n0=_whole(document, "n0", name),
        n=_whole(document, "n", name),
        alpha=None if alpha is None else alpha / tries,
        method=str(document.get("method", "clopper-pearson")),
        mixture=_number(document, "mixture", name) or UNIFORM,
        noise=noise,
        norm=norm or "l2",
        two_sided=bool(document.get("two_sided", False)),
        stops_early=any(document.get(key) is not None for key in ("until_radius", "within", "table_radii")),
        images=_whole(document, "images", name),
        classifier=_reference(document.get("classifier")),
        denoiser=_reference(document.get("denoiser")),
        dataset=_text(document.get("dataset")),
        split=_text(document.get("split")),
        device=_text(document.get("device")),
        document=document,
    )


def _number(document: dict[str, Any], key: str, name: str, below: float = math.inf) -> float | None:
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < below:
        expected = "a number above 0" if below == math.inf else f"a number between 0 and {below:g}"
        raise LabError(f"{name} says {key} is {value!r}: expected {expected}.")
    return float(value)


def _whole(document: dict[str, Any], key: str, name: str) -> int | None:
    value = _number(document, key, name)
    if value is not None and value != int(value):
        raise LabError(f"{name} says {key} is {value!r}: expected a whole number.")
    return None if value is None else int(value)


def _reference(record: Any) -> str | None:
    return _text(record.get("ref")) if isinstance(record, dict) else _text(record)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def evaluation_files(
    stem: str, lines: Iterable[LogLine], document: Mapping[str, Any] | None, votes: Iterable[ImageVotes]
) -> dict[str, bytes]:
    """An evaluation as the files that :func:`recorded_from` reads, by name: the log, what made it, and the votes if any."""
    side = json.dumps(document, indent=2) + "\n" if document else ""
    texts = {f"{stem}.tsv": log_text(lines), f"{stem}.json": side, f"{stem}.votes.jsonl": votes_text(votes)}
    return {name: text.encode() for name, text in texts.items() if text}


CIFAR10, SHAPES = "CIFAR-10", "shapes"


def dataset_of(log: RecordedEvaluation) -> str | None:
    """``CIFAR-10`` or ``shapes``, by what the side file says or else the log's name; None for any other.

    Only these are looked up, wherever they are here: a path that a visitor's file names is not read.
    """
    made = log.made_by
    if made.split not in (None, "test"):
        return None
    said = (made.dataset or log.name).lower()
    if made.dataset == SHAPES:
        return SHAPES
    return CIFAR10 if "cifar10" in said.replace("-", "") and "cifar100" not in said.replace("-", "") else None


def classes_of(dataset: str | None) -> tuple[str, ...] | None:
    """The names of its classes; None for any other. Imports torch for ``shapes``."""
    if dataset == SHAPES:
        from core.data.shapes import SHAPES_LABELS

        return SHAPES_LABELS
    return CIFAR10_LABELS if dataset == CIFAR10 else None


def pictures_at(dataset: str | None, numbers: Sequence[int]) -> dict[int, tuple[Image.Image, int]]:
    """Those of the test pictures with these numbers that are here, and the number of the class that the data set has for each;
    empty where the data set is not here. Nothing is downloaded. Imports torch."""
    from core.data.local import cifar10_folder

    folder = cifar10_folder() if dataset == CIFAR10 else None
    if dataset != SHAPES and folder is None:
        return {}
    data, places = _test_set(SHAPES if folder is None else f"parquet/{folder}")
    found = {}
    for number in filter(places.__contains__, numbers):
        picture = Image.fromarray(data.images[places[number]].permute(1, 2, 0).numpy())
        found[number] = picture, int(data.labels[places[number]])
    return found


@made_once(2)
def _test_set(reference: str) -> "tuple[LabelledImages, dict[int, int]]":
    """The test pictures, and where each stands by its own number; 30 MB of CIFAR-10 are kept."""
    from core.data.datasets import load_dataset

    data = load_dataset(reference, "test")
    return data, {number: place for place, number in enumerate(data.indices.tolist())}
