"""How often rules that may end a run before its last sample say something false: dynamic programmes over all runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from core.smoothing.bounds import FIXED_N, GROUP_SEQUENTIAL, RANDOMISED
from core.smoothing.conclusion import OUT_OF_REACH, Conclusion, conclude, outcome
from core.smoothing.settings import Settings, Terms
from core.smoothing.table import looks
from experiments.exact_oracles.votes import SHAPE, SIGMA, Against, Chances, Row, most, share_of_numbers, true_radius

ALPHAS = (0.05, 0.001)
P_SMALL, P_FULL = (0.7, 0.9), (0.5, 0.7, 0.9, 0.97, 0.99, 0.999)
SETTLED = 0.25
"""A radius to settle, which 84.13% of the votes give."""


TWO_SIDED = ((0.6, 0.4, 0.0), (0.6, 0.3, 0.1), (0.5, 0.3, 0.2), (0.4, 0.3, 0.3), (0.9, 0.1, 0.0), (0.9, 0.06, 0.04))


def stopping_rows(full: bool) -> Iterator[Row]:
    """All rules for runs that may end early, with truths of several kinds."""
    n = 10_000 if full else 300
    for alpha in ALPHAS:
        for p, method in itertools.product(P_FULL if full else P_SMALL, ("anytime", *FIXED_N)):
            yield whenever_one_likes(Settings(SIGMA, n=n, alpha=alpha, method=method), p)
        border = float(stats.norm.cdf(SETTLED / SIGMA))
        for p in (border - 1e-9, border + 1e-9, *(P_FULL if full else ())):
            yield from until_a_radius(Settings(SIGMA, n=n, alpha=alpha, method="anytime", until_radius=SETTLED), p)
        for p in P_FULL if full else (0.55,):
            yield within_a_part(Settings(SIGMA, n=min(n, 2_000), alpha=alpha, method="anytime", within=0.3), p)
        for truth in (0.0, 0.25, 0.5) if full else (0.25,):
            asked = Settings(SIGMA, n=n if full else 900, alpha=alpha, method=GROUP_SEQUENTIAL, table_radii=(0.0, 0.25, 0.5))
            yield table_of_radii(asked, truth)
        for shares in TWO_SIDED if full else TWO_SIDED[:2]:
            asked = Settings(SIGMA, n=96 if full else 32, alpha=alpha, method="anytime", two_sided=True)
            yield two_sides_whenever(asked, shares, every=1 if full else 4)


def whenever_one_likes(settings: Settings, p: float) -> Row:
    """Whoever runs it sees every vote, and ends it as soon as the certificate would be false.

    A run planned with a bound for a fixed n has that at its end, and the anytime bound where it is ended before.
    """
    terms, truth, votes = settings.terms(SHAPE), true_radius(p), Against(p)
    early, allowed, false, wrong = replace(terms, method="anytime"), terms.alpha, -1, 0.0
    for n in range(1, settings.n if settings.method in FIXED_N else settings.n + 1):
        votes.sample(1)
        while false < n and conclude((n - false - 1, false + 1), 0, early).radius > truth:
            false += 1  # the most votes against with which the radius is false: it never falls as n grows
        wrong += float(votes.leave(np.arange(n + 1) <= false).sum())
    if settings.method in FIXED_N:
        votes.sample(1)
        allowed = 2 * terms.alpha
        for against, chance in enumerate(votes.chances):
            wrong += chance * _false_at_the_end(settings.n, against, terms, truth)
    name = "anytime, ended at the worst moment" if settings.method == "anytime" else f"{settings.method}, or stopped before"
    return Row(name, _told(settings, f"p = {p:g}"), wrong + votes.lost, allowed)


def _false_at_the_end(n: int, against: int, terms: Terms, truth: float) -> float:
    if terms.method != RANDOMISED:
        return float(conclude((n - against, against), 0, terms).radius > truth)
    return share_of_numbers(lambda u: conclude((n - against, against), 0, replace(terms, uniform=u)).radius > truth)


def until_a_radius(settings: Settings, p: float) -> Iterator[Row]:
    """A run that ends once a radius is settled: its certificate, and "out of reach" where the radius is true."""
    terms, truth, votes = settings.terms(SHAPE), true_radius(p), Against(p)
    wrong = unreachable = 0.0
    for n in looks(settings.n):
        votes.sample(n - votes.n)

        def found(against: int, n: int = n) -> str | None:
            return outcome((n - against, against), 0, settings, terms)

        size = len(votes.chances)
        reached = most(lambda m: found(m) not in (None, OUT_OF_REACH), 0, size - 1)
        open_ = most(lambda m: found(m) != OUT_OF_REACH, 0, size - 1)
        against = np.arange(size)
        ending = (against <= reached) | (against > open_) | (n == settings.n)
        left = votes.leave(ending)
        wrong += _false(left, n, terms, truth)
        unreachable += float(left[open_ + 1 :].sum())
    told = _told(settings, f"p = {p:g}, radius {settings.until_radius:g}")
    yield Row("until a radius: the certificate", told, wrong + votes.lost, terms.alpha)
    if truth >= (settings.until_radius or 0):
        yield Row("until a radius: out of reach, though true", told, unreachable + votes.lost, terms.alpha)


def within_a_part(settings: Settings, p: float) -> Row:
    """A run that ends once more samples would add little."""
    terms, truth, votes, wrong = settings.terms(SHAPE), true_radius(p), Against(p), 0.0
    for n in looks(settings.n):
        votes.sample(n - votes.n)
        ending = [
            chance > 1e-18 and outcome((n - m, m), 0, settings, terms) is not None for m, chance in enumerate(votes.chances)
        ]
        left = votes.leave(np.array(ending) | (n == settings.n))
        wrong += _false(left, n, terms, truth)
    return Row("within a part of the radius", _told(settings, f"p = {p:g}"), wrong + votes.lost, terms.alpha)


def table_of_radii(settings: Settings, truth: float) -> Row:
    """A test of radii, of which this one and those above are false by a hair; ended by hand at the worst moment, too."""
    terms = settings.terms(SHAPE)
    p = float(stats.norm.cdf(truth / SIGMA)) - 1e-9
    votes, wrong = Against(p), 0.0
    for n in range(1, settings.n + 1):
        votes.sample(1)
        if n in looks(settings.n) or n % 7 == 0:
            false = _most(n, terms, truth, _at_least)
            wrong += float(votes.leave(np.arange(n + 1) <= false).sum())
    told = _told(settings, f"of {', '.join(f'{r:g}' for r in terms.table_radii)} those from {truth:g} are false")
    return Row("a table of radii, ended at the worst moment", told, wrong + votes.lost, terms.alpha)


def _above(found: Conclusion, truth: float) -> bool:
    return found.radius > truth


def _at_least(found: Conclusion, truth: float) -> bool:
    """Of a table, where the radius 0 says that there is a class."""
    return not found.abstained and found.radius >= truth


def _most(n: int, terms: Terms, truth: float, false: Callable[[Conclusion, float], bool] = _above) -> int:
    """The most votes against with which the certificate is false; -1 where none is."""
    return most(lambda against: false(conclude((n - against, against), 0, terms), truth), 0, n)


def _false(left: Chances, n: int, terms: Terms, truth: float) -> float:
    """The chance of those that left with a certificate whose radius is false."""
    return float(left[: _most(n, terms, truth) + 1].sum())


def two_sides_whenever(settings: Settings, shares: Sequence[float], every: int) -> Row:
    """The two-sided anytime radius of the first of three classes, read at the worst moment, with alpha shared either way."""
    truth = true_radius(shares[0], max(shares[1:]))
    worst = 0.0
    for part in (0.5, 0.95):
        terms = replace(settings.terms(SHAPE), lower_part=part)
        alive, wrong = np.ones((1, 1)), 0.0  # votes for the second class, for the third
        for n in range(1, settings.n + 1):
            grown = np.zeros((n + 1, n + 1))
            grown[:-1, :-1] += shares[0] * alive
            grown[1:, :-1] += shares[1] * alive
            grown[:-1, 1:] += shares[2] * alive
            alive = grown
            if n % every and n != settings.n:
                continue
            for others in range(n + 1):

                def false(b: int, n: int = n, others: int = others, terms: Terms = terms) -> bool:
                    return conclude((n - others, b, others - b), 0, terms).radius > truth

                half = (others + 1) // 2
                for b in range(half, most(false, half, others) + 1):  # the greater of the two counts
                    for second in {b, others - b}:
                        wrong += float(alive[second, others - second])
                        alive[second, others - second] = 0.0
        worst = max(worst, wrong)
    told = _told(settings, f"shares {', '.join(f'{share:g}' for share in shares)}")
    return Row("two-sided anytime, ended at the worst moment", told, worst, settings.alpha)


def _told(settings: Settings, truth: str) -> str:
    return f"n = {settings.n:,}, alpha {settings.alpha:g}, {truth}"
