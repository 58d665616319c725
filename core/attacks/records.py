"""What an attack records: verdicts, searches, studies. Without torch, so that a page can show them at once."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from core.attacks.request import AttackRequest
from core.smoothing.certificate import Certificate
from core.studies.records import View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class AttackVerdict:
    """What a classifier says of a changed picture."""

    target: str  # one of core.attacks.request.TARGETS
    class_index: int  # the class that it should have kept
    prediction: int | None  # None: PREDICT abstains, which only the smoothed classifier does
    top: tuple[tuple[int, float], ...]  # the best classes, with shares of the votes (smoothed) or the softmax
    share: float  # of ``class_index``
    n: int  # votes of PREDICT; 1 where nothing is random
    p_value: float | None  # of PREDICT's test; None where nothing is random
    stopped: bool = False  # before PREDICT could decide: the verdict says nothing

    @property
    def outcome(self) -> str:
        """``fooled`` (another class is returned), ``abstains`` (none is), ``holds`` or ``stopped``."""
        if self.stopped:
            return "stopped"
        if self.prediction is None:
            return "abstains"
        return "holds" if self.prediction == self.class_index else "fooled"

    @property
    def fooled(self) -> bool:
        """Whether the attack succeeded. An abstention is none: no wrong class was returned."""
        return self.outcome == "fooled"

    def to_dict(self) -> dict[str, Any]:
        """As JSON, its outcome spelt out."""
        return {"outcome": self.outcome} | asdict(self)


@dataclass(frozen=True)
class Trial:
    """One attack of a search."""

    radius: float  # the greatest change that was allowed
    size: float  # the change that was made, at most ``radius``
    verdict: AttackVerdict


@dataclass(frozen=True)
class AttackSearch:
    """The smallest successful attack that bisection on the radius found: an upper bound on the smallest there is.

    Whether an attack succeeds need not be monotone in its radius, and an attack that fails proves nothing, so this is the
    smallest *found*. ``pixels`` are its picture, (3, H, W) float32.
    """

    target: str
    norm: str
    class_index: int  # that was to be changed
    radius: float | None  # size of the smallest successful change; None where none succeeded
    held: float  # the greatest radius below ``radius`` that was tried and failed (0: none was)
    most: float  # the greatest radius that it might have tried
    tolerance: float  # bisection ends where ``radius - held`` is at most this share of ``radius``
    trials: tuple[Trial, ...]  # all that was tried, in order
    settled: bool  # whether bisection came to its end: no stop, and passes left
    passes: int  # pictures sent through the networks, each with a gradient counted twice
    pixels: Pixels | None = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without pixels."""
        document = {name: value for name, value in vars(self).items() if name not in ("pixels", "trials")}
        trials = [{"radius": t.radius, "size": t.size, "verdict": t.verdict.to_dict()} for t in self.trials]
        return document | {"trials": trials}


@dataclass(frozen=True)
class Attacked:
    """One changed picture and what all the classifiers say of it, and of the unchanged one (``clean``), by target.

    ``views``: ``original``, ``change``, ``attacked``, ``noisy`` (attacked, one draw of noise) and, with a denoiser,
    ``denoised``; each with the best classes of the base classifier alone, but for ``change``, which has none.
    """

    kind: str
    target: str  # gave the gradient
    norm: str
    radius: float  # the greatest change that was allowed
    size: float  # the change that was made, in ``norm``
    sizes: dict[str, float]  # the same change in every norm
    pixels: Pixels = field(repr=False, compare=False)  # (3, H, W); rounding to 8 bits would move it
    verdicts: dict[str, AttackVerdict]
    clean: dict[str, AttackVerdict]
    losses: tuple[float, ...]  # before each gradient step of the attempt that was kept
    gain: float  # how many times the change is magnified in its view
    views: dict[str, View] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without pixels and pictures."""
        verdicts = {
            part: {name: verdict.to_dict() for name, verdict in getattr(self, part).items()} for part in ("verdicts", "clean")
        }
        named = {name: getattr(self, name) for name in ("kind", "target", "norm", "radius", "size", "sizes")}
        return named | verdicts | {"losses": list(self.losses)}


@dataclass(frozen=True)
class AttackStudy:
    """What came out of a request; of a stopped study, what was there by then."""

    request: AttackRequest
    certificate: Certificate  # of the unchanged picture
    certified: float  # radius in the request's norm; 0 where it abstains
    attacked: Attacked | None = None  # of the asked kind and radius; None where not reached
    searches: dict[str, AttackSearch] = field(default_factory=dict)  # by target
    complete: bool = False  # nothing was left out
    seconds: float = 0.0

    @property
    def gap(self) -> float | None:
        """Smallest attack found on the smoothed classifier minus the certified radius; None where none was found."""
        search = self.searches.get("smoothed")
        return None if search is None or search.radius is None else search.radius - self.certified

    @property
    def violation(self) -> bool:
        """Whether a change within the certified radius made PREDICT return another class than the certified one."""
        return self.certificate.prediction is not None and any(
            verdict.target == "smoothed" and verdict.fooled and size <= self.certified for size, verdict in self.judged()
        )

    def judged(self) -> list[tuple[float, AttackVerdict]]:
        """Every change that a classifier was asked about: its size in the request's norm, and the verdict."""
        shown = [] if self.attacked is None else [(self.attacked.size, v) for v in self.attacked.verdicts.values()]
        return shown + [(trial.size, trial.verdict) for search in self.searches.values() for trial in search.trials]

    def to_dict(self) -> dict[str, Any]:
        """The document that ``--json`` prints and a page exports: everything but pixels and pictures."""
        smallest = {name: search.radius for name, search in self.searches.items()}
        known = {"norm": self.request.attack.norm, "certified": self.certified, "smallest": smallest, "gap": self.gap}
        return {
            "request": self.request.to_dict(),
            "certificate": self.certificate.to_dict(),
            "number_line": known,
            "violation": self.violation,
            "attacked": None if self.attacked is None else self.attacked.to_dict(),
            "searches": {name: search.to_dict() for name, search in self.searches.items()},
            "complete": self.complete,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class AttackProgress:
    """A snapshot for a page or a terminal."""

    stage: str  # ``certify``, ``attack``, or ``search TARGET``
    done: int
    total: int  # passes through the networks, as ``done``: the most that it can take
    seconds: float
    seconds_left: float  # at the pace so far, at most about this
    study: AttackStudy | None = None  # what is there already
    radius: float | None = None  # of the trial under way
    trials: tuple[Trial, ...] = ()  # of the search under way


def certified_in(certificate: Certificate, norm: str) -> float:
    """The radius that a certificate from Gaussian noise gives in a norm; 0 where it abstains.

    A change of d = 3 H W values is at most sqrt(d) times as long in l2 as in linf, and never longer in l2 than in l1: so
    R_inf = R_2 / sqrt(d), and R_1 is at least R_2 (Yang et al. 2020, arXiv 2002.08118).
    """
    if certificate.prediction is None:
        return 0.0
    stated = getattr(certificate, "radii", {}).get(norm)
    if stated is not None:
        return float(stated)
    values = 3 * certificate.image.height * certificate.image.width
    return certificate.radius / math.sqrt(values) if norm == "linf" else certificate.radius
