"""From counts to everything a certificate claims: the one way, for CERTIFY and for whoever checks it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.smoothing.bounds import GROUP_SEQUENTIAL, lower_bound, upper_bound
from core.smoothing.radius import NORMS, steepness
from core.smoothing.settings import Terms
from core.smoothing.table import radii_reached


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
        terms: alpha, bound, noise and norm.

    Raises:
        LabError: where a number is impossible.

    >>> conclude((0, 990, 10), 1, Terms(alpha=0.001, sigma=0.5, shape=(3, 8, 8))).radius > 0.98
    True
    """
    n = sum(counts)
    if candidate is None or n == 0:
        return Conclusion(
            p_lower=0.0,
            p_upper=None,
            runner_up=None,
            radius=0.0,
            radii=dict.fromkeys(NORMS, 0.0),
            radius_ceiling=0.0,
            abstained=True,
        )
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
    if not terms.two_sided:
        return lower_bound(votes, n, terms.alpha, terms.method), None
    p_lower = lower_bound(votes, n, terms.alpha / 2, terms.method)
    return p_lower, min(upper_bound(others, n, terms.alpha / 2, terms.method), 1 - p_lower)


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
