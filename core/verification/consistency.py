"""Did two runs draw their votes from the same probabilities? Tests with a known rate of false alarms."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.smoothing.bounds import anytime_lower, clopper_pearson_lower, clopper_pearson_upper, upper_bound
from core.smoothing.certificate import Certificate

LEVEL = 0.001
"""The chance that a true certificate is called inconsistent with fresh samples."""

_LEAST = 1e-300


def consistency_p_value(certificate: Certificate, counts: Sequence[int]) -> float:
    """A p-value for the hypothesis that fresh counts and the certificate's come from the same probabilities.

    It is at most x with probability at most x, for every x, where the certificate is true. Tested are the candidate's
    votes and, of a two-sided certificate, the runner-up's as well; that one was picked by its votes, so the least p-value is
    multiplied as if every other class had been tested (Bonferroni).

    Args:
        certificate: with at least one counted vote.
        counts: votes of the fresh samples, one entry a class; how many samples was fixed beforehand.
    """
    # Whoever may stop at will can stop at a lucky moment, so Fisher's test, which takes n as given, would alarm too often.
    test = fisher_p_value if certificate.method == "clopper-pearson" else anytime_p_value
    candidate = certificate.candidate or 0
    k, n = certificate.counts[candidate], certificate.n
    p_value = test(k, n, counts[candidate], sum(counts))
    runner_up = certificate.runner_up
    if not certificate.two_sided or runner_up is None:
        return p_value
    other = test(certificate.counts[runner_up], n, counts[runner_up], sum(counts)) * (len(counts) - 1)
    return min(1.0, 2 * min(p_value, other))


def fisher_p_value(k: int, n: int, fresh_k: int, fresh_n: int) -> float:
    """Fisher's exact test, two-sided, that ``k`` of ``n`` and ``fresh_k`` of ``fresh_n`` have the same probability.

    >>> fisher_p_value(990, 1000, 988, 1000) > 0.5, fisher_p_value(1000, 1000, 950, 1000) < 1e-12
    (True, True)
    """
    from scipy import stats  # a second to import, which only this needs

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
    if apart(_LEAST):
        return _LEAST
    rejects, keeps = 0.0, math.log(_LEAST)  # both intervals only shrink as the level grows
    while rejects - keeps > 1e-3:
        middle = (rejects + keeps) / 2
        if apart(math.exp(middle)):
            rejects = middle
        else:
            keeps = middle
    return math.exp(rejects)
