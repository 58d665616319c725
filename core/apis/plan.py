"""What a certification by an API would take, before the first query is paid."""

from __future__ import annotations

from dataclasses import dataclass

from core.apis.limits import Limits
from core.smoothing.radius import radius_ceiling


@dataclass(frozen=True)
class Plan:
    """An upper bound on what a run takes; a settled question ends it earlier.

    Attributes:
        queries: n0 + n, twice that where the picture is also certified without the denoiser; less those answered already.
        dollars: what they cost.
        affordable: how many of them the budget pays for.
        seconds: at the rate limit.
        radius_ceiling: the greatest l2 radius that n answers can show, were every one the same.
    """

    queries: int
    dollars: float
    affordable: int
    seconds: float
    radius_ceiling: float


def make_plan(
    limits: Limits, *, n0: int, n: int, sigma: float, alpha: float, budget: float, method: str, runs: int = 1, stored: int = 0
) -> Plan:
    """Plan ``runs`` runs (one with the denoiser, one without) of which ``stored`` queries are answered already.

    >>> plan = make_plan(Limits(price=0.0015, rate=10), n0=20, n=100, sigma=0.25, alpha=0.001, budget=0.1, method="anytime")
    >>> plan.queries, round(plan.dollars, 2), plan.affordable, plan.seconds
    (120, 0.18, 66, 12.0)
    """
    queries = max(0, runs * (n0 + n) - stored)
    affordable = queries if limits.price == 0 else min(queries, int(budget / limits.price * (1 + 1e-12)))
    return Plan(queries, queries * limits.price, affordable, queries / limits.rate, radius_ceiling(sigma, n, alpha, method))
