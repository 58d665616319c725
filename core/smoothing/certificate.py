"""What CERTIFY and PREDICT return."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ImageRecord:
    """The picture as the noise saw it: sha256 of its 8-bit RGB bytes, and its size in pixels."""

    sha256: str
    height: int
    width: int


@dataclass(frozen=True)
class ModelRecord:
    """A model as a certificate names it: its reference, and the commit or weights hash that fixes it."""

    ref: str
    revision: str | None


@dataclass(frozen=True)
class GrowthPoint:
    """The state after some of the n samples: the anytime lower bound, the radius it certifies, and the ceiling then."""

    samples: int
    p_lower: float
    radius: float
    ceiling: float


@dataclass(frozen=True)
class _Sampled:
    """What a run of either kind records."""

    prediction: int | None
    label: str | None
    abstained: bool
    counts: tuple[int, ...]
    n: int
    alpha: float
    sigma: float
    seed: int
    stopped: bool
    image: ImageRecord
    classifier: ModelRecord
    denoiser: ModelRecord
    labels: tuple[str, ...] | None
    device: str
    seconds: float
    samples_per_second: float
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The document that ``--json`` prints: units are [0, 1] pixels and seconds."""
        document = asdict(self)
        index, label = document.pop("prediction"), document.pop("label")
        head = {"prediction": None if index is None else {"index": index, "label": label}}
        document["counts"] = list(self.counts)
        document["labels"] = None if self.labels is None else list(self.labels)
        return head | document


@dataclass(frozen=True)
class Certificate(_Sampled):
    """The result of CERTIFY for one picture.

    With probability at least ``1 - failure_probability`` over the noise: if ``prediction`` is a class, the smoothed
    classifier returns it for every picture within ``radius`` of this one in the l2 norm, pixels in [0, 1].

    Attributes:
        prediction: index of the certified class, or None where it abstains.
        candidate: the class that n0 samples chose; the one that was counted.
        radius: certified l2 radius; 0 where it abstains.
        radius_ceiling: the greatest radius that ``n`` samples at this alpha can show.
        p_lower: lower bound on the probability of ``candidate`` under noise.
        counts: votes of the n samples, one entry a class.
        n: samples counted (fewer than ``n_planned`` where the run was stopped).
        method: ``clopper-pearson`` or ``anytime``.
        failure_probability: alpha; twice alpha where a run planned with a fixed n was stopped and fell back on the anytime
            bound, since either bound may then have been the one reported.
        stopped: whether it was stopped before ``n_planned``.
    """

    candidate: int | None
    radius: float
    radius_ceiling: float
    p_lower: float
    n0: int
    n_planned: int
    norm: str
    noise: str
    method: str
    failure_probability: float


@dataclass(frozen=True)
class Prediction(_Sampled):
    """The result of PREDICT for one picture.

    With probability at least ``1 - alpha`` over the noise, ``prediction`` is the smoothed classifier's class, or None.

    Attributes:
        p_value: of the two-sided binomial test that the two largest counts are equally likely.
    """

    p_value: float
