"""Projected gradient ascent (Madry et al. 2018, arXiv 1706.06083) within a ball around a picture, on any target."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.attacks.balls import Ball, distance, gaussian_like, length
from core.attacks.records import AttackVerdict
from core.attacks.request import Climb
from core.smoothing.noise import derived_seed

SPARSE_SHARE = 0.01
"""Share of the values that a step in l1 changes: those with the greatest slope (after Tramer and Boneh 2019, 1904.13000)."""


GRADIENT_COST = 2
"""A pass with a gradient counts as so many without: measured at 2 to 2.5 with the bundled networks on a CPU."""


@dataclass
class Meter:
    """Counts passes, tells ``on_spend`` of all so far after every batch, and says when to end: at ``limit``, or on a stop."""

    on_spend: Callable[[int], None] | None = None
    should_stop: Callable[[], bool] = lambda: False
    limit: int | None = None
    spent: int = 0

    def spend(self, passes: int) -> None:
        """Count passes that were made."""
        self.spent += passes
        if self.on_spend is not None:
            self.on_spend(self.spent)

    def allow(self, passes: int | None) -> None:
        """Limit what is spent from now on; None lifts the limit."""
        self.limit = None if passes is None else self.spent + passes

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
class Climbed:
    """Where an attack ended: a (3, H, W) picture in [0, 1], not yet judged, and how far away it is."""

    picture: Tensor
    size: float
    losses: tuple[float, ...]  # before each step of the attempt that was kept
    stopped: bool  # cut short by a stop


def climb(ball: Ball, target: Target, how: Climb, *, seed: int = 0, start: Tensor | None = None) -> Climbed:
    """Look for a picture within the ball that the target gets wrong; its meter says when to stop.

    An attempt ends early where the votes seen on the way leave little doubt that it succeeded. One that does not ends at the
    border of the ball, or where [0, 1] has no room for more. Of several such, the one with the highest objective over its last
    quarter is kept. The first begins with the (3, H, W) ``start``, put into the ball. Raises LabError for no gradient.
    """
    image, norm, radius = ball.image, ball.norm, ball.radius
    rng = np.random.default_rng(derived_seed(seed, "start"))
    kept: tuple[float, Tensor, tuple[float, ...]] | None = None
    stopped = False
    for attempt in range(how.restarts):
        if attempt:
            change = random_start(ball, rng)
        else:
            change = torch.zeros_like(image) if start is None else ball.project(start.to(image))
        losses: list[float] = []
        votes: list[Tensor] = []
        won = False
        for _ in range(how.steps):
            if target.meter.should_stop():
                stopped = True
                break
            slope = target.slope(image + change)
            losses.append(slope.loss)
            votes.append(slope.votes)
            if target.won(votes):
                won = True
                break
            uphill = steepest(open_ways(slope.gradient.to(image), image + change), norm, rng)
            change = ball.project(change + how.step * radius * uphill)
        if not won and not stopped and bool(change.any()):
            # Where few draws make a noisy gradient, steps cancel each other and end within the ball, where less is tried
            # than the radius allows: their sum, the direction they have in common, is followed to its border.
            change = ball.to_border(change)
        last = losses[-max(1, len(losses) // 4) :]
        height = float("inf") if won else float(np.mean(last)) if last else -float("inf")
        if kept is None or height > kept[0]:
            kept = (height, change, tuple(losses))
        if won or stopped:
            break
    assert kept is not None
    picture = ball.picture(kept[1])
    size = distance(picture, image, norm)
    assert size <= radius, (size, radius)
    return Climbed(picture, size, kept[2], stopped)


def steepest(gradient: Tensor, norm: str, rng: np.random.Generator) -> Tensor:
    """The change of length 1 along which a linear function with this gradient rises fastest.

    In l1 that would be a single value; the :data:`SPARSE_SHARE` steepest ones share the length instead. Where the gradient
    is zero, a random direction: there is no better one.
    """
    if not bool(gradient.any()):
        gradient = gaussian_like(gradient, rng)
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


def random_start(ball: Ball, rng: np.random.Generator) -> Tensor:
    """A random change within: a random direction at a length uniform in (0, radius]."""
    image, norm = ball.image, ball.norm
    direction = gaussian_like(image, rng)
    if norm == "linf":
        direction = torch.from_numpy(rng.uniform(-1, 1, tuple(image.shape)).astype(np.float32)).to(image)
    reach = ball.radius * float(rng.uniform())
    return ball.project(direction * (reach / length(direction, norm)))
