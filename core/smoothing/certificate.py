"""What CERTIFY and PREDICT return, and how they name picture and models. Needs no torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from core.engines import EAGER, FLOAT32
from core.pictures.reading import ImageRecord
from core.smoothing.bounds import UNIFORM
from core.smoothing.settings import HALF, Settings, Terms

CERTIFICATE_SCHEMA = "denoised-smoothing-lab/certificate/1"
"""Names the form of the document that :meth:`Certificate.to_dict` makes, with its version: docs/certificate.schema.json."""


@dataclass(frozen=True)
class ModelRecord:
    """A model as a certificate names it."""

    ref: str
    revision: str | None  # the commit on the Hub, elsewhere the sha256 of the weights; None where nothing fixes it
    weights: str | None = None  # sha256 of the weights file, or of the list of names and hashes of several; None for none


def model_record(model: object | None) -> ModelRecord:
    """Reference, revision and weights hash; ``none`` for no model, ``python/NAME`` for a callable that carries no reference."""
    if model is None:
        return ModelRecord("none", None)
    ref = getattr(model, "ref", None)
    if isinstance(ref, str):
        return ModelRecord(ref, getattr(model, "revision", None), getattr(model, "weights_sha256", None))
    return ModelRecord(f"python/{getattr(model, '__name__', type(model).__name__)}", None)


def model_labels(model: object) -> tuple[str, ...] | None:
    """The class names a model carries, if any."""
    labels = getattr(model, "labels", None)
    return None if labels is None else tuple(str(label) for label in labels)


def model_size(model: object) -> tuple[int, int] | None:
    """The (height, width) a model asks for, if it says: two numbers, or three with the channels first.

    Anyone's module may use the attribute for something else (``nn.LSTM`` does): then nothing is asked for.
    """
    size = getattr(model, "input_size", None)
    if not isinstance(size, tuple | list) or len(size) not in (2, 3) or not all(isinstance(side, int) for side in size):
        return None
    return size[-2], size[-1]


@dataclass(frozen=True)
class Provenance:
    """What a certificate names beside numbers: the picture, the models, and where they computed.

    All samples come from one program: another engine or number format rounds otherwise, and is another base classifier.
    """

    image: ImageRecord
    classifier: ModelRecord
    denoiser: ModelRecord
    labels: tuple[str, ...] | None  # the classifier's class names
    device: str  # as torch names it
    versions: dict[str, str]  # of the Lab and the packages it computes with
    engine: str = EAGER  # what computed the networks
    precision: str = FLOAT32  # the number format that it computed in


@dataclass(frozen=True)
class GrowthPoint:
    """The state after some of the n samples: the anytime lower bound, the radius it certifies, and the ceiling then."""

    samples: int
    p_lower: float
    radius: float
    ceiling: float


@dataclass(frozen=True, kw_only=True)
class _Sampled(Provenance):
    """What a run of either kind records."""

    prediction: int | None  # index of the class, or None where it abstains
    label: str | None
    abstained: bool
    counts: tuple[int, ...]  # votes of the n samples, one entry a class
    n: int  # samples counted
    alpha: float
    sigma: float
    seed: int
    stopped: bool  # whether it ended before as many as were planned
    seconds: float
    samples_per_second: float
    noise: str
    sound: bool = False

    @classmethod
    def of(
        cls, provenance: Provenance, settings: Settings, counts: Sequence[int], *, seconds: float, samples: int, **found: Any
    ) -> Self:
        """From picture and models, what was asked, the votes and the time they took, and what was found; the latter wins."""
        index, labels, n = found["prediction"], provenance.labels, sum(counts)
        sampled = {
            "label": None if index is None or labels is None else labels[index],
            "abstained": index is None,
            "counts": tuple(counts),
            "n": n,
            "stopped": n < settings.n,
            "seconds": seconds,
            "samples_per_second": samples / max(seconds, 1e-9),
        }
        known = vars(settings) | vars(provenance) | sampled | found
        return cls(**{field.name: known[field.name] for field in fields(cls) if field.name in known})

    def to_dict(self) -> dict[str, Any]:
        """The document that ``--json`` prints: units are [0, 1] pixels and seconds."""
        document = asdict(self)
        index, label = document.pop("prediction"), document.pop("label")
        head = {"prediction": None if index is None else {"index": index, "label": label}}
        document["counts"] = list(self.counts)
        document["labels"] = None if self.labels is None else list(self.labels)
        return head | document


@dataclass(frozen=True, kw_only=True)
class Certificate(_Sampled):
    """The result of CERTIFY for one picture.

    With probability at least ``1 - failure_probability`` over the noise: if ``prediction`` is a class, the smoothed
    classifier returns it for every picture within ``radius`` of this one in the norm ``norm``, pixels in [0, 1]; where
    ``sound``, for every 8-bit picture. What is said nowhere here is one of :class:`core.smoothing.settings.Settings`.

    ``settled`` says what ended it. ``reached``: ``radius`` is at least ``until_radius``. ``out of reach``: with probability at
    least ``1 - alpha``, a statement of its own, no number of samples would certify that radius (with ``within``: any class) by
    this bound. ``within``: it is at least ``1 - within`` times what n_planned samples would give, if the shares of the votes
    stayed as they are. ``table``: every radius of the table is certified, or predicted to stay uncertified with n_planned
    samples.
    """

    candidate: int | None  # the class that n0 samples chose; the one that was counted
    radius: float  # in ``norm``; 0 where it abstains
    radius_ceiling: float  # the greatest that ``n`` samples at this alpha can show
    p_lower: float  # lower bound on the probability of ``candidate``; of a table, what ``radius`` needs, shown by a test
    n0: int
    n_planned: int
    norm: str
    method: str  # of the bound; ``group-sequential``: ``radius`` is one of ``table_radii``
    failure_probability: float  # alpha over tries; twice that where another bound was planned: either might have been reported
    two_sided: bool = False
    runner_up: int | None = None  # the class with most votes beside the candidate, if two-sided; the first of several
    p_upper: float | None = None  # upper bound on the probability of every class but ``candidate``, if two-sided
    radii: dict[str, float] = field(default_factory=dict)  # in each norm that this noise certifies, ``norm`` too
    until_radius: float | None = None
    settled: str | None = None
    within: float | None = None
    table_radii: tuple[float, ...] = ()
    tries: int = 1
    mixture: float = UNIFORM  # of the anytime bound: :data:`core.smoothing.bounds.MIXTURE`
    lower_part: float = HALF  # if two-sided, the part of alpha that ``p_lower`` has; ``p_upper`` has the rest
    method_planned: str | None = None  # the bound that was asked for; None in documents from before it was recorded

    @property
    def settings(self) -> Settings:
        """What CERTIFY was asked, as far as the certificate says."""
        asked = {"n": self.n_planned, "method": self.method_planned or self.method, "table_radii": self.table_radii or None}
        return Settings.of(vars(self) | asked)

    @property
    def terms(self) -> Terms:
        """What its bound and radius rest on."""
        asked = self.settings.terms((3, self.image.height, self.image.width))
        return replace(asked, method=self.method, mixture=self.mixture, lower_part=self.lower_part)

    def to_dict(self) -> dict[str, Any]:
        """The certificate as a document: what ``--json`` prints, the app offers for download, and ``verify`` reads."""
        document = {"schema": CERTIFICATE_SCHEMA} | super().to_dict()
        return document | {"table_radii": list(self.table_radii)}


@dataclass(frozen=True, kw_only=True)
class Prediction(_Sampled):
    """The result of PREDICT for one picture.

    With probability at least ``1 - alpha`` over the noise, ``prediction`` is the smoothed classifier's class, or None.
    """

    p_value: float  # of the two-sided binomial test that the two largest counts are equally likely
