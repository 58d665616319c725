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
    """What a classifier says of a changed picture.

    Attributes:
        target: one of :data:`core.attacks.request.TARGETS`.
        class_index: the class that it should have kept.
        prediction: the class that it returns; None where PREDICT abstains, which only the smoothed classifier does.
        top: the best classes with their shares: of the votes (smoothed), or of the softmax (otherwise).
        share: the share of ``class_index``.
        n: votes of PREDICT; 1 where nothing is random.
        p_value: of PREDICT's test; None where nothing is random.
        stopped: PREDICT was stopped before it could decide: the verdict says nothing.
    """

    target: str
    class_index: int
    prediction: int | None
    top: tuple[tuple[int, float], ...]
    share: float
    n: int
    p_value: float | None
    stopped: bool = False

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
    """One attack of a search.

    Attributes:
        radius: the greatest change that was allowed.
        size: the change that was made, at most ``radius``.
        verdict: what came of it.
    """

    radius: float
    size: float
    verdict: AttackVerdict


@dataclass(frozen=True)
class AttackSearch:
    """The smallest successful attack that bisection on the radius found: an upper bound on the smallest there is.

    Whether an attack succeeds need not be monotone in its radius, and an attack that fails proves nothing, so this is the
    smallest *found*.

    Attributes:
        target, norm: what was attacked, and how the change is measured.
        class_index: the class that was to be changed.
        radius: size of the smallest successful change; None where none succeeded.
        held: the greatest radius below ``radius`` at which the attack was tried and failed (0: none was).
        most: the greatest radius that it might have tried.
        tolerance: bisection ends where ``radius - held`` is at most this share of ``radius``.
        trials: all that was tried, in order.
        settled: whether bisection came to its end; False where it was stopped, or its budget of passes was used up.
        passes: pictures sent through the networks, each with a gradient counted twice.
        pixels: (3, H, W) float32, the picture with the smallest successful change.
    """

    target: str
    norm: str
    class_index: int
    radius: float | None
    held: float
    most: float
    tolerance: float
    trials: tuple[Trial, ...]
    settled: bool
    passes: int
    pixels: Pixels | None = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, without pixels."""
        document = {name: value for name, value in vars(self).items() if name not in ("pixels", "trials")}
        trials = [{"radius": t.radius, "size": t.size, "verdict": t.verdict.to_dict()} for t in self.trials]
        return document | {"trials": trials}


@dataclass(frozen=True)
class Attacked:
    """One changed picture and what all the classifiers say of it.

    Attributes:
        kind, target, norm: as in the request; ``target`` gave the gradient.
        radius: the greatest change that was allowed.
        size: the change that was made, in ``norm``.
        sizes: the same change in every norm.
        pixels: (3, H, W) float32. As an 8-bit file it would be another picture: rounding moves it.
        verdicts: by target.
        clean: what the same classifiers say of the unchanged picture, by target.
        losses: the objective after each gradient step of the attempt that was kept; empty for other kinds.
        gain: how many times the change is magnified in ``views["change"]``.
        views: ``original``, ``change``, ``attacked``, ``noisy`` (attacked, one draw of noise) and, with a denoiser,
            ``denoised``; each with the best classes of the base classifier alone, but for ``change``, which has none.
    """

    kind: str
    target: str
    norm: str
    radius: float
    size: float
    sizes: dict[str, float]
    pixels: Pixels = field(repr=False, compare=False)
    verdicts: dict[str, AttackVerdict]
    clean: dict[str, AttackVerdict]
    losses: tuple[float, ...]
    gain: float
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
    """What came out of a request; of a stopped study, what was there by then.

    Attributes:
        certificate: of the unchanged picture.
        certified: the certified radius in the request's norm; 0 where it abstains.
        attacked: the change of the asked kind and radius, or None where not reached.
        searches: by target.
        complete: whether nothing was left out.
        seconds: what it took.
    """

    request: AttackRequest
    certificate: Certificate
    certified: float
    attacked: Attacked | None = None
    searches: dict[str, AttackSearch] = field(default_factory=dict)
    complete: bool = False
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
        return {
            "request": self.request.to_dict(),
            "certificate": self.certificate.to_dict(),
            "number_line": {
                "norm": self.request.attack.norm,
                "certified": self.certified,
                "smallest": smallest,
                "gap": self.gap,
            },
            "violation": self.violation,
            "attacked": None if self.attacked is None else self.attacked.to_dict(),
            "searches": {name: search.to_dict() for name, search in self.searches.items()},
            "complete": self.complete,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class AttackProgress:
    """A snapshot for a page or a terminal.

    Attributes:
        stage: ``certify``, ``attack``, or ``search TARGET``.
        done, total: passes through the networks; the total is the most that it can take.
        seconds: since it began.
        seconds_left: at the pace so far, at most about this.
        study: what is there already, or None before the certificate.
        radius: of the trial under way, or None.
        trials: of the search under way, so far.
    """

    stage: str
    done: int
    total: int
    seconds: float
    seconds_left: float
    study: AttackStudy | None = None
    radius: float | None = None
    trials: tuple[Trial, ...] = ()


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
