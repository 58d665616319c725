"""What `evaluate` costs an image: samples a second over a data set, against `certify` in a loop on the same images."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from core.bench.rounds import OnRound, seconds_by_turns
from core.data.datasets import LabelledImages
from core.device import describe_device
from core.errors import LabError
from core.evaluation.evaluate import evaluate
from core.smoothing.certificate import model_record
from core.smoothing.certify import certify
from core.smoothing.noise import image_seed
from core.smoothing.sampling import ClassifierLike, DenoiserLike, ready
from core.smoothing.settings import Settings

ALPHA = 0.4
"""What it is does not matter to the speed; so two samples can decide, and few of them can be measured, too."""


@dataclass(frozen=True)
class EvaluationBenchmark:
    """Speeds are medians over the rounds, in samples a second, n0 and n of every image counted.

    Attributes:
        evaluate_samples_per_second: of :func:`core.evaluation.evaluate.evaluate`, which fills batches with several images.
        certify_samples_per_second: of :func:`core.certify`, image by image, with the models loaded.
        ratio: the first over the second, the median over the rounds, in which both take turns.
        rounds: both speeds of every round, in the order they were measured.
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
    for name, value, least in (("size", size, 8), ("images", images, 1), ("rounds", rounds, 1)):
        if value < least:
            raise LabError(f"The {name} of a benchmark is {value}: expected at least {least}.")
    pixels = torch.randint(0, 256, (images, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    data = LabelledImages(pixels, torch.zeros(images, dtype=torch.long), torch.arange(images), None)
    settings = Settings(sigma=sigma, n0=n0, n=n, alpha=ALPHA)
    ready(classifier, device, "classifier")
    ready(denoiser, device, "denoiser")

    def together() -> float:
        started = time.perf_counter()
        for _ in evaluate(data, classifier, denoiser, settings, device=str(device)):
            pass
        return time.perf_counter() - started

    def one_by_one() -> float:
        started = time.perf_counter()
        for index, image in enumerate(data.images):
            certify(
                image.float() / 255,
                classifier,
                denoiser,
                sigma=sigma,
                n0=n0,
                n=n,
                alpha=ALPHA,
                seed=image_seed(0, index),
                device=str(device),
            )
        return time.perf_counter() - started

    samples = 2 * images * (n0 + n)
    times = seconds_by_turns(together, one_by_one, rounds, on_round)
    measured = [(samples / first, samples / second) for first, second in times]
    speeds = [statistics.median(pair[side] for pair in measured) for side in (0, 1)]
    ratio = statistics.median(pair[0] / pair[1] for pair in measured)
    return EvaluationBenchmark(
        str(device),
        describe_device(device),
        model_record(classifier).ref,
        model_record(denoiser).ref,
        size,
        sigma,
        images,
        n0,
        n,
        speeds[0],
        speeds[1],
        ratio,
        tuple(measured),
    )
