"""Recomputing what a certificate claims from its counts: bound, radii, ceiling, abstention, prediction."""

from __future__ import annotations

import math
from typing import Any

from core.smoothing.bounds import GROUP_SEQUENTIAL
from core.smoothing.certificate import Certificate
from core.smoothing.conclusion import conclude
from core.smoothing.stopping import outcome
from core.verification.check import DIFFERS, NOT_CHECKED, SAME, Check

TOLERANCE = 1e-8
"""Relative; versions of SciPy differ in the last digits of a quantile."""


def check_arithmetic(certificate: Certificate) -> list[Check]:
    """Recompute every field that follows from others, and name each that does not."""
    c = certificate
    checks = _check_counts(c)
    if any(check.status == DIFFERS for check in checks):
        skipped = "The counts contradict themselves, so nothing can be computed from them."
        return [*checks, Check("bound and radius", NOT_CHECKED, skipped)]
    return [*checks, *_check_run(c), *_check_claims(c)]


def _check_counts(c: Certificate) -> list[Check]:
    classes = len(c.counts)
    checks = [_compare("n", c.n, sum(c.counts), "the sum of the counts")]
    if c.labels is not None and len(c.labels) != classes:
        checks.append(_compare("labels", len(c.labels), classes, "the number of classes counted"))
    if c.candidate is None and c.n:
        checks.append(
            Check("candidate", DIFFERS, "Votes were counted, but no class was chosen to be counted.", None, "a class")
        )
    if c.candidate is not None and c.candidate >= classes:
        checks.append(Check("candidate", DIFFERS, f"Class {c.candidate} is none of the {classes} classes.", c.candidate))
    return checks


def _check_run(c: Certificate) -> list[Check]:
    """What the way the run ended allows."""
    stopped = c.n < c.n_planned
    checks = [_compare("stopped", c.stopped, stopped, f"{c.n:,} of {c.n_planned:,} planned samples")]
    if c.n > c.n_planned:
        checks.append(Check("n_planned", DIFFERS, f"More samples were counted ({c.n:,}) than planned.", c.n_planned, c.n))
    if stopped and c.method != GROUP_SEQUENTIAL:
        checks.append(_compare("method", c.method, "anytime", "a run that ended early"))
    allowed = (c.alpha, 2 * c.alpha) if stopped else (c.alpha,)
    found = next((value for value in allowed if _close(c.failure_probability, value)), allowed[-1])
    checks.append(_compare("failure_probability", c.failure_probability, found, "alpha"))
    if not c.classifier.ref.startswith("api/"):
        # Of an API, answers that were stored already took no time.
        speed = (c.n0 + c.n) / c.seconds if c.seconds else 0.0
        checks.append(_compare("samples_per_second", c.samples_per_second, speed, "n0, n and seconds"))
    return checks


def _check_claims(c: Certificate) -> list[Check]:
    """What CERTIFY would conclude from these counts."""
    found = conclude(c.counts, c.candidate, c.terms)
    prediction = None if found.abstained else c.candidate
    label = None if prediction is None or c.labels is None else c.labels[prediction]
    checks = [
        _compare("p_lower", c.p_lower, found.p_lower, "the counts"),
        _compare("p_upper", c.p_upper, found.p_upper, "the counts"),
        _compare("runner_up", c.runner_up, found.runner_up, "the counts"),
        _compare("radius", c.radius, found.radius, "the counts"),
        _compare("radius_ceiling", c.radius_ceiling, found.radius_ceiling, "n and alpha"),
        _compare("abstained", c.abstained, found.abstained, "the bounds"),
        _compare("prediction", c.prediction, prediction, "the counts"),
        _compare("label", c.label, label, "prediction and labels"),
    ]
    settled = None
    if c.candidate is not None and c.n:
        settled = outcome(c.counts, c.candidate, c.settings, c.terms)
    checks.append(_compare("settled", c.settled, settled, "the counts and what was to be settled"))
    if c.sound and c.noise != "gaussian":
        checks.append(Check("sound", DIFFERS, f"No {c.noise} noise is drawn by exact integer sampling.", c.sound, False))
    if c.radii:  # missing in documents from before they were recorded
        checks.append(_compare("radii", c.radii, found.radii, "the counts"))
    return checks


def _compare(name: str, stated: Any, found: Any, source: str) -> Check:
    if _equal(stated, found):
        return Check(name, SAME, f"{name} {_words(stated)} follows from {source}.", stated, found)
    return Check(
        name, DIFFERS, f"{name} is stated as {_words(stated)}, but {_words(found)} follows from {source}.", stated, found
    )


def _equal(stated: Any, found: Any) -> bool:
    if isinstance(stated, dict) and isinstance(found, dict):
        return stated.keys() == found.keys() and all(_close(stated[key], found[key]) for key in stated)
    if isinstance(stated, float) and isinstance(found, float):
        return _close(stated, found)
    return bool(stated == found)


def _close(stated: float, found: float) -> bool:
    return math.isclose(stated, found, rel_tol=TOLERANCE, abs_tol=1e-12)


def _words(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(number)}" for key, number in value.items()) or "none"
    return f"{value:.10g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else repr(value)
