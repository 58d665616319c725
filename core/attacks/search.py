"""How an attack looks: up a gradient within a ball (Madry et al. 2018, arXiv 1706.06083), and for the smallest success.

The latter is found by bisection on the radius; each success is confirmed with fresh noise.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.attacks.balls import Ball, distance, farthest, gaussian_like, length
from core.attacks.records import AttackSearch, AttackVerdict, Trial
from core.attacks.request import AttackSettings, Climb, Span
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


MAX_TRIALS = 40  # trials of a search, at most: bisection to any sensible tolerance takes fewer

OnTrial = Callable[[float, tuple[Trial, ...]], None]  # called before each trial: its radius, and the trials so far


def smallest_attack(
    image: Tensor,
    target: Target,
    attack: AttackSettings,
    span: Span,
    *,
    start: Tensor | None = None,
    on_trial: OnTrial | None = None,
) -> AttackSearch:
    """Find a small change of a (3, H, W) picture that fools the target, whose meter counts, limits and stops the passes.

    Up: the radius is doubled until an attack succeeds. Down: bisection between the last failure and the smallest success. Each
    trial first tries the best change known (at first ``start``), brought to the trial's radius; only where that fails does it
    climb the gradient from there. A success counts with the size that the change really has. Raises LabError for no gradient.
    """
    norm, seed = attack.norm, attack.settings.seed
    most = farthest(image, norm) / 2 if span.most is None else span.most
    trials: list[Trial] = []
    low, found, best = span.low, None, None
    known = start
    spent = target.meter.spent
    at_the_end = False
    radius = min(span.first, most)
    while len(trials) < MAX_TRIALS and not target.meter.should_stop():
        if on_trial is not None:
            on_trial(radius, tuple(trials))
        ball = Ball(image, norm, radius)
        attempt = _attempt(ball, target, attack.climb, seed=derived_seed(seed, "search", len(trials)), known=known)
        if attempt is None:
            break
        picture, verdict = attempt
        size = distance(picture, image, norm)
        trials.append(Trial(radius, size, verdict))
        if verdict.fooled:
            found, best, known = size, picture, picture - image
        else:
            low = max(low, radius)
            known = picture - image if found is None else known
        if found is None:
            if low >= most:
                at_the_end = True
                break
            radius = min(2 * radius, most)
        elif found - low <= attack.tolerance * found:
            at_the_end = True
            break
        else:
            radius = (low + found) / 2
    failed = [span.low, *(trial.radius for trial in trials if not trial.verdict.fooled)]
    held = max((reached for reached in failed if found is None or reached < found), default=0.0)
    return AttackSearch(
        target=target.kind,
        norm=norm,
        class_index=target.class_index,
        radius=found,
        held=held,
        most=most,
        tolerance=attack.tolerance,
        trials=tuple(trials),
        settled=at_the_end,
        passes=target.meter.spent - spent,
        pixels=None if best is None else best.cpu().numpy(),
    )


def _attempt(ball: Ball, target: Target, how: Climb, *, seed: int, known: Tensor | None) -> tuple[Tensor, AttackVerdict] | None:
    """One trial; None where it was stopped, or the passes are used up."""
    begin = None
    if known is not None and bool(known.any()):
        if not target.meter.affords(target.judge_cost):
            return None
        begin = ball.to_border(known)
        picture = ball.picture(begin)
        verdict = target.judge(picture)
        if verdict.stopped:
            return None
        if verdict.fooled:
            return picture, verdict
    if not target.meter.affords(how.steps * how.restarts * target.slope_cost + target.judge_cost):
        return None
    climbed = climb(ball, target, how, seed=seed, start=begin)
    if climbed.stopped:
        return None
    verdict = target.judge(climbed.picture)
    return None if verdict.stopped else (climbed.picture, verdict)


def first_radius(norm: str, sigma: float, certified: float, values: int) -> float:
    """Where to begin a search: where smoothed classifiers of this sigma are often fooled, and well beyond the certificate.

    Coming from above is cheap: what already succeeded is scaled down, and only where that fails a gradient is climbed.
    ``certified`` is the radius in that norm, 0 where it abstains; the picture has 3 H W ``values``.
    """
    # Four sigma in l2; as long as that where it is spread over all values (linf), or over one in sixteen (l1).
    usual = 4 * sigma * {"l2": 1.0, "linf": values**-0.5, "l1": values**0.5 / 4}[norm]
    return max(2 * certified, usual)


def most_passes(target: Target, attack: AttackSettings, span: Span, most: float) -> int:
    """About the most passes that a search takes, for a progress bar: doublings and halvings, each with a climb."""
    doublings = max(1, math.ceil(math.log2(max(2.0, most / span.first))))
    halvings = math.ceil(math.log2(1 / attack.tolerance))
    trial = attack.climb.steps * attack.climb.restarts * target.slope_cost + 2 * target.judge_cost
    # Few searches need all doublings: most end after two or three.
    return trial * (min(doublings, 3) + halvings)
