"""What an attack is asked: how a picture is attacked, and how far a search looks. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.engines import EAGER, FLOAT32
from core.errors import LabError
from core.smoothing.settings import Settings

NORMS = ("l2", "linf", "l1")
"""Norms of a change, pixels in [0, 1]: Euclidean length, greatest single value, sum of absolute values."""

TARGETS = ("smoothed", "base", "denoised")
"""What is attacked: the smoothed classifier, the base classifier alone, or the same behind the denoiser without noise."""

KINDS = ("gradient", "random", "pixel", "patch", "grey")
"""How: up the gradient (all others need none), in a random direction, one pixel, a square, every value by the same amount."""


def check_norm(norm: str) -> None:
    """Raise LabError unless the norm is one of :data:`NORMS`."""
    if norm not in NORMS:
        raise LabError(f"Unknown norm {norm!r} of a change: choose one of {', '.join(NORMS)}.")


def check_radius(radius: float) -> None:
    """Raise LabError unless the radius of an attack is a finite number above 0."""
    if not math.isfinite(radius) or radius <= 0:
        raise LabError(f"The attack's radius is {radius}: expected a number above 0, pixels in [0, 1].")


@dataclass(frozen=True)
class Climb:
    """How an attack goes up the gradient; attempts after the first, which is told where to, begin at random points."""

    steps: int = 20  # of each attempt
    step_size: float | None = None  # as a share of the radius; None for 2.5 / steps (Madry et al.)
    restarts: int = 1  # attempts

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= 10_000:
            raise LabError(f"steps is {self.steps}: expected 1 to 10,000 gradient steps.")
        if not 1 <= self.restarts <= 1_000:
            raise LabError(f"restarts is {self.restarts}: expected 1 to 1,000 attempts.")
        if self.step_size is not None and not 0 < self.step_size <= 10:
            raise LabError(f"step_size is {self.step_size}: expected a share of the radius, above 0 and at most 10.")

    @property
    def step(self) -> float:
        """Length of a step as a share of the radius."""
        return 2.5 / self.steps if self.step_size is None else self.step_size


@dataclass(frozen=True)
class Span:
    """Where a search for the smallest attack looks."""

    first: float  # is tried first, and doubled until an attack succeeds
    most: float | None = None  # the greatest that is tried; None for half of the way to the farthest picture
    low: float = 0.0  # is known to hold; bisection does not go below it

    def __post_init__(self) -> None:
        check_radius(self.first)
        if self.most is not None:
            check_radius(self.most)
        if not 0 <= self.low < math.inf:
            raise LabError(f"The search begins at radius {self.low}: expected a finite number of at least 0.")


@dataclass(frozen=True)
class AttackSettings:
    """The numbers of an attack on a picture."""

    settings: Settings  # of the certificate; sigma, alpha and seed are those of the attack, too
    norm: str = "l2"  # of the change, one of NORMS
    climb: Climb = Climb()
    draws: int = 16  # fresh noise draws of each gradient of the smoothed classifier
    n_predict: int = 200  # votes of each PREDICT that confirms
    tolerance: float = 0.05  # where bisection for the smallest attack ends, as a share of what it found
    budget: int | None = None  # passes that each search may take; None: no limit, 0 (of a data set): no search

    def __post_init__(self) -> None:
        # The attack follows the gradients of the networks themselves: so they are what is certified and confirmed.
        object.__setattr__(self, "settings", replace(self.settings, engine=EAGER, precision=FLOAT32))

    def check(self) -> None:
        """Raise LabError where a number is out of range."""
        check_norm(self.norm)
        self.settings.check()
        replace(self.settings, n=self.n_predict).check_predict()
        if not 1 <= self.draws <= 4096:
            raise LabError(f"draws is {self.draws}: expected 1 to 4096 noise draws for each gradient, such as 16.")
        if not 0.0001 <= self.tolerance <= 1:
            raise LabError(f"The tolerance of the search is {self.tolerance}: expected a share from 0.0001 to 1, such as 0.05.")

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name, in one level, as documents have them."""
        s = self.settings
        return {
            "sigma": s.sigma,
            "norm": self.norm,
            **asdict(self.climb),
            "draws": self.draws,
            "n_predict": self.n_predict,
            **{name: getattr(s, name) for name in ("n0", "n", "alpha", "seed")},
            "tolerance": self.tolerance,
            "budget": self.budget,
        }


PICTURE = AttackSettings(Settings(0.25, n=1_000, method="anytime"))  # the usual numbers for one picture


@dataclass(frozen=True)
class AttackRequest:
    """Everything that decides an attack study, beside the picture itself; models by reference."""

    classifier: str
    denoiser: str
    attack: AttackSettings
    radius: float | None = None  # of the shown change; None for 0.999 of the certified radius (sigma, where it abstains)
    target: str = "smoothed"  # of the shown change, one of TARGETS
    kind: str = "gradient"  # of the shown change, one of KINDS
    search: tuple[str, ...] = ("base", "smoothed")  # targets whose smallest successful attack is looked for
    max_radius: float | None = None  # where the search gives up; None for half of the way to the farthest picture
    device: str = "auto"

    def check(self) -> None:
        """Raise LabError where a request cannot be carried out, whatever the picture and the models."""
        self.attack.check()
        if self.radius is not None:
            check_radius(self.radius)
        _check_choice("target", (self.target,), TARGETS)
        _check_choice("kind", (self.kind,), KINDS)
        _check_choice("search", self.search, TARGETS)
        budget = self.attack.budget
        if budget is not None and budget < 1:
            raise LabError(f"budget is {budget}: expected at least 1 pass through the networks.")
        Span(1.0, self.max_radius)

    def to_dict(self) -> dict[str, Any]:
        """Everything by name, in one level, as documents have it."""
        own = {name: value for name, value in vars(self).items() if name != "attack"}
        return own | self.attack.to_dict()


def _check_choice(name: str, chosen: tuple[str, ...], known: tuple[str, ...]) -> None:
    for choice in chosen:
        if choice not in known:
            raise LabError(f"Unknown {name} {choice!r}: choose one of {', '.join(known)}.")
