"""All checks of a certificate that need no sampling; the first of them recompute what it claims from its counts."""

import math
from typing import Any

from PIL import Image

from core.smoothing.bounds import GROUP_SEQUENTIAL
from core.smoothing.certificate import Certificate
from core.smoothing.conclusion import conclude
from core.smoothing.stopping import outcome
from core.verification.check import DIFFERS, NOT_CHECKED, SAME, Check, Verification
from core.verification.provenance import ModelsHere, check_models, check_picture

TOLERANCE = 1e-8
"""Relative; versions of SciPy differ in the last digits of a quantile."""


def verify(certificate: Certificate, picture: Image.Image | None, models: ModelsHere | str) -> Verification:
    """Recompute a certificate's arithmetic, and compare its picture and its models with those that are here.

    That the counts were really drawn is another matter: :func:`core.verification.resampling.resample`.

    Args:
        certificate: as :func:`core.smoothing.document.read_certificate` returns it.
        picture: the picture it is said to certify, or None.
        models: its models as they are here, or a sentence that says why they could not be looked at.
    """
    checks = [
        Check("schema", "same", "The document is complete and of the schema's version that this Lab reads."),
        *check_arithmetic(certificate),
        check_picture(certificate, picture),
    ]
    checks += [Check("models", NOT_CHECKED, models)] if isinstance(models, str) else check_models(certificate, models)
    return Verification(tuple(checks))


def why_not_sampled(found: Verification) -> str | None:
    """Why sampling would say nothing about this certificate: another picture, other models; None where it would."""
    for check in found.differing:
        if check.name == "picture":
            return "The picture is not the one certified, so its votes say nothing about the certificate."
        if check.name.startswith(("classifier", "denoiser")):
            return "The models here are not those of the certificate, so their votes say nothing about it."
    return None


def with_sampling(so_far: Verification, sampled: list[Check] | str) -> Verification:
    """The same with the checks of a sampling, or with the sentence that says why there was none."""
    found = [Check("counts", NOT_CHECKED, sampled)] if isinstance(sampled, str) else sampled
    return Verification((*so_far.checks, *found))


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
        sentence = "Votes were counted, but no class was chosen to be counted."
        checks.append(Check("candidate", DIFFERS, sentence, found="a class"))
    if c.candidate is not None and c.candidate >= classes:
        checks.append(Check("candidate", DIFFERS, f"Class {c.candidate} is none of the {classes} classes.", stated=c.candidate))
    return checks


def _check_run(c: Certificate) -> list[Check]:
    """What the way the run ended allows."""
    stopped = c.n < c.n_planned
    checks = [_compare("stopped", c.stopped, stopped, f"{c.n:,} of {c.n_planned:,} planned samples")]
    if c.n > c.n_planned:
        sentence = f"More samples were counted ({c.n:,}) than planned."
        checks.append(Check("n_planned", DIFFERS, sentence, stated=c.n_planned, found=c.n))
    if stopped and c.method != GROUP_SEQUENTIAL:
        checks.append(_compare("method", c.method, "anytime", "a run that ended early"))
    allowed = (c.terms.alpha, 2 * c.terms.alpha) if stopped else (c.terms.alpha,)
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
        sentence = f"No {c.noise} noise is drawn by exact integer sampling."
        checks.append(Check("sound", DIFFERS, sentence, stated=c.sound, found=False))
    if c.radii:  # missing in documents from before they were recorded
        checks.append(_compare("radii", c.radii, found.radii, "the counts"))
    return checks


def _compare(name: str, stated: Any, found: Any, source: str) -> Check:
    same = _equal(stated, found)
    sentence = f"{name} {_words(stated)} follows from {source}."
    if not same:
        sentence = f"{name} is stated as {_words(stated)}, but {_words(found)} follows from {source}."
    return Check(name, SAME if same else DIFFERS, sentence, stated=stated, found=found)


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
