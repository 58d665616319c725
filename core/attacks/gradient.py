"""Projected gradient ascent (Madry et al. 2018, arXiv 1706.06083) within a ball around a picture, on any target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.attacks.balls import check_norm, check_radius, distance, length, picture_within, project_to_ball, to_length
from core.attacks.records import AttackVerdict
from core.errors import LabError
from core.smoothing.noise import derived_seed

SPARSE_SHARE = 0.01
"""Share of the values that a step in l1 changes: those with the greatest slope (after Tramer and Boneh 2019, 1904.13000)."""


GRADIENT_COST = 2
"""A pass with a gradient counts as so many without: measured at 2 to 2.5 with the bundled networks on a CPU."""


class Meter:
    """Counts passes, tells of them, and says when to end.

    Args:
        on_spend: called with the passes so far, after every batch.
        should_stop: asked between batches.
        limit: passes that may be spent; None for any number.
    """

    def __init__(
        self,
        on_spend: Callable[[int], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        limit: int | None = None,
    ) -> None:
        self.spent, self.limit, self._on_spend, self._should_stop = 0, limit, on_spend, should_stop

    def spend(self, passes: int) -> None:
        """Count passes that were made."""
        self.spent += passes
        if self._on_spend is not None:
            self._on_spend(self.spent)

    def stopped(self) -> bool:
        """Whether a stop was asked for."""
        return self._should_stop()

    def affords(self, passes: int) -> bool:
        """Whether so many more stay within the limit."""
        return self.limit is None or self.spent + passes <= self.limit


@dataclass(frozen=True)
class Slope:
    """The objective at a picture: its value, which an attack raises, its (3, H, W) gradient, and the (classes,) votes seen."""

    loss: float
    gradient: Tensor
    votes: Tensor


class Target(Protocol):
    """What :func:`climb` and :func:`core.attacks.search.smallest_attack` work on."""

    kind: str
    class_index: int
    meter: Meter

    @property
    def slope_cost(self) -> int:
        """Passes of a gradient."""

    @property
    def judge_cost(self) -> int:
        """Passes of a verdict."""

    def slope(self, picture: Tensor) -> Slope:
        """The objective and its gradient at a (3, H, W) picture."""

    def won(self, votes: Sequence[Tensor]) -> bool:
        """Whether the votes of the last steps leave little doubt that the attack has succeeded."""

    def judge(self, picture: Tensor) -> AttackVerdict:
        """What the classifier says of a (3, H, W) picture."""


@dataclass(frozen=True)
class Climb:
    """How an attack goes up the gradient.

    Attributes:
        steps: of each attempt.
        step_size: length of a step as a share of the radius; None for 2.5 / steps (Madry et al.).
        restarts: attempts; the first begins at the picture or where it is told to, the others at random points of the ball.
    """

    steps: int = 20
    step_size: float | None = None
    restarts: int = 1

    def __post_init__(self) -> None:
        """Raise LabError where a number is out of range."""
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
class Climbed:
    """Where an attack ended.

    Attributes:
        picture: (3, H, W) float32 in [0, 1], at most ``radius`` away; not yet judged.
        size: how far away it is.
        losses: the objective before each step of the attempt that was kept.
        stopped: whether a stop cut it short.
    """

    picture: Tensor
    size: float
    losses: tuple[float, ...]
    stopped: bool


def climb(
    image: Tensor, target: Target, norm: str, radius: float, how: Climb, *, seed: int = 0, start: Tensor | None = None
) -> Climbed:
    """Look for a picture within ``radius`` that the target gets wrong.

    An attempt ends early where the votes seen on the way leave little doubt that it succeeded. One that does not ends at the
    border of the ball, or where [0, 1] has no room for more. Of several such, the one with the highest objective over its last
    quarter is kept.

    Args:
        image: (3, H, W) in [0, 1], on the device that computes.
        target: what is attacked; its meter says when to stop.
        norm, radius: the ball.
        how: steps and restarts.
        seed: of the random starts.
        start: (3, H, W) change that the first attempt begins with, put into the ball first.

    Raises:
        LabError: where a number is out of range, or no gradient passes through the models.
    """
    check_norm(norm)
    check_radius(radius)
    rng = np.random.default_rng(derived_seed(seed, "start"))
    kept: tuple[float, Tensor, tuple[float, ...]] | None = None
    stopped = False
    for attempt in range(how.restarts):
        if attempt:
            change = random_start(image, norm, radius, rng)
        else:
            change = torch.zeros_like(image) if start is None else project_to_ball(start.to(image), image, norm, radius)
        losses: list[float] = []
        votes: list[Tensor] = []
        won = False
        for _ in range(how.steps):
            if target.meter.stopped():
                stopped = True
                break
            slope = target.slope(image + change)
            losses.append(slope.loss)
            votes.append(slope.votes)
            if target.won(votes):
                won = True
                break
            uphill = steepest(open_ways(slope.gradient.to(image), image + change), norm, rng)
            change = project_to_ball(change + how.step * radius * uphill, image, norm, radius)
        if not won and not stopped and bool(change.any()):
            # Where few draws make a noisy gradient, steps cancel each other and end within the ball, where less is tried
            # than the radius allows: their sum, the direction they have in common, is followed to its border.
            change = to_length(change, image, norm, radius)
        last = losses[-max(1, len(losses) // 4) :]
        height = float("inf") if won else float(np.mean(last)) if last else -float("inf")
        if kept is None or height > kept[0]:
            kept = (height, change, tuple(losses))
        if won or stopped:
            break
    assert kept is not None
    picture = picture_within(kept[1], image, norm, radius)
    size = distance(picture, image, norm)
    assert size <= radius, (size, radius)
    return Climbed(picture, size, kept[2], stopped)


def steepest(gradient: Tensor, norm: str, rng: np.random.Generator) -> Tensor:
    """The change of length 1 along which a linear function with this gradient rises fastest.

    In l1 that would be a single value; the :data:`SPARSE_SHARE` steepest ones share the length instead. Where the gradient
    is zero, a random direction: there is no better one.
    """
    if not bool(gradient.any()):
        drawn = rng.standard_normal(tuple(gradient.shape)).astype(np.float32)
        gradient = torch.from_numpy(drawn).to(gradient)
    if norm == "linf":
        return gradient.sign()
    if norm == "l2":
        return gradient / length(gradient, "l2")
    count = max(1, round(SPARSE_SHARE * gradient.numel()))
    chosen = gradient.flatten().abs().topk(count).indices
    direction = torch.zeros_like(gradient).flatten()
    direction[chosen] = gradient.flatten()[chosen].sign() / count
    return direction.view_as(gradient)


def open_ways(gradient: Tensor, picture: Tensor) -> Tensor:
    """The gradient without the values that already are at the wall it points to: a step would be lost on them."""
    return gradient.masked_fill(((picture >= 1) & (gradient > 0)) | ((picture <= 0) & (gradient < 0)), 0.0)


def random_start(image: Tensor, norm: str, radius: float, rng: np.random.Generator) -> Tensor:
    """A random change of at most ``radius``: a random direction at a length uniform in (0, radius]."""
    drawn = rng.standard_normal(tuple(image.shape)).astype(np.float32)
    direction = torch.from_numpy(drawn).to(image)
    if norm == "linf":
        direction = torch.from_numpy(rng.uniform(-1, 1, tuple(image.shape)).astype(np.float32)).to(image)
    reach = radius * float(rng.uniform())
    return project_to_ball(direction * (reach / length(direction, norm)), image, norm, radius)
