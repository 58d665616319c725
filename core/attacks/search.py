"""The smallest successful attack, by bisection on the radius; each success is confirmed with fresh noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from core.attacks.balls import check_norm, check_radius, distance, farthest, picture_within, to_length
from core.attacks.gradient import Climb, Target, climb
from core.attacks.records import AttackSearch, AttackVerdict, Trial
from core.errors import LabError
from core.smoothing.noise import derived_seed

MAX_TRIALS = 40
"""Trials of a search, at most: bisection to any sensible tolerance takes fewer."""

OnTrial = Callable[[float, tuple[Trial, ...]], None]
"""Called before each trial: its radius, and the trials so far."""


@dataclass(frozen=True)
class Span:
    """Where a search looks.

    Attributes:
        first: the first radius that is tried; doubled until an attack succeeds.
        most: the greatest radius that is tried; None for half of the way to the farthest picture.
        low: a radius that is known to hold; bisection does not go below it.
        tolerance: where bisection ends, as a share of what it found.
    """

    first: float
    most: float | None = None
    low: float = 0.0
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        """Raise LabError where a number is out of range."""
        check_radius(self.first)
        if self.most is not None:
            check_radius(self.most)
        if not 0 <= self.low < math.inf:
            raise LabError(f"The search begins at radius {self.low}: expected a finite number of at least 0.")
        if not 0.0001 <= self.tolerance <= 1:
            raise LabError(f"The tolerance of the search is {self.tolerance}: expected a share from 0.0001 to 1, such as 0.05.")


def smallest_attack(
    image: Tensor,
    target: Target,
    norm: str,
    how: Climb,
    span: Span,
    *,
    seed: int = 0,
    start: Tensor | None = None,
    on_trial: OnTrial | None = None,
) -> AttackSearch:
    """Find a small change that fools the target.

    Up: the radius is doubled until an attack succeeds. Down: bisection between the last failure and the smallest success.
    Each trial first tries the best change known, brought to the trial's radius; only where that fails does it climb the
    gradient from there. A success counts with the size that the change really has.

    Args:
        image: (3, H, W) in [0, 1], on the device that computes.
        target: what is attacked; its meter counts the passes, limits and stops them.
        norm: of the change.
        how: of each climb.
        span: where to look.
        seed: of random starts.
        start: (3, H, W) change to begin with.
        on_trial: told before each trial.

    Raises:
        LabError: where an argument is out of range, or no gradient passes through the models.
    """
    check_norm(norm)
    most = farthest(image, norm) / 2 if span.most is None else span.most
    trials: list[Trial] = []
    low, found, best = span.low, None, None
    known = start
    spent = target.meter.spent
    at_the_end = False
    radius = min(span.first, most)
    while len(trials) < MAX_TRIALS and not target.meter.stopped():
        if on_trial is not None:
            on_trial(radius, tuple(trials))
        attempt = _attempt(image, target, norm, radius, how, derived_seed(seed, "search", len(trials)), known)
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
        elif found - low <= span.tolerance * found:
            at_the_end = True
            break
        else:
            radius = (low + found) / 2
    pixels = None if best is None else best.cpu().numpy()
    failed = [span.low, *(trial.radius for trial in trials if not trial.verdict.fooled)]
    held = max((reached for reached in failed if found is None or reached < found), default=0.0)
    return AttackSearch(
        target.kind,
        norm,
        target.class_index,
        found,
        held,
        most,
        span.tolerance,
        tuple(trials),
        at_the_end,
        target.meter.spent - spent,
        pixels,
    )


def _attempt(
    image: Tensor, target: Target, norm: str, radius: float, how: Climb, seed: int, known: Tensor | None
) -> tuple[Tensor, AttackVerdict] | None:
    """One trial; None where it was stopped, or the passes are used up."""
    begin = None
    if known is not None and bool(known.any()):
        if not target.meter.affords(target.judge_cost):
            return None
        begin = to_length(known, image, norm, radius)
        picture = picture_within(begin, image, norm, radius)
        verdict = target.judge(picture)
        if verdict.stopped:
            return None
        if verdict.fooled:
            return picture, verdict
    if not target.meter.affords(how.steps * how.restarts * target.slope_cost + target.judge_cost):
        return None
    climbed = climb(image, target, norm, radius, how, seed=seed, start=begin)
    if climbed.stopped:
        return None
    verdict = target.judge(climbed.picture)
    return None if verdict.stopped else (climbed.picture, verdict)


def first_radius(norm: str, sigma: float, certified: float, values: int) -> float:
    """Where to begin a search: where smoothed classifiers of this sigma are often fooled, and well beyond the certificate.

    Coming from above is cheap: what already succeeded is scaled down, and only where that fails a gradient is climbed.

    Args:
        norm: of the change.
        sigma: standard deviation of the noise.
        certified: radius in that norm; 0 where nothing is certified.
        values: 3 H W of the picture.
    """
    # Four sigma in l2; as long as that where it is spread over all values (linf), or over one in sixteen (l1).
    usual = 4 * sigma * {"l2": 1.0, "linf": values**-0.5, "l1": values**0.5 / 4}[norm]
    return max(2 * certified, usual)


def most_passes(target: Target, how: Climb, span: Span, most: float) -> int:
    """About the most passes that a search takes, for a progress bar: doublings and halvings, each with a climb."""
    doublings = max(1, math.ceil(math.log2(max(2.0, most / span.first))))
    halvings = math.ceil(math.log2(1 / span.tolerance))
    trial = how.steps * how.restarts * target.slope_cost + 2 * target.judge_cost
    # Few searches need all doublings: most end after two or three.
    return trial * (min(doublings, 3) + halvings)
