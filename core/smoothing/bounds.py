"""Bounds on a probability from votes. Pure functions of counts; each is tested against an independent oracle.

``k`` of ``n`` independent votes are for the class; ``alpha`` is the chance the bound may be wrong.
"""

import math
from collections.abc import Callable
from functools import cache
from itertools import count

import numpy as np
from scipy import special

from core.errors import LabError

METHODS = ("clopper-pearson", "anytime", "randomised-clopper-pearson")
RANDOMISED = METHODS[2]
FIXED_N = (METHODS[0], RANDOMISED)  # valid for an n fixed beforehand alone

MIXTURE, UNIFORM = 0.5, 1.0
"""Of the anytime bound: b of its Beta(1, b) prior. It was uniform in certificates and logs that do not say; 1/2 has more weight
near 1, where the votes of what can be certified are."""

GROUP_SEQUENTIAL = "group-sequential"  # no bound but a test of given radii: core/smoothing/table.py
LEAST_P_VALUE = 1e-300
UNIFORM_KEY = 5  # of the stream of the randomised bound's number; those of noise are core.smoothing.noise.PURPOSES


def clopper_pearson_lower(k: int, n: int, alpha: float) -> float:
    """One-sided lower Clopper-Pearson bound: the alpha-quantile of Beta(k, n - k + 1).

    Valid for an ``n`` fixed beforehand. Clopper and Pearson (1934); used so by Cohen et al. (2019), section 3.2.2.

    >>> round(clopper_pearson_lower(990, 1000, 0.001), 6)
    0.976036
    """
    _check(k, n, alpha)
    return 0.0 if k == 0 else float(special.betaincinv(k, n - k + 1, alpha))


def clopper_pearson_upper(k: int, n: int, alpha: float) -> float:
    """One-sided upper Clopper-Pearson bound: the (1 - alpha)-quantile of Beta(k + 1, n - k)."""
    _check(k, n, alpha)
    return 1.0 if k == n else float(special.betainccinv(k + 1, n - k, alpha))


def randomised_lower(k: int, n: int, alpha: float, uniform: float) -> float:
    """Lower Clopper-Pearson bound that a uniform number makes exact: the p with P(votes > k) + uniform P(votes = k) = alpha.

    For an ``n`` fixed beforehand. With a ``uniform`` of 1 it is :func:`clopper_pearson_lower`, and any other raises it; wrong
    with probability alpha, whatever p is (Stevens 1950; for smoothing Voracek 2024). Of a unanimous vote a number below
    sqrt(alpha) counts as that, which lowers the bound: it shows no more than one of 2n samples does by Clopper-Pearson.

    >>> round(randomised_lower(100, 100, 0.001, 1.0), 4), round(randomised_lower(100, 100, 0.001, 0.5), 4)
    (0.9333, 0.9397)
    """
    _check(k, n, alpha)
    if k == n:
        return float((alpha / max(uniform, math.sqrt(alpha))) ** (1 / n))
    if k == 0:
        return 0.0

    def excess(p: float) -> float:
        more, as_many = special.betainc(k + 1, n - k, p), special.betainc(k, n - k + 1, p)
        return float(uniform * as_many + (1 - uniform) * more) - alpha

    low, high = (clopper_pearson_lower(votes, n, alpha) for votes in (k, k + 1))
    if excess(low) >= 0 or excess(high) <= 0:  # where the number is nearly 1 or 0, up to rounding
        return low if excess(low) >= 0 else high - 2e-14
    return max(low, _below_root(excess, low, high))


def uniform_number(seed: int) -> float:
    """The number of :func:`randomised_lower`, in (0, 1]: from a stream of its own, and a function of the seed alone, so that
    whoever wants another one gets other votes, too."""
    word = int(np.random.SeedSequence(seed, spawn_key=(UNIFORM_KEY,)).generate_state(1, np.uint64)[0])
    return ((word >> 11) + 1) / 2**53


def anytime_lower(k: int, n: int, alpha: float, mixture: float = MIXTURE) -> float:
    """Lower bound that holds at every ``n`` at once, so that sampling may stop whenever one likes.

    For a candidate p, the likelihood ratio against p, averaged over a Beta(1, ``mixture``) prior on [p, 1], is a test
    martingale M_n(p) with mean 1 if p is the truth. By Ville's inequality it ever reaches 1/alpha with probability at most
    alpha. The bound is the smallest p not rejected, M_n(p) < 1/alpha (Robbins 1970's method of mixtures; see
    docs/statistics.md). Even the greatest value over a run is a valid bound; a certificate uses the last one, which its counts
    alone give.

    >>> round(anytime_lower(100, 100, 0.001), 4), round(anytime_lower(100, 100, 0.001, mixture=UNIFORM), 4)
    (0.9226, 0.9132)
    """
    _check(k, n, alpha)
    if k == 0:
        return 0.0
    threshold = -math.log(alpha)

    def excess(p: float) -> float:
        return log_martingale(p, k, n, mixture) - threshold

    # On (0, k/n) the log martingale falls from +infinity; at k/n it is below any threshold that alpha < 1/2 sets.
    low, high = np.finfo(float).tiny, min(k / n, 1 - 1e-16)
    if excess(low) <= 0:
        return 0.0
    if excess(high) >= 0:  # only where alpha is close to 1
        return high
    return max(0.0, _below_root(excess, low, high))


def _below_root(excess: Callable[[float], float], low: float, high: float) -> float:
    """Where a function passes 0, and no greater: the search may end on either side, and the smaller end is the valid one."""
    from scipy import optimize  # half a second, which the app's first page need not wait for

    return float(optimize.brentq(excess, low, high, xtol=1e-14, rtol=1e-14)) - 2e-14


def log_martingale(p: float, k: int, n: int, mixture: float = MIXTURE) -> float:
    """log M_n(p): b Beta(k+1, n-k+b) P[Beta(k+1, n-k+b) > p] / (1-p)^b over p^k (1-p)^(n-k), all in logs; b is ``mixture``."""
    b = mixture
    above = float(special.betaincc(k + 1, n - k + b, p))  # P[Beta > p]
    if above == 0.0:
        return -math.inf
    averaged = math.log(b) + special.betaln(k + 1, n - k + b) + math.log(above) - b * math.log1p(-p)
    return float(averaged - special.xlogy(k, p) - special.xlog1py(n - k, -p))


def lower_bound(k: int, n: int, alpha: float, method: str, *, mixture: float = MIXTURE, uniform: float = 1.0) -> float:
    """The lower bound by name, one of :data:`METHODS`; ``mixture`` is of the anytime one, ``uniform`` of the randomised one.

    Raises:
        LabError: where the name is unknown.
    """
    match method:
        case "clopper-pearson":
            return clopper_pearson_lower(k, n, alpha)
        case "anytime":
            return anytime_lower(k, n, alpha, mixture)
        case "randomised-clopper-pearson":
            return randomised_lower(k, n, alpha, uniform)
    raise LabError(f"Unknown bound {method!r}: choose one of {', '.join(METHODS)}.")


def upper_bound(k: int, n: int, alpha: float, method: str, *, mixture: float = MIXTURE, uniform: float = 1.0) -> float:
    """The upper bound by name: of ``k`` votes for a class, n - k are not for it, and their share is bounded from below.

    >>> upper_bound(10, 1000, 0.001, "anytime") == 1 - anytime_lower(990, 1000, 0.001)
    True

    Raises:
        LabError: where the name is unknown.
    """
    if method == "clopper-pearson":
        return clopper_pearson_upper(k, n, alpha)
    return 1 - lower_bound(n - k, n, alpha, method, mixture=mixture, uniform=uniform)


def prediction_p_value(first: int, second: int) -> float:
    """Two-sided exact binomial test that the two largest counts are equally likely (PREDICT, Cohen et al. 2019)."""
    from scipy import stats  # a second to import, which nothing else here needs

    return 1.0 if first + second == 0 else float(stats.binomtest(first, first + second, 0.5).pvalue)


def fisher_p_value(k: int, n: int, fresh_k: int, fresh_n: int) -> float:
    """Fisher's exact test, two-sided, that ``k`` of ``n`` and ``fresh_k`` of ``fresh_n`` have the same probability.

    >>> fisher_p_value(990, 1000, 988, 1000) > 0.5, fisher_p_value(1000, 1000, 950, 1000) < 1e-12
    (True, True)
    """
    from scipy import stats  # as above

    return min(1.0, float(stats.fisher_exact([[k, n - k], [fresh_k, fresh_n - fresh_k]]).pvalue))


def anytime_p_value(k: int, n: int, fresh_k: int, fresh_n: int) -> float:
    """The same where ``n`` may have been chosen while looking at the votes; ``fresh_n`` was fixed beforehand.

    At level x the hypothesis is rejected where an interval for the first run that holds at every n at once (each end at
    x/4) and the Clopper-Pearson interval of the second (likewise) have no point in common: if both cover the one true
    probability they do. The p-value is the least x that rejects.

    >>> anytime_p_value(990, 1000, 988, 1000), anytime_p_value(1000, 1000, 950, 1000) < 1e-3
    (1.0, True)
    """

    def apart(level: float) -> bool:
        part = level / 4
        low, high = anytime_lower(k, n, part), upper_bound(k, n, part, "anytime")
        fresh_low, fresh_high = clopper_pearson_lower(fresh_k, fresh_n, part), clopper_pearson_upper(fresh_k, fresh_n, part)
        return low > fresh_high or fresh_low > high

    if not apart(1.0):
        return 1.0
    if apart(LEAST_P_VALUE):
        return LEAST_P_VALUE
    rejects, keeps = 0.0, math.log(LEAST_P_VALUE)  # both intervals only shrink as the level grows
    while rejects - keeps > 1e-3:
        middle = (rejects + keeps) / 2
        if apart(math.exp(middle)):
            rejects = middle
        else:
            keeps = middle
    return math.exp(rejects)


def samples_to_reject(p: float, too_high: float, level: float, power: float) -> int:
    """The least n, but for the steps of whole votes, by which the exact test at ``level`` that a class has at least the
    probability ``p`` rejects with this power, where it has ``p - too_high``.

    >>> samples_to_reject(0.99, 0.02, 0.001, 0.99)
    1344
    """
    claimed = min(max(p, too_high), 1 - 1e-9)

    def suffices(n: int) -> bool:
        most = math.floor(special.bdtrik(level, n, claimed)) - 1  # votes that reject, but for those of a rounding
        most += bool(special.bdtr(most + 1, n, claimed) <= level)
        return most >= 0 and bool(special.bdtr(most, n, claimed - too_high) >= power)

    few, enough = 0, 1
    while not suffices(enough):
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if suffices(middle) else (middle, enough)
    return enough


@cache
def least_n_to_certify(alpha: float, method: str = "clopper-pearson") -> int:
    """The least ``n`` whose bound can exceed 1/2, were every vote the same: below it, CERTIFY can only abstain.

    >>> least_n_to_certify(0.001)
    10
    """
    return next(n for n in count(1) if lower_bound(n, n, alpha, method, uniform=0.0) > 0.5)


@cache
def least_n_to_predict(alpha: float) -> int:
    """The least ``n`` with which PREDICT can return a class.

    >>> least_n_to_predict(0.001)
    11
    """
    return next(n for n in count(1) if prediction_p_value(n, 0) <= alpha)


def _check(k: int, n: int, alpha: float) -> None:
    if not 0 <= k <= n or n < 1:
        raise LabError(f"{k} of {n} votes is impossible: expected 0 <= k <= n and n >= 1.")
    if not 0 < alpha < 1:
        raise LabError(f"alpha is {alpha}: expected a number between 0 and 1, such as 0.001.")
