"""Sampling until it is settled whether a radius can be certified, and no longer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from core.smoothing.arithmetic import find_runner_up, recompute
from core.smoothing.bounds import anytime_lower, lower_bound, upper_bound
from core.smoothing.looks import looks
from core.smoothing.radius import OWN_NORM, radii, share_needed

__all__ = [
    "OUT_OF_REACH",
    "REACHED",
    "WITHIN",
    "looks",
    "radius_possible",
    "radius_projected",
    "samples_fixed_beforehand",
    "settle",
    "settle_within",
]

REACHED, OUT_OF_REACH, WITHIN = "reached", "out of reach", "within"


def settle(
    counts: Sequence[int],
    candidate: int,
    until_radius: float,
    *,
    alpha: float,
    sigma: float,
    shape: tuple[int, ...],
    noise: str = "gaussian",
    norm: str | None = None,
    two_sided: bool = False,
) -> str | None:
    """Whether the votes so far settle the radius: ``reached``, ``out of reach``, or None where more are needed.

    ``reached``: the anytime bound certifies it by now. ``out of reach``: with probability at least 1 - alpha (a statement of
    its own beside the certificate, with its own alpha) no number of samples would certify it by this bound. Both may be asked
    as often as one likes: they rest on bounds that hold at every n at once.

    Args:
        until_radius: in ``norm``.
        others: as for :func:`core.smoothing.arithmetic.recompute`.
    """
    found = recompute(
        counts, candidate, alpha=alpha, method="anytime", sigma=sigma, shape=shape, noise=noise, norm=norm, two_sided=two_sided
    )
    if found.radius >= until_radius:
        return REACHED
    possible = radius_possible(
        counts, candidate, alpha=alpha, sigma=sigma, shape=shape, noise=noise, norm=norm, two_sided=two_sided
    )
    return OUT_OF_REACH if possible < until_radius else None


def settle_within(
    counts: Sequence[int],
    candidate: int,
    within: float,
    n_planned: int,
    *,
    alpha: float,
    sigma: float,
    shape: tuple[int, ...],
    noise: str = "gaussian",
    norm: str | None = None,
    two_sided: bool = False,
) -> str | None:
    """Whether more samples would add little to the radius: ``within``, ``out of reach``, or None where more are needed.

    ``within``: the anytime bound certifies at least 1 - within times :func:`radius_projected`. ``out of reach``: with
    probability at least 1 - alpha (a statement of its own, as in :func:`settle`) no number of samples would certify a class.

    Args:
        within: the part of the radius that may be given away, above 0 and below 1.
        n_planned: samples that the run would go on to.
        others: as for :func:`core.smoothing.arithmetic.recompute`.
    """
    found = recompute(
        counts, candidate, alpha=alpha, method="anytime", sigma=sigma, shape=shape, noise=noise, norm=norm, two_sided=two_sided
    )
    if found.abstained:
        possible = radius_possible(
            counts, candidate, alpha=alpha, sigma=sigma, shape=shape, noise=noise, norm=norm, two_sided=two_sided
        )
        return OUT_OF_REACH if possible <= 0 else None
    projected = radius_projected(
        counts, candidate, n_planned, alpha=alpha, sigma=sigma, shape=shape, noise=noise, norm=norm, two_sided=two_sided
    )
    return WITHIN if found.radius >= (1 - within) * projected else None


def radius_projected(
    counts: Sequence[int],
    candidate: int,
    n_planned: int,
    *,
    alpha: float,
    sigma: float,
    shape: tuple[int, ...],
    noise: str = "gaussian",
    norm: str | None = None,
    two_sided: bool = False,
) -> float:
    """The radius that the anytime bound would certify with ``n_planned`` samples, if the shares of the votes stay as they are.

    A projection, not a bound: the votes to come may have other shares.
    """
    n = sum(counts)
    votes = -(-counts[candidate] * n_planned // n)  # rounded up, so that the projection is not too small
    if not two_sided:
        return radii(noise, lower_bound(votes, n_planned, alpha, "anytime"), None, sigma, shape)[norm or OWN_NORM[noise]]
    p_lower = lower_bound(votes, n_planned, alpha / 2, "anytime")
    runner_up = find_runner_up(counts, candidate)
    others = 0 if runner_up is None else counts[runner_up] * n_planned // n
    p_upper = min(upper_bound(others, n_planned, alpha / 2, "anytime"), 1 - p_lower)
    return radii(noise, p_lower, p_upper, sigma, shape)[norm or OWN_NORM[noise]]


def radius_possible(
    counts: Sequence[int],
    candidate: int,
    *,
    alpha: float,
    sigma: float,
    shape: tuple[int, ...],
    noise: str = "gaussian",
    norm: str | None = None,
    two_sided: bool = False,
) -> float:
    """An upper bound on the radius that endless sampling would certify, valid at every n at once at level alpha.

    One-sided, that is the radius of the candidate's true probability, which is bounded from above. Two-sided, the true
    runner-up's is bounded from below, too: no class is singled out beforehand, so alpha/2 is shared among all of them; and it
    is at least an equal part of what the candidate leaves.
    """
    n, others = sum(counts), len(counts) - 1
    if n == 0:
        return math.inf
    k = counts[candidate]
    runner_up: float | None = None
    if two_sided:
        p = upper_bound(k, n, alpha / 2, "anytime")
        most = max(votes for index, votes in enumerate(counts) if index != candidate)
        runner_up = min(1 - p, 1.0) / others
        runner_up = max(runner_up, anytime_lower(most, n, alpha / 2 / others))
    else:
        p = upper_bound(k, n, alpha, "anytime")
    return radii(noise, p, runner_up, sigma, shape)[norm or OWN_NORM[noise]]


def samples_fixed_beforehand(
    share: float,
    until_radius: float,
    *,
    alpha: float,
    sigma: float,
    shape: tuple[int, ...],
    noise: str = "gaussian",
    norm: str | None = None,
) -> int | None:
    """What it is compared with: the least n, fixed beforehand, at which this share of votes certifies the radius.

    By the one-sided Clopper-Pearson bound. Who plans such a run does not know the share yet, and has to plan for more.

    Returns:
        None where the share does not suffice however many samples there are.

    >>> samples_fixed_beforehand(0.99, 0.5, alpha=0.001, sigma=0.25, shape=(3, 32, 32))
    1148
    """
    needed = share_needed(until_radius, noise, norm or OWN_NORM[noise], sigma, shape)
    if not needed < share <= 1:
        return None

    def suffices(n: int) -> bool:
        bound = alpha ** (1 / n) if share == 1 else float(special.betaincinv(share * n, n - share * n + 1, alpha))
        return bound >= needed

    few, enough = 0, 1
    while not suffices(enough):
        few, enough = enough, 2 * enough
        if enough > 2**40:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if suffices(middle) else (middle, enough)
    return enough
