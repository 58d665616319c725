"""Every figure of docs/statistics.md is what the code gives: its passages are written anew from computed numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from core.smoothing.bounds import (
    MIXTURE,
    RANDOMISED,
    UNIFORM,
    anytime_lower,
    clopper_pearson_lower,
    least_n_to_certify,
    least_n_to_predict,
    prediction_p_value,
    randomised_lower,
)
from core.smoothing.conclusion import OUT_OF_REACH, REACHED, conclude, radius_outcome, samples_fixed_beforehand
from core.smoothing.radius import l2_radius, own_radius, radius_ceiling
from core.smoothing.settings import HALF, NEARLY_ALL, Terms
from core.smoothing.table import EARLY, FIRST_LOOK, PRIOR, UNLIKELY, chance, limits, looks
from experiments import repeated_looks, tighter_bounds
from tests.docs.markdown_pages import ROOT

PAGE = " ".join((ROOT / "docs" / "statistics.md").read_text(encoding="utf-8").split())
ALPHA, N, SIGMA, RADIUS = 0.001, 10_000, 0.25, 0.5
TERMS = Terms(alpha=ALPHA, sigma=SIGMA, shape=(3, 32, 32), method="anytime", n_planned=N)
NEEDED = TERMS.share_needed(RADIUS)
NS, ENDS = (100, 1_000, N), (1.0, 0.99, 0.9)


def radius(k: int, n: int, *others: int, two_sided: bool = False) -> float:
    terms = Terms(alpha=ALPHA, sigma=1, shape=(3, 32, 32), two_sided=two_sided)
    return conclude((k, *(others or (n - k,))), 0, terms).radius


def kept(n: int, share: float, mixture: float = MIXTURE) -> float:
    """The part of the fixed-n radius that the anytime bound leaves."""
    k = round(share * n)
    return l2_radius(anytime_lower(k, n, ALPHA, mixture), 1) / l2_radius(clopper_pearson_lower(k, n, ALPHA), 1)


def prices() -> Iterator[str]:
    for n in NS:
        parts = (f"{kept(n, share):.3f} ({kept(n, share, UNIFORM):.3f})" for share in ENDS)
        yield f"| {n:,} | " + " | ".join(parts) + " |"
    yield f"gives about {1 / kept(N, 0.99) - 1:.0%} more again at n = 10,000"


def added(n: int, share: float) -> float:
    """What the randomised bound adds to the mean radius over votes, of a class with this share, and numbers."""
    chances = stats.binom.pmf(np.arange(n + 1), n, share)
    numbers = (np.arange(64) + 0.5) / 64
    with_number = fixed = 0.0
    for k in np.flatnonzero(chances > 1e-6).tolist():
        fixed += chances[k] * l2_radius(clopper_pearson_lower(k, n, ALPHA), 1)
        found = [l2_radius(randomised_lower(k, n, ALPHA, number), 1) for number in numbers]
        with_number += chances[k] * float(np.mean(found))
    return with_number / fixed - 1


def randomised() -> Iterator[str]:
    yield "| n | a class with all of the probability | 99.9% of it | 99% of it | 90% of it |"
    for n in NS:
        yield f"| {n:,} | " + " | ".join(f"{added(n, share):.1%}" for share in (1.0, 0.999, 0.99, 0.9)) + " |"
    for n in NS:
        at_most = radius_ceiling(1, n, ALPHA, RANDOMISED)
        assert at_most == pytest.approx(radius_ceiling(1, 2 * n, ALPHA))  # "n samples show at most what 2n samples show"


def two_sides() -> Iterator[str]:
    def lost(n: int, part: float) -> str:
        terms = replace(TERMS, method="clopper-pearson", sigma=1, two_sided=True, lower_part=part)
        ks = [round(share * n) for share in ENDS]
        found = sorted(1 - conclude((k, n - k), 0, terms).radius / radius(k, n) for k in ks)
        return f"{found[0]:.1%} to {found[-1]:.1%}"

    costs = [f"{lost(n, NEARLY_ALL)} ({lost(n, HALF)})" for n in NS]
    yield f"at a = {NEARLY_ALL} (before, at 1/2) {costs[0]} at n = 100, {costs[1]} at 1,000 and {costs[2]} at 10,000"
    yield f"a is {NEARLY_ALL} where"
    spread = [radius(700, 1_000, 100, 100, 100, two_sided=sides) for sides in (True, False)]
    yield f"gives {spread[0] / spread[1]:.1f} times the radius"
    b = 1 / math.sqrt(2)
    laplace = own_radius("laplace", 0.9, 0.02, 1) / max(-b * math.log(1 - 0.9 + 0.02), b / 2 * math.log(0.9 / 0.02))
    yield f"at pA = 0.9 and pB = 0.02 by {laplace - 1:.0%}"


def ceilings() -> Iterator[str]:
    fixed, anytime = (
        [f"{radius_ceiling(1, n, ALPHA, method):.3f}" for n in (*NS, 100_000)] for method in ("clopper-pearson", "anytime")
    )
    named = zip(fixed, ("n = 100", "1,000", "10,000", "100,000"), strict=True)
    yield ", ".join(f"{ceiling} sigma for {n}" for ceiling, n in named)
    yield f"({', '.join(anytime[:3])} and {anytime[3]} sigma)"
    least = least_n_to_certify(ALPHA)
    yield f"a vote of {least} can be certified ({ALPHA}^(1/{least}) = {ALPHA ** (1 / least):.3f}), with the anytime bound of"
    yield f"{least_n_to_certify(ALPHA, 'anytime')}, and below that"
    decides = least_n_to_predict(ALPHA)
    assert decides == 11
    yield (
        f"At alpha = 0.001 the least n that can decide is {decides}: ten votes that agree have a p-value of 2 / 2^10 ="
        f" {prediction_p_value(10, 0):.5f}, eleven of {prediction_p_value(11, 0):.5f}"
    )


def followed(share: float, ends: Callable[[int, int], bool]) -> Iterator[tuple[int, np.ndarray]]:
    """At each look of a run its sample number and the chances, exact, that it ends there with 0, 1, 2, ... votes against."""
    alive, done = np.ones(1), 0
    for at in looks(N):
        if not alive.size:
            return
        alive, done = np.convolve(alive, stats.binom.pmf(np.arange(at - done + 1), at - done, 1 - share)), at
        alive = np.trim_zeros(np.where(alive > 1e-9, alive, 0), "b")
        ending = np.array([at == N or (p > 0 and ends(at, against)) for against, p in enumerate(alive)], dtype=bool)
        yield at, np.where(ending, alive, 0)
        alive = np.where(ending, 0, alive)


def settled(at: int, against: int) -> str | None:
    return radius_outcome((at - against, against), 0, RADIUS, TERMS)


def until_a_radius() -> Iterator[str]:
    open_ones, first, end = {}, 0, 0  # votes against with which a look settles nothing; more samples allow more of them
    for at in looks(N):
        outcome = partial(settled, at)
        while outcome(first) == REACHED:
            first += 1
        end = max(first, end)
        while outcome(end) != OUT_OF_REACH:
            end += 1
        open_ones[at] = range(first, end)
    shares = (0.9999, 0.999, 0.99, 0.985, 0.97, 0.95, 0.9, 0.7)
    means = (
        sum(at * chances.sum() for at, chances in followed(share, lambda at, against: against not in open_ones[at]))
        for share in shares
    )
    yield "| true share of the votes | " + " | ".join(f"{100 * share:.4g}%" for share in shares) + " |"
    yield "| mean samples | " + " | ".join(f"{mean:,.0f}" for mean in means) + " |"
    known = (samples_fixed_beforehand(share, RADIUS, TERMS) for share in shares)
    yield "had the share been known | " + " | ".join("–" if n is None else f"{n:,}" for n in known) + " |"
    yield f"r = {RADIUS} (which needs {NEEDED:.1%} of the votes)"


def given_up() -> Iterator[str]:
    limit = limits(NEEDED, N, ALPHA)

    def unlikely(at: int, against: int) -> bool:
        return chance(at - against, at, limit[-1], N) < UNLIKELY

    allowed = dict(zip(looks(N), limit, strict=True))
    found = []
    for share in (0.983, 0.98):
        some = lost = 0.0
        for at, chances in followed(share, lambda at, against: against <= allowed[at] or unlikely(at, against)):
            against = np.arange(len(chances))
            ended = np.where((against > allowed[at]) & (at < N), chances, 0)
            some += ended.sum()
            lost += (ended * stats.binom.cdf(limit[-1] - against, N - at, 1 - share)).sum()
        found.append((some, lost))
    (some, lost), (more, gone) = found
    yield f"(which needs {NEEDED:.1%}) with a true share of 98.3%, {some:.0%} are given up, and {lost / some:.0%} of these,"
    yield f"{lost:.1%} of all, would have been certified with all n samples; with 98% it is {gone / more:.1%} of {more:.0%}."


def table() -> Iterator[str]:
    def fixed(needed: float) -> int:
        return max(k for k in range(N // 5) if clopper_pearson_lower(N - k, N, ALPHA) >= needed)

    shares = [TERMS.share_needed(r) for r in (0.25, 0.5, 0.75)]
    last = [f"{limits(share, N, ALPHA)[-1]:,}" for share in shares]
    plain = [f"{fixed(share):,}" for share in shares]
    yield f"the limits are {last[0]}, {last[1]} and {last[2]} votes against for the radii 0.25, 0.5 and 0.75"
    yield f"in place of {plain[0]}, {plain[1]} and {plain[2]}."
    yield f"with fewer than {math.ceil(math.log(ALPHA) / math.log(shares[2])):,} samples"
    yield f"a part ({EARLY}, growing with"
    yield f"below {UNLIKELY:.0%} by a beta-binomial prediction with a Beta(1, {PRIOR}) prior"


def looked_at() -> Iterator[str]:
    yield " ".join(repeated_looks.table().split())


def won() -> Iterator[str]:
    yield " ".join(tighter_bounds.table().split())
    assert all(now > before for what, _, before, now in tighter_bounds.rows() if "anytime, 99%" not in what)


GROUPS = (looked_at, won, prices, randomised, two_sides, ceilings, until_a_radius, given_up, table)


@cache
def passages(group: Callable[[], Iterator[str]]) -> tuple[str, ...]:
    return tuple(group())


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_the_page_says_what_the_code_gives(group: Callable[[], Iterator[str]]) -> None:
    for passage in passages(group):
        assert passage in PAGE


def chosen() -> Iterator[str]:
    """Settings, examples, what a data type holds, a section's number, preprints: with the words around them."""
    yield from (f"alpha = {ALPHA}", f"n = {N:,}", f"sigma = {SIGMA}", f"at most {N:,}", f"takes its {N:,} each time")
    yield from ("| 99% of them | 90% of them |", "the class has 90% of the votes, 99% or all", "(98.5%, 97%)")
    yield from ("70% against three times 10% of 1,000 samples", "such as 0.25, 0.5 and 0.75", "for the radius 0.5 ")
    yield "it was one picture of 250, at 0.5"  # tests/experiments/test_replayed_figures.py
    yield from (
        "where 5% is said",
        "part of the 5%",
        "(0.05 is 5%)",
        "section 3.2.1",
        "arXiv 1902.02918",
        "arXiv 2002.08118",
        "arXiv 2003.01908",
    )
    yield from ("(3,072 at 32 x 32)", "8-bit", "32-bit", "+ noise) / 255", "255 R / sqrt(d)")
    yield from (
        "at least 10,000 simulated runs a setting",
        "20,000 simulated runs a setting",
        f"hardly more than {UNLIKELY:.0%}",
    )
    late = next(before for before, at in pairwise(looks(10 * N)) if at - before > FIRST_LOOK)
    yield f"(every {FIRST_LOOK}, after {late:,} every 1/16 more)"
    steps = [(before, at - before) for before, at in pairwise(looks(10 * N)[:-1])]
    assert all(step == max(FIRST_LOOK, (before // 16) // FIRST_LOOK * FIRST_LOOK) for before, step in steps)


def test_no_other_figure_stands_there() -> None:
    before, after = PAGE.split("On real pictures:")
    left = before + after.split("### Within a part of the radius")[1]  # the stored votes' table: tests/experiments
    for passage in (*(passage for group in GROUPS for passage in passages(group)), *chosen()):
        assert passage in PAGE
        left = left.replace(passage, "")
    figures = re.findall(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)*%?", left)
    # What is left are the numbers of formulas, and years.
    assert {figure for figure in figures if not re.fullmatch(r"[0-3]|(19|20)\d\d", figure)} == set()
