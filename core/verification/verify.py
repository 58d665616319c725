"""All checks of a certificate that need no sampling."""

from __future__ import annotations

from PIL import Image

from core.smoothing.certificate import Certificate
from core.verification.arithmetic import check_arithmetic
from core.verification.check import NOT_CHECKED, Check, Verification
from core.verification.provenance import ModelsHere, check_models, check_picture


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
