"""Studying a picture: the work behind the Certify page and behind the stored examples, one function for both."""

import dataclasses
from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor

from core.models.load import sigma_warning
from core.pictures.pixels import to_picture, to_pixels
from core.smoothing.certificate import Certificate, GrowthPoint, model_labels, model_size
from core.smoothing.certify import Progress, certify_picture
from core.smoothing.noise import noisy_copies
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.smoothing.under_noise import noise_source
from core.studies.comparison import best_classes
from core.studies.records import Study, StudyProgress, StudyRequest, View

MAX_POINTS = 300


def study(
    picture: Image.Image,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    request: StudyRequest,
    *,
    device: torch.device,
    report: Callable[[StudyProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Study:
    """Certify an RGB picture, at the classifier's own size, with and without the denoiser, both on ``device``.

    After a stop, what is valid by then is returned. Raises LabError as :func:`core.certify`.
    """
    pixels = to_pixels(picture, model_size(classifier))
    base = BaseClassifier(classifier, denoiser)
    views = look_at(pixels.to(device), base, request.settings)
    points: list[GrowthPoint] = []
    notices: list[str] = []
    labels = model_labels(classifier)

    def told(part: str) -> Callable[[Progress], None]:
        def tell(now: Progress) -> None:
            if now.candidate is not None and part == "certificate":
                done = now.done - request.settings.n0
                points.append(GrowthPoint(done, now.p_lower, now.radius, now.radius_ceiling))
                if len(points) > MAX_POINTS:  # keep the newest, thin the rest
                    points[:] = points[:-1:2] + points[-1:]
            report(StudyProgress(part=part, now=now, points=tuple(points), views=views, labels=labels))

        return tell

    def certified(part: str, put_before: DenoiserLike | None) -> Certificate:
        return certify_picture(
            picture,
            classifier,
            put_before,
            request.settings,
            device=str(device),
            on_progress=told(part),
            should_stop=should_stop,
            on_notice=notices.append,
        )

    first, without = certified("certificate", denoiser), None
    if request.compare and denoiser is not None and _ended(first) and not should_stop():
        second = certified("without", None)
        without = second if _ended(second) else None
    warning = sigma_warning(denoiser, request.settings.sigma, classifier)
    notes = (*getattr(classifier, "notes", ()), *getattr(denoiser, "notes", ()), *([warning] if warning else []), *notices[:1])
    return Study(certificate=first, without=without, points=tuple(points), views=views, notes=notes)


def _ended(certificate: Certificate) -> bool:
    """Whether it came to its own end: all samples counted, or its question settled."""
    return not certificate.stopped or certificate.settled is not None


@torch.inference_mode()
def look_at(pixels: Tensor, base: BaseClassifier, settings: Settings) -> dict[str, View]:
    """The original, one noisy copy, and that copy denoised, each with the classifier's own best classes.

    ``pixels``: (3, H, W) in [0, 1], of sound settings on the 8-bit grid, on the device that computes.
    """
    noise = noise_source(tuple(pixels.shape), settings, "show", pixels.device)
    sigma = settings.sigma
    noisy = noisy_copies(pixels, sigma, noise(0, 1))[0]
    stages = {"original": pixels, "noisy": noisy}
    if base.denoiser is not None:
        stages["denoised"] = base.denoise(noisy[None], sigma)[0]
    alone = dataclasses.replace(base, denoiser=None)
    best = best_classes(alone.logits(torch.stack(list(stages.values())), sigma))
    return {name: View(to_picture(stage), top) for (name, stage), top in zip(stages.items(), best, strict=True)}
