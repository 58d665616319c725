"""Whether picture and models are those that a certificate names, and which of a stranger's the app may look at and load."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from core.models.catalogue import catalogue
from core.models.formats.weights import weights_digest
from core.models.references import BUNDLED_FOLDER
from core.models.storage import WEIGHTS
from core.pictures.reading import fit_to
from core.smoothing.certificate import Certificate, ModelRecord, model_labels, model_record
from core.verification.check import DIFFERS, NOT_CHECKED, SAME, Check

MAX_SAMPLES_HERE = 101_000
MAX_SIDE_HERE = 512


def check_picture(certificate: Certificate, picture: Image.Image | None) -> Check:
    """Bring the picture to the certificate's size, as CERTIFY does, and compare the hash of its bytes.

    Args:
        certificate: what names the hash and the size.
        picture: RGB, 8 bits, as :func:`core.pictures.reading.read_picture` returns it; None where there is none.
    """
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
    same_size = picture.size == (image.width, image.height)
    changed = "" if same_size else f", brought from {picture.width} x {picture.height} to {size},"
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
    changed = [f"class {index} is {said!r} there and {here!r} here" for index, (said, here) in pairs if said != here]
    words = "; ".join(changed[:3]) or f"{len(stated or ())} there, {len(found or ())} here"
    return Check("labels", DIFFERS, f"The class names are not those of the classifier: {words}.")


def models_of_catalogue(certificate: Certificate) -> ModelsHere | str:
    """The certificate's models as the catalogue has them, without loading any; or why they cannot be looked at.

    Only what comes with the Lab is known without loading.
    """
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
    return ModelsHere(_record(classifier.ref), _record(denoiser.ref), labels)


def cannot_sample_here(certificate: Certificate) -> str | None:
    """Why the app does not sample for this certificate; None where it does."""
    here = models_of_catalogue(certificate)
    if isinstance(here, str):
        return here
    side = max(certificate.image.height, certificate.image.width)
    if certificate.n0 + certificate.n > MAX_SAMPLES_HERE or side > MAX_SIDE_HERE:
        return (
            f"The app samples at most {MAX_SAMPLES_HERE:,} copies of at most {MAX_SIDE_HERE} x {MAX_SIDE_HERE} pixels:"
            " use 'python -m core verify' on the command line."
        )
    return None


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
