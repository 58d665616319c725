"""The exact oracles find nothing wrong with the code as it is, and each finds what is broken on purpose."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType

import pytest
from scipy import special

from core.smoothing import bounds, conclusion, radius, table
from core.smoothing.bounds import (
    GROUP_SEQUENTIAL,
    RANDOMISED,
    anytime_lower,
    clopper_pearson_lower,
    clopper_pearson_upper,
    prediction_p_value,
    randomised_lower,
)
from core.smoothing.conclusion import radius_possible
from core.smoothing.settings import Settings, Terms
from core.smoothing.table import limits
from experiments.exact_oracles import fixed
from experiments.exact_oracles.__main__ import ORACLES, ROUNDING
from experiments.exact_oracles.fixed import hard_truth, one_sided, predict, two_sided
from experiments.exact_oracles.grid_noise import sound_radius
from experiments.exact_oracles.stopping import (
    table_of_radii,
    two_sides_whenever,
    until_a_radius,
    whenever_one_likes,
    within_a_part,
)
from experiments.exact_oracles.votes import SIGMA, Row
from tests.commands.conftest import Ran

MADE_USE_OF = {"two-sided randomised-clopper-pearson": 0.9, "within a part of the radius": 0.01, "PREDICT": 0.4}
MADE_USE_OF |= {"until a radius: the certificate": 0.15, "until a radius: out of reach, though true": 0.05}
MADE_USE_OF |= {"two-sided anytime, ended at the worst moment": 0.3}
"""The part of what is allowed that some truth takes, at least; half where nothing is said."""


@pytest.mark.parametrize("name", ORACLES)
def test_nothing_errs_more_often_than_it_may(name: str) -> None:
    greatest: dict[str, float] = defaultdict(float)
    for row in ORACLES[name](False):
        assert row.ratio <= 1 + ROUNDING, row
        greatest[row.rule] = max(greatest[row.rule], row.ratio)
    for rule, ratio in greatest.items():
        assert ratio > MADE_USE_OF.get(rule, 0.5), f"{rule}: an oracle that nothing comes near says little"


Bound = Callable[..., float]


def at(times: float, bound: Bound) -> Bound:
    """The same bound, as if alpha were so many times greater."""
    return lambda k, n, alpha, *more: bound(k, n, times * alpha, *more)


def squared(k: int, n: int, alpha: float, uniform: float) -> float:
    return randomised_lower(k, n, alpha, uniform**2)


def both_at_thrice(votes: int, others: int, n: int, terms: Terms) -> tuple[float, float | None]:
    level = 3 * terms.alpha
    return clopper_pearson_lower(votes, n, level), clopper_pearson_upper(others, n, level)


def hopeless_too_soon(counts: Sequence[int], candidate: int, terms: Terms) -> float:
    return radius_possible(counts, candidate, replace(terms, alpha=20 * terms.alpha))


def one_more(needed: float, n: int, alpha: float) -> tuple[int, ...]:
    return tuple(limit + 1 for limit in limits(needed, n, alpha))


ASKED = Settings(SIGMA, n=100, alpha=0.01)
RANDOM, TWO = replace(ASKED, method=RANDOMISED), replace(ASKED, n0=8, n=24, two_sided=True)
ANYTIME = replace(ASKED, method="anytime")
UNTIL, TABLE = replace(ANYTIME, n=300, until_radius=0.25), replace(ASKED, method=GROUP_SEQUENTIAL, table_radii=(0.25,))
BORDER = float(special.ndtr(1))  # the share that the radius 0.25 needs
SPREAD = (0.6, 0.4, 0.0)

BROKEN: dict[str, tuple[ModuleType, str, object, Callable[[], Row]]] = {
    "Clopper-Pearson at three times alpha": (
        bounds, "clopper_pearson_lower", at(3, clopper_pearson_lower), lambda: one_sided(ASKED, hard_truth(ASKED, 0.9))),
    "a number that is squared": (bounds, "randomised_lower", squared, lambda: one_sided(RANDOM, hard_truth(RANDOM, 0.9))),
    "two bounds at thrice alpha": (conclusion, "class_bounds", both_at_thrice, lambda: two_sided(TWO, SPREAD)),
    "PREDICT by a third of the p-value": (
        fixed, "prediction_p_value", lambda *votes: prediction_p_value(*votes) / 3, lambda: predict(50, 0.05, 0.5)),
    "anytime at twice alpha": (bounds, "anytime_lower", at(2, anytime_lower), lambda: whenever_one_likes(ANYTIME, 0.7)),
    "a fixed n's bound in place of the anytime one": (
        bounds, "anytime_lower", lambda k, n, alpha, mixture: clopper_pearson_lower(k, n, alpha),
        lambda: whenever_one_likes(ASKED, 0.7)),
    "anytime at five times alpha, a randomised run stopped": (
        bounds, "anytime_lower", at(5, anytime_lower), lambda: whenever_one_likes(RANDOM, 0.7)),
    "until a radius by a bound at ten times alpha": (
        bounds, "anytime_lower", at(10, anytime_lower), lambda: next(until_a_radius(UNTIL, BORDER - 1e-9))),
    "out of reach at twenty times alpha": (
        conclusion, "radius_possible", hopeless_too_soon, lambda: list(until_a_radius(UNTIL, BORDER + 1e-9))[1]),
    "two-sided anytime at ten times alpha": (
        bounds, "anytime_lower", at(10, anytime_lower),
        lambda: two_sides_whenever(replace(ANYTIME, n=32, two_sided=True), SPREAD, every=4)),
    "within a part by a bound at fifty times alpha": (
        bounds, "anytime_lower", at(50, anytime_lower), lambda: within_a_part(replace(ANYTIME, within=0.5), 0.55)),
    "a table with one vote more": (table, "limits", one_more, lambda: table_of_radii(TABLE, 0.25)),
    "radii a twentieth longer": (
        radius, "_QUANTILES", {"gaussian": lambda p: 1.05 * float(special.ndtri(p))}, lambda: sound_radius(12.0, 0.99, 1)),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_found(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, broken, ask = BROKEN[what]
    assert ask().ratio <= 1 + ROUNDING
    monkeypatch.setattr(module, name, broken)
    assert ask().ratio > 1.01


def test_the_command_prints_a_table_and_tells_by_its_exit_code(run: Callable[..., Ran]) -> None:
    ran = run("exact_oracles", "--only", "grid-noise")
    assert ran.code == 0
    assert "| sound mode's radius |" in ran.out
    assert "answered with more than is allowed" in ran.out
    document = json.loads(run("exact_oracles", "--only", "grid-noise", "--json").out)
    assert document["beyond"] == 0
    assert all(row["ratio"] <= 1 for row in document["rows"])


def test_the_command_fails_where_something_is_wrong(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, broken, _ = BROKEN["radii a twentieth longer"]
    monkeypatch.setattr(module, name, broken)
    assert run("exact_oracles", "--only", "grid-noise").code == 1
