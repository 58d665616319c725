"""What a run that may end early is to settle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import LabError
from core.smoothing.arithmetic import recompute
from core.smoothing.bounds import GROUP_SEQUENTIAL
from core.smoothing.looks import looks
from core.smoothing.table import settled as table_settled
from core.smoothing.until import OUT_OF_REACH, REACHED, WITHIN, settle, settle_within

TABLE = "table"
OUTCOMES = (REACHED, OUT_OF_REACH, WITHIN, TABLE)
"""What ``settled`` says of a run that settled its question."""


@dataclass(frozen=True)
class Question:
    """At most one of three; none of them where the run is to go on to its n.

    Attributes:
        until_radius: is the radius at least this one?
        within: is the radius within this part of what all n samples would give?
        table_radii: which of these radii, ascending, can be certified?
    """

    until_radius: float | None = None
    within: float | None = None
    table_radii: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return self.until_radius is not None or self.within is not None or bool(self.table_radii)

    def looks(self, n: int) -> tuple[int, ...]:
        """The sample numbers at which a run of at most n asks."""
        return looks(n) if self else ()

    def settled(self, counts: Sequence[int], candidate: int, n_planned: int, rules: dict[str, Any]) -> str | None:
        """One of :data:`OUTCOMES`, or None where more samples are needed.

        Args:
            counts, candidate: the votes so far, of at least one sample.
            n_planned: samples that the run goes on to at most.
            rules: alpha, sigma, shape, noise, norm and two_sided, as for :func:`core.smoothing.arithmetic.recompute`.
        """
        if self.until_radius is not None:
            return settle(counts, candidate, self.until_radius, **rules)
        if self.within is not None:
            return settle_within(counts, candidate, self.within, n_planned, **rules)
        if self.table_radii:
            one_sided = {key: value for key, value in rules.items() if key != "two_sided"}
            n = sum(counts)
            done = table_settled(counts[candidate], n, self.table_radii, n_planned=n_planned, **one_sided)
            return TABLE if done else None
        return None

    def check_reachable(self, n: int, rules: dict[str, Any]) -> None:
        """Raise LabError where no vote of ``n`` samples could certify the radius that is to be settled."""
        if self.until_radius is not None:
            ceiling = recompute((n, 0), 0, method="anytime", **rules).radius_ceiling
            if self.until_radius > ceiling:
                raise LabError(
                    f"until_radius is {self.until_radius:g}: {n:,} samples at alpha {rules['alpha']:g} can show"
                    f" {rules['norm']} radius {ceiling:.4g} at most; use more samples, or settle a smaller radius."
                )
        if self.table_radii:
            best = recompute((n, 0), 0, method=GROUP_SEQUENTIAL, table_radii=self.table_radii, n_planned=n, **rules)
            if best.abstained:
                raise LabError(
                    f"The least of table_radii is {self.table_radii[0]:g}, which no vote of {n:,} samples at alpha"
                    f" {rules['alpha']:g} can certify in {rules['norm']}: use more samples, or smaller radii."
                )


def check_question(
    *, until_radius: float | None, within: float | None, table_radii: Sequence[float] | None, method: str, two_sided: bool
) -> None:
    """Raise LabError where there is no such question, or the method cannot answer it."""
    asked = {"until_radius": until_radius is not None, "within": within is not None, "table_radii": table_radii is not None}
    names = [name for name, there in asked.items() if there]
    if len(names) > 1:
        raise LabError(f"{' and '.join(names)} ask different questions: a run settles one, so leave the others out.")
    if method == GROUP_SEQUENTIAL and table_radii is None:
        raise LabError(f"Method {method!r} tests radii that are given beforehand: say which with table_radii.")
    for name in names:
        if name != "table_radii" and method != "anytime":
            raise LabError(
                f"{name} needs a bound that holds wherever sampling ends, which {method} does not: use method 'anytime'."
            )
    if within is not None and not 0 < within < 1:
        raise LabError(f"within is {within}: expected a part above 0 and below 1, such as 0.05.")
    if until_radius is not None and (not math.isfinite(until_radius) or until_radius <= 0):
        raise LabError(f"until_radius is {until_radius}: expected a radius above 0, in [0, 1] pixel units.")
    if table_radii is not None:
        _check_table(table_radii, method, two_sided)


def _check_table(radii: Sequence[float], method: str, two_sided: bool) -> None:
    if not 1 <= len(radii) <= MOST_RADII or any(not math.isfinite(r) or r < 0 for r in radii) or sorted(set(radii)) != [*radii]:
        told = ", ".join(f"{radius:g}" for radius in radii)
        raise LabError(f"table_radii is {told or 'empty'}: expected 1 to {MOST_RADII} ascending radii of at least 0.")
    if method != GROUP_SEQUENTIAL:
        raise LabError(f"table_radii are tested by method {GROUP_SEQUENTIAL!r}, not by {method}: use that method.")
    if two_sided:
        raise LabError("table_radii are tested by the votes of one class alone: leave two_sided out.")


MOST_RADII = 50
