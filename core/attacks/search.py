"""The smallest successful attack, by bisection on the radius; each success is confirmed with fresh noise."""

import math
from collections.abc import Callable

from torch import Tensor

from core.attacks.balls import Ball, distance, farthest
from core.attacks.gradient import Target, climb
from core.attacks.records import AttackSearch, AttackVerdict, Trial
from core.attacks.request import AttackSettings, Climb, Span
from core.smoothing.noise import derived_seed

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
