"""Whether picture and models are the ones that a certificate names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image

from core.pictures.reading import fit_to
from core.smoothing.certificate import Certificate, ModelRecord, model_labels, model_record
from core.verification.check import DIFFERS, NOT_CHECKED, SAME, Check


def check_picture(certificate: Certificate, picture: Image.Image | None) -> Check:
    """Bring the picture to the certificate's size, as CERTIFY does, and compare the hash of its bytes.

    Args:
        certificate: what names the hash and the size.
        picture: RGB, 8 bits, as :func:`core.pictures.reading.read_picture` returns it; None where there is none.
    """
    image = certificate.image
    size = f"{image.width} x {image.height} pixels"
    if picture is None:
        return Check(
            "picture",
            NOT_CHECKED,
            "No picture was given, so nothing says that the certificate is of the one you think of.",
            image.sha256,
        )
    found = picture_hash(picture, (image.height, image.width))
    if found == image.sha256:
        return Check("picture", SAME, f"The picture, brought to {size}, has the hash that the certificate names.", found, found)
    changed = (
        "" if picture.size == (image.width, image.height) else f", brought from {picture.width} x {picture.height} to {size},"
    )
    return Check(
        "picture",
        DIFFERS,
        f"The picture{changed} has another hash than the certificate names: it is not the one certified.",
        image.sha256,
        found,
    )


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
            return [Check(what, SAME, f"The {what} is {found.ref}, which has no weights.", stated.ref, found.ref)]
        return [
            Check(what, DIFFERS, f"The {what} here is {found.ref}, not the {stated.ref} of the certificate.", stated, found)
        ]
    checks = []
    for field, words in (("revision", "revision"), ("weights", "weights hash")):
        said, here = getattr(stated, field), getattr(found, field)
        name = f"{what}.{field}"
        if said == here:
            checks.append(
                Check(name, SAME, f"{found.ref} as it is here has the {words} that the certificate names.", said, here)
            )
        elif said is None:
            checks.append(Check(name, NOT_CHECKED, f"The certificate names no {words} for its {what}.", None, here))
        else:
            sentence = f"{found.ref} as it is here has another {words} than the certificate names: it is another model."
            checks.append(Check(name, DIFFERS, sentence, said, here))
    return checks


def _check_labels(stated: tuple[str, ...] | None, found: tuple[str, ...] | None) -> Check:
    if found == stated:
        return Check("labels", SAME, "The class names are the classifier's own.")
    pairs = enumerate(zip(stated or (), found or (), strict=False))
    changed = [f"class {index} is {said!r} there and {here!r} here" for index, (said, here) in pairs if said != here]
    words = "; ".join(changed[:3]) or f"{len(stated or ())} there, {len(found or ())} here"
    return Check("labels", DIFFERS, f"The class names are not those of the classifier: {words}.")
