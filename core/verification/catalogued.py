"""What the app may look at and load for a stranger's certificate: models of the catalogue, nothing that it names by path."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from core.models.catalogue import Entry, catalogue
from core.models.formats.weights import weights_digest
from core.models.references import BUNDLED_FOLDER
from core.models.storage import WEIGHTS
from core.smoothing.certificate import Certificate, ModelRecord
from core.verification.provenance import ModelsHere

MAX_SAMPLES_HERE = 101_000
MAX_SIDE_HERE = 512


def models_of_catalogue(certificate: Certificate) -> ModelsHere | str:
    """The certificate's models as the catalogue has them, without loading any; or why they cannot be looked at.

    Only what comes with the Lab is known without loading.
    """
    found = [_entry("classifier", certificate.classifier.ref), _entry("denoiser", certificate.denoiser.ref)]
    for what, record, entry in zip(
        ("classifier", "denoiser"), (certificate.classifier, certificate.denoiser), found, strict=True
    ):
        if entry is None:
            return (
                f"The app looks only at models of its own menus, and the {what} {record.ref!r} is none of them:"
                " on the command line 'python -m core verify' loads others too."
            )
        if entry.ref.partition("/")[0] not in ("bundled", "classical", "none"):
            return f"The {what} {record.ref!r} is not stored here: its hash is seen when it is loaded."
    classifier, denoiser = (entry for entry in found if entry is not None)
    labels = None if classifier.config is None else classifier.config.labels
    return ModelsHere(_record(classifier.ref), _record(denoiser.ref), labels)


def cannot_sample_here(certificate: Certificate) -> str | None:
    """Why the app does not sample for this certificate; None where it does."""
    here = models_of_catalogue(certificate)
    if isinstance(here, str):
        return here
    if (
        certificate.n0 + certificate.n > MAX_SAMPLES_HERE
        or max(certificate.image.height, certificate.image.width) > MAX_SIDE_HERE
    ):
        return (
            f"The app samples at most {MAX_SAMPLES_HERE:,} copies of at most {MAX_SIDE_HERE} x {MAX_SIDE_HERE} pixels:"
            " use 'python -m core verify' on the command line."
        )
    return None


def _entry(kind: str, ref: str) -> Entry | None:
    return next((entry for entry in catalogue() if entry.kind == kind and entry.ref == ref), None)


def _record(ref: str) -> ModelRecord:
    kind, _, name = ref.partition("/")
    if kind != "bundled":
        return ModelRecord(ref, None)
    folder = BUNDLED_FOLDER / name  # a name of the catalogue, so it cannot lead elsewhere
    digest = _hash(folder, (folder / WEIGHTS).stat().st_mtime_ns)
    return ModelRecord(ref, digest, digest)


@cache
def _hash(folder: Path, modified: int) -> str | None:
    return weights_digest(folder, (WEIGHTS,))
