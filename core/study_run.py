"""Studying a picture: the work behind the Certify page and behind the stored examples, one function for both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from core.models.load import sigma_warning
from core.models.records import model_labels
from core.pixels import to_picture, to_pixels
from core.smoothing.certificate import GrowthPoint
from core.smoothing.certify import Progress, certify
from core.smoothing.noise import NoiseStream
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike
from core.study import Study, StudyProgress, StudyRequest, View

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
    """Certify a picture, with and without the denoiser, reporting after every batch.

    Args:
        picture: RGB; brought to the classifier's own size once, before the noise.
        classifier, denoiser: loaded, on ``device``.
        request: the numbers.
        report: gets a snapshot after every batch.
        should_stop: asked after every batch; what is valid by then is returned.

    Raises:
        LabError: as :func:`core.certify`.
    """
    pixels = to_pixels(picture, getattr(classifier, "input_size", None))
    base = BaseClassifier(classifier, denoiser)
    views = look_at(pixels.to(device), base, request.sigma, request.seed)
    points: list[GrowthPoint] = []
    labels = model_labels(classifier)

    def told(part: str) -> Callable[[Progress], None]:
        def tell(now: Progress) -> None:
            if now.candidate is not None and part == "certificate":
                done = now.done - request.n0
                points.append(GrowthPoint(done, now.p_lower, now.radius, now.radius_ceiling))
                if len(points) > MAX_POINTS:  # keep the newest, thin the rest
                    points[:] = points[:-1:2] + points[-1:]
            report(StudyProgress(part, now, tuple(points), views, labels))

        return tell

    numbers: dict[str, Any] = {
        "sigma": request.sigma, "n0": request.n0, "n": request.n, "alpha": request.alpha,
        "seed": request.seed, "method": request.method, "device": str(device), "should_stop": should_stop,
    }  # fmt: skip
    first = certify(picture, classifier, denoiser, on_progress=told("certificate"), **numbers)
    without = None
    if request.compare and denoiser is not None and not first.stopped and not should_stop():
        second = certify(picture, classifier, None, on_progress=told("without"), **numbers)
        without = None if second.stopped else second
    warning = sigma_warning(denoiser, request.sigma)
    notes = (*getattr(classifier, "notes", ()), *getattr(denoiser, "notes", ()), *([warning] if warning else []))
    return Study(first, without, tuple(points), views, notes)


@torch.inference_mode()
def look_at(
    pixels: Tensor, base: BaseClassifier, sigma: float, seed: int, top: int = 5, *, kind: str = "gaussian"
) -> dict[str, View]:
    """The original, one noisy copy (``kind`` of noise), and that copy denoised, each with the classifier's own best classes."""
    noise = NoiseStream(tuple(pixels.shape), seed, "show", pixels.device, kind)(0, 1)[0]
    noisy = pixels + sigma * noise
    stages = {"original": pixels, "noisy": noisy}
    if base.denoiser is not None:
        stages["denoised"] = base.denoise(noisy[None], sigma)[0]
    alone = dataclasses.replace(base, denoiser=None)
    shares = alone.logits(torch.stack(list(stages.values())), sigma).float().softmax(dim=1).cpu()
    best = shares.topk(min(top, shares.shape[1]), dim=1)
    return {
        name: View(to_picture(stage), tuple(zip(indices.tolist(), values.tolist(), strict=True)))
        for (name, stage), indices, values in zip(stages.items(), best.indices, best.values, strict=True)
    }
