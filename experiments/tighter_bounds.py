"""The radii that tighter bounds win, in sigma, beside those of the bounds before them, at alpha = 0.001.

python -m experiments.tighter_bounds prints the table of docs/statistics.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from core.smoothing.bounds import MIXTURE, RANDOMISED, UNIFORM
from core.smoothing.conclusion import conclude
from core.smoothing.settings import HALF, NEARLY_ALL, Terms
from experiments.printed_table import print_table

ALPHA, NS = 0.001, (100, 1_000, 10_000)
FIXED = Terms(alpha=ALPHA, sigma=1.0, shape=(3, 32, 32))
NUMBERS = (np.arange(64) + 0.5) / 64
"""Uniform numbers to average over, evenly spread."""


def radius(k: int, n: int, terms: Terms) -> float:
    """Of ``k`` votes against n - k for one other class."""
    return conclude((k, n - k), 0, terms).radius


def mean_radius(share: float, n: int, *, randomised: bool) -> float:
    """Over the votes of a class that has this share of the probability, and over the number where there is one."""
    chances = stats.binom.pmf(np.arange(n + 1), n, share)
    found = 0.0
    for k in np.flatnonzero(chances > 1e-6).tolist():
        terms = [replace(FIXED, method=RANDOMISED, uniform=float(u)) for u in NUMBERS] if randomised else [FIXED]
        found += chances[k] * float(np.mean([radius(k, n, each) for each in terms]))
    return found


def rows() -> Iterator[tuple[str, int, float, float]]:
    """What is bounded, n, and the radius before and now."""
    for share, votes in ((1.0, "all votes"), (0.99, "99% of the votes")):
        for n in NS:
            both = (replace(FIXED, method="anytime", mixture=mixture) for mixture in (UNIFORM, MIXTURE))
            before, now = (radius(round(share * n), n, terms) for terms in both)
            yield f"anytime, {votes}", n, before, now
    for share, words in ((1.0, "a class with all"), (0.99, "a class with 99%")):
        for n in NS:
            before, now = (mean_radius(share, n, randomised=randomised) for randomised in (False, True))
            yield f"randomised for Clopper-Pearson, {words} of the probability, mean", n, before, now
    for share, votes in ((1.0, "all votes"), (0.99, "99% of the votes, one class the rest")):
        for n in NS:
            both = (replace(FIXED, two_sided=True, lower_part=part) for part in (HALF, NEARLY_ALL))
            before, now = (radius(round(share * n), n, terms) for terms in both)
            yield f"two-sided, {votes}", n, before, now


def table() -> str:
    """The rows in Markdown."""
    head = "| bound | n | before | now | won |\n|---|---:|---:|---:|---:|\n"
    return head + "".join(f"| {what} | {n:,} | {old:.3f} | {new:.3f} | {new / old - 1:.1%} |\n" for what, n, old, new in rows())


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    return print_table(
        "tighter_bounds", "Print the radii that tighter bounds win, beside those of the bounds before them.", table, argv
    )


if __name__ == "__main__":
    sys.exit(main())
