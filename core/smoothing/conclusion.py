"""From counts to everything a certificate claims, and whether that settles what was asked: the one way, for all who count."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from scipy import special

from core.errors import LabError
from core.smoothing.bounds import GROUP_SEQUENTIAL, UNIFORM, anytime_lower, lower_bound, upper_bound
from core.smoothing.radius import NORMS, floored, steepness
from core.smoothing.settings import HALF, NEARLY_ALL, Settings, Terms
from core.smoothing.table import radii_reached, table_is_settled


@dataclass(frozen=True)
class Conclusion:
    """What votes allow to say. The fields are those of :class:`core.smoothing.certificate.Certificate`."""

    p_lower: float
    p_upper: float | None
    runner_up: int | None
    radius: float
    radii: dict[str, float]
    radius_ceiling: float
    abstained: bool


def conclude(counts: Sequence[int], candidate: int | None, terms: Terms) -> Conclusion:
    """Bounds, radii, ceiling and abstention from the votes of the n samples.

    Args:
        counts: votes, one entry a class; n is their sum.
        candidate: the class that was chosen beforehand; None where none was.

    >>> conclude((0, 990, 10), 1, Terms(alpha=0.001, sigma=0.5, shape=(3, 8, 8))).radius > 0.98
    True
    """
    n = sum(counts)
    if candidate is None or n == 0:
        none = dict.fromkeys(NORMS, 0.0)
        return Conclusion(0.0, None, None, radius=0.0, radii=none, radius_ceiling=0.0, abstained=True)
    if terms.method == GROUP_SEQUENTIAL:
        return _from_table(counts[candidate], n, terms)
    runner_up = find_runner_up(counts, candidate) if terms.two_sided else None
    p_lower, p_upper = class_bounds(counts[candidate], 0 if runner_up is None else counts[runner_up], n, terms)
    radii = terms.radii(p_lower, p_upper)
    return Conclusion(
        p_lower,
        p_upper,
        runner_up,
        radius=radii[terms.norm],
        radii=radii,
        radius_ceiling=terms.radius(*class_bounds(n, 0, n, terms)),
        abstained=p_lower <= (0.5 if p_upper is None else p_upper),
    )


def class_bounds(votes: int, others: int, n: int, terms: Terms) -> tuple[float, float | None]:
    """The lower bound on a class with ``votes`` of ``n``; two-sided also the upper one on one with ``others``, else None."""
    lower, upper = (
        partial(b, method=terms.method, mixture=terms.mixture, uniform=terms.uniform) for b in (lower_bound, upper_bound)
    )
    if not terms.two_sided:
        return lower(votes, n, terms.alpha), None
    p_lower = lower(votes, n, terms.alpha * terms.lower_part)
    return p_lower, min(upper(others, n, terms.alpha * (1 - terms.lower_part)), 1 - p_lower)


def part_for_lower(counts0: Sequence[int], candidate: int) -> float:
    """The part of alpha that the lower bound of a two-sided certificate gets, from the votes of the n0 samples.

    Where all of them beside the candidate's are of one class, or there are none, most likely 1 - p_lower will be the upper
    bound, and alpha is hardly needed there. These samples enter no bound, so the parts are fixed before those that do.
    """
    voted_for = sum(votes > 0 for index, votes in enumerate(counts0) if index != candidate)
    return HALF if voted_for > 1 else NEARLY_ALL


def _from_table(votes: int, n: int, terms: Terms) -> Conclusion:
    """The greatest radius of the table that is reached; the bound is the share which that radius needs."""
    found, most = (radii_reached(k, n, terms) for k in (votes, n))
    radius = terms.table_radii[found - 1] if found else 0.0
    own = radius * steepness(terms.noise, terms.norm, terms.shape)
    return Conclusion(
        terms.share_needed(radius) if found else 0.0,
        None,
        None,
        radius=radius,
        radii={norm: own / steepness(terms.noise, norm, terms.shape) for norm in NORMS} | {terms.norm: radius},
        radius_ceiling=terms.table_radii[most - 1] if most else 0.0,
        abstained=found == 0,
    )


def both_ways(counts: Sequence[int], candidate: int | None, terms: Terms) -> tuple[Conclusion, Conclusion]:
    """The one-sided and the two-sided conclusion from the same votes, to be compared.

    Each is wrong with probability at most alpha. Whoever looks at both and claims the better one may be wrong with
    probability 2 alpha: which one counts is to be said beforehand.
    """
    one, two = (conclude(counts, candidate, replace(terms, two_sided=sides)) for sides in (False, True))
    return one, two


def find_runner_up(counts: Sequence[int], candidate: int) -> int | None:
    """The class with most votes beside the candidate, the first of several; None where there is but one class.

    >>> find_runner_up((5, 80, 5, 10), 1), find_runner_up((5, 80, 5), 1)
    (3, 0)
    """
    others = [index for index in range(len(counts)) if index != candidate]
    return max(others, key=lambda index: counts[index], default=None)


REACHED, OUT_OF_REACH, WITHIN, TABLE = "reached", "out of reach", "within", "table"
OUTCOMES = (REACHED, OUT_OF_REACH, WITHIN, TABLE)
"""What ``settled`` says of a run that settled what it was asked."""


def outcome(counts: Sequence[int], candidate: int, settings: Settings, terms: Terms) -> str | None:
    """How the votes so far settle what ends the run early: one of :data:`OUTCOMES`, or None where more are needed.

    It may be asked as often as one likes, once there is a sample: it rests on bounds that hold at every n at once, or on a
    test made for its looks.
    """
    if settings.until_radius is not None:
        return radius_outcome(counts, candidate, settings.until_radius, terms)
    if settings.within is not None:
        return within_outcome(counts, candidate, settings.within, terms)
    if settings.table_radii is not None:
        return TABLE if table_is_settled(counts[candidate], sum(counts), terms) else None
    return None


def check_reachable(settings: Settings, terms: Terms) -> None:
    """Raise LabError where no vote of n samples could certify the radius that is to be settled."""
    n = settings.n
    if settings.until_radius is not None:
        ceiling = conclude((n, 0), 0, replace(terms, method="anytime", lower_part=NEARLY_ALL)).radius_ceiling
        if settings.until_radius > ceiling:
            raise LabError(
                f"until_radius is {settings.until_radius:g}: {n:,} samples at alpha {terms.alpha:g} can show"
                f" {terms.norm} radius {floored(ceiling, '.4g')} at most; use more samples, or settle a smaller radius."
            )
    if settings.table_radii and conclude((n, 0), 0, replace(terms, method=GROUP_SEQUENTIAL)).abstained:
        raise LabError(
            f"The least of table_radii is {settings.table_radii[0]:g}, which no vote of {n:,} samples at alpha"
            f" {terms.alpha:g} can certify in {terms.norm}: use more samples, or smaller radii."
        )


def radius_outcome(counts: Sequence[int], candidate: int, until_radius: float, terms: Terms) -> str | None:
    """Whether the votes so far settle a radius: ``reached``, ``out of reach``, or None where more are needed.

    ``reached``: the anytime bound certifies it by now. ``out of reach``: with probability at least 1 - alpha (a statement of
    its own beside the certificate, with its own alpha) no number of samples would certify it by this bound.

    ``until_radius`` is in the terms' norm.
    """
    if conclude(counts, candidate, replace(terms, method="anytime")).radius >= until_radius:
        return REACHED
    return OUT_OF_REACH if radius_possible(counts, candidate, terms) < until_radius else None


def within_outcome(counts: Sequence[int], candidate: int, within: float, terms: Terms) -> str | None:
    """Whether more samples would add little to the radius: ``within``, ``out of reach``, or None where more are needed.

    ``within``: the anytime bound certifies at least 1 - within times :func:`radius_projected`. ``out of reach``: with
    probability at least 1 - alpha (a statement of its own, as in :func:`radius_outcome`) no number of samples would certify
    a class.
    """
    found = conclude(counts, candidate, replace(terms, method="anytime"))
    if found.abstained:
        return OUT_OF_REACH if radius_possible(counts, candidate, terms) <= 0 else None
    return WITHIN if found.radius >= (1 - within) * radius_projected(counts, candidate, terms) else None


def radius_projected(counts: Sequence[int], candidate: int, terms: Terms) -> float:
    """The radius that the anytime bound would certify with all planned samples, if the shares of the votes stay as they are.

    A projection, not a bound: the votes to come may have other shares.
    """
    n, planned = sum(counts), terms.n_planned
    votes = -(-counts[candidate] * planned // n)  # rounded up, so that the projection is not too small
    runner_up = find_runner_up(counts, candidate) if terms.two_sided else None
    others = 0 if runner_up is None else counts[runner_up] * planned // n
    return terms.radius(*class_bounds(votes, others, planned, replace(terms, method="anytime")))


def radius_possible(counts: Sequence[int], candidate: int, terms: Terms) -> float:
    """An upper bound on the radius that endless sampling would certify, valid at every n at once at level alpha.

    One-sided, that is the radius of the candidate's true probability, which is bounded from above. Two-sided, the true
    runner-up's is bounded from below, too: no class is singled out beforehand, so alpha/2 is shared among all of them; and it
    is at least an equal part of what the candidate leaves. The mixture is uniform: what is bounded here is seldom near an end.
    """
    n, others = sum(counts), len(counts) - 1
    if n == 0:
        return math.inf
    k = counts[candidate]
    if not terms.two_sided:
        return terms.radius(upper_bound(k, n, terms.alpha, "anytime", mixture=UNIFORM))
    p = upper_bound(k, n, terms.alpha / 2, "anytime", mixture=UNIFORM)
    most = max(votes for index, votes in enumerate(counts) if index != candidate)
    return terms.radius(p, max(min(1 - p, 1.0) / others, anytime_lower(most, n, terms.alpha / 2 / others, UNIFORM)))


MOST_FIXED = 2**40


def samples_fixed_beforehand(share: float, until_radius: float, terms: Terms) -> int | None:
    """What it is compared with: the least n, fixed beforehand, at which this share of votes certifies the radius.

    By the one-sided Clopper-Pearson bound. Who plans such a run does not know the share yet, and has to plan for more.

    Returns:
        None where the share does not suffice however many samples there are.

    >>> samples_fixed_beforehand(0.99, 0.5, Terms(alpha=0.001, sigma=0.25, shape=(3, 32, 32)))
    1148
    """
    least = terms.share_needed(until_radius)
    if not least < share <= 1:
        return None

    def suffices(n: int) -> bool:
        alpha = terms.alpha
        bound = alpha ** (1 / n) if share == 1 else float(special.betaincinv(share * n, n - share * n + 1, alpha))
        return bound >= least

    found = 1 + bisect_left(range(1, MOST_FIXED + 1), True, key=suffices)
    return found if found <= MOST_FIXED else None
