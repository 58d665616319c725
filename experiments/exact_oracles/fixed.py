"""How often bounds for an n fixed beforehand are wrong: sums over all votes that may fall."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import stats

from core.smoothing.bounds import FIXED_N, RANDOMISED, prediction_p_value
from core.smoothing.conclusion import conclude, part_for_lower
from core.smoothing.settings import Settings, Terms
from experiments.exact_oracles.votes import SHAPE, SIGMA, Row, outcomes, share_of_numbers, true_radius

ALPHAS = (0.05, 0.001)


def fixed_rows(full: bool) -> Iterator[Row]:
    """Every rule that counts a fixed number of samples, where it errs most."""
    for alpha in ALPHAS:
        for n in (100, 1_000, 10_000) if full else (100,):
            for share, tries, method in itertools.product((0.7, 0.9, 0.99, 1.0), (1, 5), FIXED_N):
                asked = Settings(SIGMA, n=n, alpha=alpha, method=method, tries=tries)
                yield one_sided(asked, hard_truth(asked, share))
        n = 80 if full else 24
        for shares in ((0.6, 0.4, 0.0), (0.6, 0.3, 0.1), (0.4, 0.3, 0.3), (0.9, 0.1, 0.0), (0.9, 0.07, 0.03), (0.3, 0.4, 0.3)):
            for method in FIXED_N:
                yield two_sided(Settings(SIGMA, n0=8, n=n, alpha=alpha, method=method, two_sided=True), shares)
        for n in (50, 500) if full else (50,):
            yield predict(n, alpha, 0.5)
            yield predict(n, alpha, 0.45)


def hard_truth(settings: Settings, share: float) -> float:
    """A probability at which a bound errs as often as it may, near the bounds of this share of the votes.

    Of Clopper-Pearson that is just below the bound of a count, taken from scipy; the randomised one errs everywhere alike, so
    that any between the bounds of two counts will do.
    """
    k = round(share * settings.n) - (0.4 if settings.method == RANDOMISED else 0.0)
    return float(stats.beta.ppf(settings.alpha / settings.tries, k, settings.n - k + 1)) * (1 - 1e-9)


def one_sided(settings: Settings, p: float) -> Row:
    """A bound of one class; with tries, that any of so many certificates of independent noise is false."""
    terms, n, truth = settings.terms(SHAPE), settings.n, true_radius(p)
    wrong = 0.0
    for k, chance in enumerate(stats.binom.pmf(np.arange(n + 1), n, p)):
        if chance > 1e-16:
            wrong += chance * _false((k, n - k), 0, terms, truth)
    name = settings.method if settings.tries == 1 else f"{settings.method}, best of {settings.tries} tries"
    told = f"n = {n:,}, alpha {settings.alpha:g}, p = {p:.6g}"
    return Row(name, told, 1 - (1 - wrong) ** settings.tries, settings.alpha)


def two_sided(settings: Settings, shares: tuple[float, ...]) -> Row:
    """CERTIFY as a whole: n0 samples choose the class and how alpha is shared, n fresh ones bound it and its runner-up."""
    terms, wrong = settings.terms(SHAPE), 0.0
    chosen: dict[tuple[int, float], float] = {}
    for counts0, chance in outcomes(settings.n0, shares):
        candidate = int(np.argmax(counts0))
        case = candidate, part_for_lower(counts0, candidate)
        chosen[case] = chosen.get(case, 0.0) + chance
    for (candidate, part), frequent in chosen.items():
        others = [share for index, share in enumerate(shares) if index != candidate]
        truth = true_radius(shares[candidate], max(others))
        for counts, chance in outcomes(settings.n, shares):
            if chance * frequent > 1e-12:
                wrong += frequent * chance * _false(counts, candidate, replace(terms, lower_part=part), truth)
            else:
                wrong += frequent * chance
    told = f"n0 = {settings.n0}, n = {settings.n}, alpha {settings.alpha:g}, shares {', '.join(map(str, shares))}"
    return Row(f"two-sided {settings.method}", told, wrong, settings.alpha)


def _false(counts: tuple[int, ...], candidate: int, terms: Terms, truth: float) -> float:
    """The chance, over the uniform number where there is one, that these votes certify more than the truth."""
    if terms.method != RANDOMISED:
        return float(conclude(counts, candidate, terms).radius > truth)
    return share_of_numbers(lambda u: conclude(counts, candidate, replace(terms, uniform=u)).radius > truth)


def predict(n: int, alpha: float, p: float) -> Row:
    """PREDICT answers with a class that has no more than ``p`` of two classes' probability; at 1/2 either is as good."""
    wrong = sum(
        chance
        for k, chance in enumerate(stats.binom.pmf(np.arange(n + 1), n, p))
        if 2 * k > n and prediction_p_value(k, n - k) <= alpha
    )
    return Row("PREDICT", f"n = {n}, alpha {alpha:g}, p = {p:g}", float(wrong), alpha)
