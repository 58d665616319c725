"""From counts to everything a certificate claims: the one way, for CERTIFY and for whoever checks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.smoothing.bounds import GROUP_SEQUENTIAL, lower_bound, upper_bound
from core.smoothing.radius import NORMS, OWN_NORM, radii, share_needed, steepness
from core.smoothing.table import reached


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


def recompute(
    counts: Sequence[int],
    candidate: int | None,
    *,
    alpha: float,
    method: str,
    sigma: float,
    shape: tuple[int, ...],
    noise: str = "gaussian",
    norm: str | None = None,
    two_sided: bool = False,
    table_radii: Sequence[float] = (),
    n_planned: int | None = None,
) -> Conclusion:
    """Bounds, radii, ceiling and abstention from the votes of the n samples.

    Args:
        counts: votes, one entry a class; n is their sum.
        candidate: the class that was chosen beforehand; None where none was.
        alpha: the chance that the conclusion may be wrong; two bounds have half of it each.
        method: ``clopper-pearson``, ``anytime``, or ``group-sequential`` where the radii of a table are tested.
        sigma: standard deviation of the noise.
        shape: (3, H, W) of the picture.
        noise: ``gaussian``, ``uniform`` or ``laplace``; in sound mode ``gaussian``, with the same formulas.
        norm: of ``radius`` and ``radius_ceiling``; by default the noise's own.
        two_sided: bound the runner-up from above, too.
        table_radii, n_planned: of ``group-sequential``: the radii, ascending, and the samples that were planned.

    Raises:
        LabError: where a number is impossible.

    >>> recompute((0, 990, 10), 1, alpha=0.001, method="clopper-pearson", sigma=0.5, shape=(3, 8, 8)).radius > 0.98
    True
    """
    chosen = norm or OWN_NORM[noise]
    n = sum(counts)
    if candidate is None or n == 0:
        return Conclusion(0.0, None, None, 0.0, dict.fromkeys(NORMS, 0.0), 0.0, True)
    if method == GROUP_SEQUENTIAL:
        return _from_table(counts[candidate], n, table_radii, n_planned or n, alpha, sigma, shape, noise, chosen)

    def bounds(votes: int, others: int) -> tuple[float, float | None]:
        if not two_sided:
            return lower_bound(votes, n, alpha, method), None
        p_lower = lower_bound(votes, n, alpha / 2, method)
        return p_lower, min(upper_bound(others, n, alpha / 2, method), 1 - p_lower)

    runner_up = find_runner_up(counts, candidate) if two_sided else None
    p_lower, p_upper = bounds(counts[candidate], 0 if runner_up is None else counts[runner_up])
    found = radii(noise, p_lower, p_upper, sigma, shape)
    ceiling = radii(noise, *bounds(n, 0), sigma, shape)[chosen]
    abstained = p_lower <= (0.5 if p_upper is None else p_upper)
    return Conclusion(p_lower, p_upper, runner_up, found[chosen], found, ceiling, abstained)


def _from_table(
    votes: int,
    n: int,
    table: Sequence[float],
    n_planned: int,
    alpha: float,
    sigma: float,
    shape: tuple[int, ...],
    noise: str,
    norm: str,
) -> Conclusion:
    """The greatest radius of the table that is reached; the bound is the share which that radius needs."""
    found, most = (
        reached(k, n, table, n_planned=n_planned, alpha=alpha, sigma=sigma, shape=shape, noise=noise, norm=norm)
        for k in (votes, n)
    )
    radius = table[found - 1] if found else 0.0
    own = radius * steepness(noise, norm, shape)
    all_radii = {other: own / steepness(noise, other, shape) for other in NORMS} | {norm: radius}
    p_lower = share_needed(radius, noise, norm, sigma, shape) if found else 0.0
    return Conclusion(p_lower, None, None, radius, all_radii, table[most - 1] if most else 0.0, found == 0)


def both_ways(
    counts: Sequence[int],
    candidate: int | None,
    *,
    alpha: float,
    method: str,
    sigma: float,
    shape: tuple[int, ...],
    noise: str = "gaussian",
    norm: str | None = None,
) -> tuple[Conclusion, Conclusion]:
    """The one-sided and the two-sided conclusion from the same votes, to be compared.

    Each is wrong with probability at most alpha. Whoever looks at both and claims the better one may be wrong with
    probability 2 alpha: which one counts is to be said beforehand.
    """
    one, two = (
        recompute(
            counts, candidate, alpha=alpha, method=method, sigma=sigma, shape=shape, noise=noise, norm=norm, two_sided=two_sided
        )
        for two_sided in (False, True)
    )
    return one, two


def find_runner_up(counts: Sequence[int], candidate: int) -> int | None:
    """The class with most votes beside the candidate, the first of several; None where there is but one class.

    >>> find_runner_up((5, 80, 5, 10), 1), find_runner_up((5, 80, 5), 1)
    (3, 0)
    """
    others = [index for index in range(len(counts)) if index != candidate]
    return max(others, key=lambda index: counts[index], default=None)
