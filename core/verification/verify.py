"""All checks of a certificate that need no sampling: what it claims is recomputed from its counts, and picture and models are
compared with those that are here.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any

from PIL import Image

from core.errors import LabError
from core.models.catalogue import catalogue, stored_record
from core.pictures.reading import fit_to
from core.plain_text import named
from core.smoothing.bounds import FIXED_N, GROUP_SEQUENTIAL, METHODS, MIXTURE
from core.smoothing.certificate import Certificate, ModelRecord, model_labels, model_record
from core.smoothing.conclusion import check_reachable, conclude, outcome
from core.smoothing.settings import HALF

TOLERANCE = 1e-8
"""Relative; versions of SciPy differ in the last digits of a quantile."""
SAME, DIFFERS, NOT_CHECKED = "same", "differs", "not checked"


@dataclass(frozen=True)
class Check:
    """One thing that was checked: a field or part of the certificate, and the outcome, in a sentence for people."""

    name: str
    status: str  # ``same``, ``differs`` or ``not checked``
    sentence: str
    _: KW_ONLY
    stated: Any = None  # what the certificate says; None where there is no single value
    found: Any = None  # what was computed or read here
    p_value: float | None = None  # of a statistical test


@dataclass(frozen=True)
class Verification:
    """All checks of one certificate, in the order in which they were made."""

    checks: tuple[Check, ...]

    @property
    def differing(self) -> tuple[Check, ...]:
        """What does not agree."""
        return tuple(check for check in self.checks if check.status == DIFFERS)

    @property
    def verdict(self) -> str:
        """``differs`` where anything does, else ``same``."""
        return DIFFERS if self.differing else SAME

    def summary(self) -> str:
        """The outcome in one sentence, which says what was left unchecked too.

        >>> Verification((Check("radius", SAME, "."), Check("picture", NOT_CHECKED, "."))).summary()
        'Everything that was checked agrees (1 check). Not checked: picture.'
        """
        found = Counter(check.status for check in self.checks)
        if self.differing:
            names = ", ".join(check.name for check in self.differing)
            said = f"{found[DIFFERS]} of {len(self.checks)} checks differ: {names}."
        else:
            said = f"Everything that was checked agrees ({found[SAME]} check{'s' if found[SAME] != 1 else ''})."
        left = ", ".join(check.name for check in self.checks if check.status == NOT_CHECKED)
        return f"{said} Not checked: {left}." if left else said

    def to_dict(self) -> dict[str, Any]:
        """The document that ``verify --json`` prints."""
        return {"verdict": self.verdict, "summary": self.summary(), "checks": [asdict(check) for check in self.checks]}


def verify(
    certificate: Certificate, picture: Image.Image | None, models: ModelsHere | str, beside: Mapping[str, Any] | None = None
) -> Verification:
    """Recompute a certificate's arithmetic, and compare its picture and its models (or the sentence that says why they could
    not be looked at) with those that are here. What stands ``beside`` it in its document is named as not checked.

    That the counts were really drawn is another matter: :func:`core.verification.resampling.resample`.
    """
    checks = [
        Check("schema", SAME, "The document is complete and of the schema's version that this Lab reads."),
        *check_arithmetic(certificate),
        check_picture(certificate, picture),
    ]
    checks += [Check("models", NOT_CHECKED, models)] if isinstance(models, str) else check_models(certificate, models)
    used = named(", ".join(" ".join(pair) for pair in certificate.versions.items()), "none", longest=240)
    sentence = f"Nothing here can show where it was made, and how fast: device {_words(certificate.device)}, versions {used}."
    checks.append(Check("as stated", NOT_CHECKED, sentence))
    for key in beside or {}:
        sentence = f"{key!r} stands beside the certificate and is no part of it: nothing in it is checked."
        checks.append(Check(key, NOT_CHECKED, sentence))
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
    """See that CERTIFY takes the settings, recompute every field that follows from others, and name each that does not."""
    checks = [_check_settings(certificate), *_check_counts(certificate)]
    if any(check.status == DIFFERS for check in checks):
        skipped = "Settings or counts contradict themselves, so nothing can be computed from them."
        return [*checks, Check("bound and radius", NOT_CHECKED, skipped)]
    return [*checks, *_check_run(certificate), *_check_claims(certificate)]


def _check_settings(c: Certificate) -> Check:
    try:
        c.settings.check()
        check_reachable(c.settings, c.terms)
    except LabError as error:
        return Check("settings", DIFFERS, f"CERTIFY refuses what the certificate says it was asked: {error}")
    return Check("settings", SAME, "CERTIFY takes the settings that the certificate says it was asked.")


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
    """What the bound that was planned, and the way the run ended, allow."""
    stopped, planned = c.n < c.n_planned, c.method_planned
    checks = [_compare("stopped", c.stopped, stopped, f"{c.n:,} of {c.n_planned:,} planned samples")]
    if c.n > c.n_planned:
        sentence = f"More samples were counted ({c.n:,}) than planned."
        checks.append(Check("n_planned", DIFFERS, sentence, stated=c.n_planned, found=c.n))
    plans = METHODS if planned is None and stopped and not c.settings.may_end_early else (c.settings.method,)
    # Paid answers that were looked at with another n before have the anytime bound, though all n are counted.
    fell_back = stopped or (c.classifier.ref.startswith("api/") and planned in FIXED_N and c.method == "anytime")
    bounds = {plan: "anytime" if fell_back and plan != GROUP_SEQUENTIAL else plan for plan in plans}
    checks.append(_compare("method", c.method, bounds[plans[0]], "the bound that was planned and how the run ended"))
    allowed = [c.terms.alpha * (1 if plan == bound else 2) for plan, bound in bounds.items()]
    found = next((value for value in allowed if _close(c.failure_probability, value)), allowed[0])
    checks.append(_compare("failure_probability", c.failure_probability, found, "alpha, tries and how the run ended"))
    if not c.two_sided:
        checks.append(_compare("lower_part", c.lower_part, HALF, "the one bound that there is"))
    if planned is not None:
        checks.append(_compare("mixture", c.mixture, MIXTURE, "the anytime bound, which has but one where a plan is recorded"))
    else:
        sentence = "It does not say which bound was planned, as no document did once: where it ended early, either is allowed."
        checks.append(Check("method_planned", NOT_CHECKED, sentence))
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
    settled = outcome(c.counts, c.candidate, c.settings, c.terms) if c.candidate is not None and c.n else None
    checks = [
        _compare("p_lower", c.p_lower, found.p_lower, "the counts"),
        _compare("p_upper", c.p_upper, found.p_upper, "the counts"),
        _compare("runner_up", c.runner_up, found.runner_up, "the counts"),
        _compare("radius", c.radius, found.radius, "the counts"),
        _compare("radius_ceiling", c.radius_ceiling, found.radius_ceiling, "n and alpha"),
        _compare("abstained", c.abstained, found.abstained, "the bounds"),
        _compare("prediction", c.prediction, prediction, "the counts"),
        _compare("label", c.label, label, "prediction and labels"),
        _compare("settled", c.settled, settled, "the counts and what was to be settled"),
    ]
    if not c.radii:
        sentence = "It names the radius in its own norm alone, as documents did before those in all norms were recorded."
        return [*checks, Check("radii", NOT_CHECKED, sentence)]
    return [*checks, _compare("radii", c.radii, found.radii, "the counts")]


def _compare(name: str, stated: Any, found: Any, source: str) -> Check:
    if _equal(stated, found):
        return Check(name, SAME, f"{name} {_words(stated)} follows from {source}.", stated=stated, found=found)
    sentence = f"{name} is stated as {_words(stated)}, but {_words(found)} follows from {source}."
    return Check(name, DIFFERS, sentence, stated=stated, found=found)


def _equal(stated: Any, found: Any) -> bool:
    if isinstance(stated, dict) and isinstance(found, dict):
        return stated.keys() == found.keys() and all(_close(stated[key], found[key]) for key in stated)
    if isinstance(stated, float) and isinstance(found, float):
        return _close(stated, found)
    return bool(stated == found)


def _close(stated: float, found: float) -> bool:
    return math.isclose(stated, found, rel_tol=TOLERANCE)


def _words(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(number)}" for key, number in value.items()) or "none"
    if isinstance(value, str):
        return repr(named(value))
    return f"{value:.10g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else repr(value)


def check_picture(certificate: Certificate, picture: Image.Image | None) -> Check:
    """Bring the picture (RGB, 8 bits) to the certificate's size, as CERTIFY does, and compare the hash of its bytes."""
    image = certificate.image
    said = image.sha256
    if picture is None:
        sentence = "No picture was given, so nothing says that the certificate is of the one you think of."
        return Check("picture", NOT_CHECKED, sentence, stated=said)
    size = f"{image.width} x {image.height} pixels"
    found = picture_hash(picture, (image.height, image.width))
    if found == said:
        sentence = f"The picture, brought to {size}, has the hash that the certificate names."
        return Check("picture", SAME, sentence, stated=said, found=found)
    resized = picture.size != (image.width, image.height)
    changed = f", brought from {picture.width} x {picture.height} to {size}," if resized else ""
    sentence = f"The picture{changed} has another hash than the certificate names: it is not the one certified."
    return Check("picture", DIFFERS, sentence, stated=said, found=found)


def picture_hash(picture: Image.Image, size: tuple[int, int]) -> str:
    """sha256 of the 8-bit RGB bytes at (height, width): as :func:`core.pictures.pixels.image_record`, without torch."""
    return hashlib.sha256(fit_to(picture.convert("RGB"), size).tobytes()).hexdigest()


@dataclass(frozen=True)
class ModelsHere:
    """The models of a certificate as they are found here, and the classifier's class names."""

    classifier: ModelRecord
    denoiser: ModelRecord
    labels: tuple[str, ...] | None

    @classmethod
    def of(cls, classifier: object, denoiser: object | None) -> ModelsHere:
        """From what :func:`core.load_classifier` and :func:`core.load_denoiser` returned."""
        return cls(model_record(classifier), model_record(denoiser), model_labels(classifier))


def check_models(certificate: Certificate, here: ModelsHere) -> list[Check]:
    """Compare commits, weights hashes and class names with those of the models that are here."""
    return [
        *_check_model("classifier", certificate.classifier, here.classifier),
        *_check_model("denoiser", certificate.denoiser, here.denoiser),
        _check_labels(certificate.labels, here.labels),
    ]


def _check_model(what: str, stated: ModelRecord, found: ModelRecord) -> list[Check]:
    if not found.revision and not found.weights:
        if found == stated:
            sentence = f"The {what} is {found.ref}, which has no weights."
            return [Check(what, SAME, sentence, stated=stated.ref, found=found.ref)]
        sentence = f"The {what} here is {found.ref}, not the {stated.ref} of the certificate."
        return [Check(what, DIFFERS, sentence, stated=stated, found=found)]
    checks = []
    for field, words in (("revision", "revision"), ("weights", "weights hash")):
        said, here = getattr(stated, field), getattr(found, field)
        if said == here:
            status, sentence = SAME, f"{found.ref} as it is here has the {words} that the certificate names."
        elif said is None:
            status, sentence = NOT_CHECKED, f"The certificate names no {words} for its {what}."
        else:
            status = DIFFERS
            sentence = f"{found.ref} as it is here has another {words} than the certificate names: it is another model."
        checks.append(Check(f"{what}.{field}", status, sentence, stated=said, found=here))
    return checks


def _check_labels(stated: tuple[str, ...] | None, found: tuple[str, ...] | None) -> Check:
    if found == stated:
        return Check("labels", SAME, "The class names are the classifier's own.")
    pairs = enumerate(zip(stated or (), found or (), strict=False))
    changed = [
        f"class {index} is {named(said)!r} there and {named(here)!r} here" for index, (said, here) in pairs if said != here
    ]
    words = "; ".join(changed[:3]) or f"{len(stated or ())} there, {len(found or ())} here"
    return Check("labels", DIFFERS, f"The class names are not those of the classifier: {words}.")


def models_of_catalogue(certificate: Certificate) -> ModelsHere | str:
    """The certificate's models as the catalogue has them, without loading any; or why they cannot be looked at."""
    found = []
    for what, record in (("classifier", certificate.classifier), ("denoiser", certificate.denoiser)):
        entry = next((entry for entry in catalogue() if entry.kind == what and entry.ref == record.ref), None)
        if entry is None:
            return (
                f"The app looks only at models of its own menus, and the {what} {record.ref!r} is none of them:"
                " on the command line 'python -m core verify' loads others too."
            )
        if entry.ref.partition("/")[0] not in ("bundled", "classical", "none"):
            return f"The {what} {record.ref!r} is not stored here: its hash is seen when it is loaded."
        found.append(entry)
    classifier, denoiser = found
    labels = None if classifier.config is None else classifier.config.labels
    return ModelsHere(stored_record(classifier.ref), stored_record(denoiser.ref), labels)
