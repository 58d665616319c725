"""Samples a second of `certify`, against the same networks alone; of `evaluate`, against `certify` image by image."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.bench.rounds import OnRound, check_least, speeds_by_turns
from core.data.datasets import LabelledImages
from core.device import describe_device
from core.evaluation.evaluate import evaluate
from core.smoothing.certificate import model_record
from core.smoothing.certify import certify_picture
from core.smoothing.noise import image_seed
from core.smoothing.radius import check_sigma
from core.smoothing.sampling import ClassifierLike, DenoiserLike, default_batch_size, ready
from core.smoothing.settings import Settings

ALPHA = 0.4
"""What it is does not matter to the speed; so two samples can decide, and few of them can be measured, too."""


@dataclass(frozen=True)
class CertificationBenchmark:
    """Speeds are medians over the rounds, in samples a second.

    Attributes:
        certify_samples_per_second: of :func:`core.certify`, all it does included.
        networks_samples_per_second: of denoiser and classifier called on ready-made noisy batches of the same size.
        ratio, rounds: as of :class:`core.bench.rounds.Speeds`.
    """

    device: str
    device_name: str
    classifier: str
    denoiser: str
    size: int
    sigma: float
    n: int
    batch_size: int
    certify_samples_per_second: float
    networks_samples_per_second: float
    ratio: float
    rounds: tuple[tuple[float, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """The document that ``--json`` prints."""
        return asdict(self)


def benchmark_certification(
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    *,
    device: torch.device,
    size: int = 32,
    sigma: float = 0.25,
    n: int | None = None,
    batch_size: int | None = None,
    rounds: int = 7,
    on_round: OnRound = lambda done, total: None,
) -> CertificationBenchmark:
    """Measure both speeds by turns, so that what else the machine does weighs on both.

    Args:
        classifier, denoiser: as for :func:`core.certify`.
        device: where to compute.
        size: side of the random picture, in pixels.
        sigma: of the noise.
        n: samples of one measurement; rounded up to whole batches. By default a few batches.
        batch_size: copies at once, for both.
        rounds: each measures both twice.
        on_round: called with the rounds done and planned.

    Raises:
        LabError: where a number is out of range.
    """
    check_sigma(sigma)
    numbers = {"size": (size, 8), "n": (n or 1, 1), "batch size": (batch_size or 1, 1), "rounds": (rounds, 1)}
    check_least("a benchmark", numbers)
    image = torch.rand((3, size, size), generator=torch.Generator().manual_seed(0))
    batch = batch_size or default_batch_size(image.to(device))
    # Whole batches on both sides: the first is spent by certify on choosing the class.
    count = max(3, -(-(n or 4 * batch) // batch)) * batch
    ready(classifier, device, "classifier")
    ready(denoiser, device, "denoiser")
    noise = torch.randn((batch, 3, size, size), generator=torch.Generator().manual_seed(0))
    noisy = (image + sigma * noise).to(device)

    def certification() -> float:
        started = time.perf_counter()
        settings = Settings(sigma=sigma, n0=batch, n=count - batch, alpha=ALPHA)
        certify_picture(image, classifier, denoiser, settings, batch_size=batch, device=str(device))
        return time.perf_counter() - started

    @torch.inference_mode()
    def networks() -> float:
        started = time.perf_counter()
        logits: Tensor | None = None
        for _ in range(count // batch):
            logits = classifier(noisy if denoiser is None else denoiser(noisy, sigma))
        assert logits is not None
        logits.cpu()  # waits for the device
        return time.perf_counter() - started

    speeds = speeds_by_turns(certification, networks, count, rounds=rounds, on_round=on_round)
    return CertificationBenchmark(
        device=str(device),
        device_name=describe_device(device),
        classifier=model_record(classifier).ref,
        denoiser=model_record(denoiser).ref,
        size=size,
        sigma=sigma,
        n=count,
        batch_size=batch,
        certify_samples_per_second=speeds.first,
        networks_samples_per_second=speeds.second,
        ratio=speeds.ratio,
        rounds=speeds.rounds,
    )


@dataclass(frozen=True)
class EvaluationBenchmark:
    """Speeds are medians over the rounds, in samples a second, n0 and n of every image counted.

    Attributes:
        evaluate_samples_per_second: of :func:`core.evaluation.evaluate.evaluate`, which fills batches with several images.
        certify_samples_per_second: of :func:`core.certify`, image by image, with the models loaded.
        ratio, rounds: as of :class:`core.bench.rounds.Speeds`.
    """

    device: str
    device_name: str
    classifier: str
    denoiser: str
    size: int
    sigma: float
    images: int
    n0: int
    n: int
    evaluate_samples_per_second: float
    certify_samples_per_second: float
    ratio: float
    rounds: tuple[tuple[float, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """The document that ``--json`` prints."""
        return asdict(self)


def benchmark_evaluation(
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    *,
    device: torch.device,
    size: int = 32,
    sigma: float = 0.25,
    images: int = 4,
    n0: int = 100,
    n: int = 1_000,
    rounds: int = 7,
    on_round: OnRound = lambda done, total: None,
) -> EvaluationBenchmark:
    """Measure both by turns on random pictures.

    Args:
        classifier, denoiser: as for :func:`core.certify`.
        device: where to compute.
        size: side of the pictures, in pixels.
        images: how many a measurement takes.
        n0, n: samples of each.
        rounds: each measures both twice.
        on_round: called with the rounds done and planned.

    Raises:
        LabError: where a number is out of range.
    """
    check_least("a benchmark", {"size": (size, 8), "images": (images, 1), "rounds": (rounds, 1)})
    pixels = torch.randint(0, 256, (images, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    data = LabelledImages(pixels, torch.zeros(images, dtype=torch.long), torch.arange(images), None)
    settings = Settings(sigma=sigma, n0=n0, n=n, alpha=ALPHA)
    ready(classifier, device, "classifier")
    ready(denoiser, device, "denoiser")

    def as_a_data_set() -> float:
        started = time.perf_counter()
        for _ in evaluate(data, classifier, denoiser, settings, device=str(device)):
            pass
        return time.perf_counter() - started

    def one_by_one() -> float:
        started = time.perf_counter()
        for index, image in enumerate(data.images):
            own = replace(settings, seed=image_seed(settings.seed, index))
            certify_picture(image.float() / 255, classifier, denoiser, own, device=str(device))
        return time.perf_counter() - started

    speeds = speeds_by_turns(as_a_data_set, one_by_one, images * (n0 + n), rounds=rounds, on_round=on_round)
    return EvaluationBenchmark(
        device=str(device),
        device_name=describe_device(device),
        classifier=model_record(classifier).ref,
        denoiser=model_record(denoiser).ref,
        size=size,
        sigma=sigma,
        images=images,
        n0=n0,
        n=n,
        evaluate_samples_per_second=speeds.first,
        certify_samples_per_second=speeds.second,
        ratio=speeds.ratio,
        rounds=speeds.rounds,
    )
