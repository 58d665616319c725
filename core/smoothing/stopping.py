"""Sampling until what was asked is settled, and no longer."""

import math
from collections.abc import Sequence
from dataclasses import replace

from scipy import special

from core.errors import LabError
from core.smoothing.bounds import GROUP_SEQUENTIAL, anytime_lower, upper_bound
from core.smoothing.conclusion import class_bounds, conclude, find_runner_up
from core.smoothing.settings import Settings, Terms
from core.smoothing.table import table_is_settled

REACHED, OUT_OF_REACH, WITHIN, TABLE = "reached", "out of reach", "within", "table"
OUTCOMES = (REACHED, OUT_OF_REACH, WITHIN, TABLE)
"""What ``settled`` says of a run that settled what it was asked."""


def outcome(counts: Sequence[int], candidate: int, settings: Settings, terms: Terms) -> str | None:
    """How the votes so far settle what ends the run early: one of :data:`OUTCOMES`, or None where more are needed.

    It may be asked as often as one likes: it rests on bounds that hold at every n at once, or on a test made for its looks.

    Args:
        counts, candidate: votes of at least one sample.
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
        ceiling = conclude((n, 0), 0, replace(terms, method="anytime")).radius_ceiling
        if settings.until_radius > ceiling:
            raise LabError(
                f"until_radius is {settings.until_radius:g}: {n:,} samples at alpha {terms.alpha:g} can show"
                f" {terms.norm} radius {ceiling:.4g} at most; use more samples, or settle a smaller radius."
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

    Args:
        until_radius: in the terms' norm.
    """
    if conclude(counts, candidate, replace(terms, method="anytime")).radius >= until_radius:
        return REACHED
    return OUT_OF_REACH if radius_possible(counts, candidate, terms) < until_radius else None


def within_outcome(counts: Sequence[int], candidate: int, within: float, terms: Terms) -> str | None:
    """Whether more samples would add little to the radius: ``within``, ``out of reach``, or None where more are needed.

    ``within``: the anytime bound certifies at least 1 - within times :func:`radius_projected`. ``out of reach``: with
    probability at least 1 - alpha (a statement of its own, as in :func:`radius_outcome`) no number of samples would certify
    a class.

    Args:
        within: the part of the radius that may be given away, above 0 and below 1.
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
    is at least an equal part of what the candidate leaves.
    """
    n, others = sum(counts), len(counts) - 1
    if n == 0:
        return math.inf
    k = counts[candidate]
    if not terms.two_sided:
        return terms.radius(upper_bound(k, n, terms.alpha, "anytime"))
    p = upper_bound(k, n, terms.alpha / 2, "anytime")
    most = max(votes for index, votes in enumerate(counts) if index != candidate)
    return terms.radius(p, max(min(1 - p, 1.0) / others, anytime_lower(most, n, terms.alpha / 2 / others)))


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

    few, enough = 0, 1
    while not suffices(enough):
        few, enough = enough, 2 * enough
        if enough > 2**40:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if suffices(middle) else (middle, enough)
    return enough
