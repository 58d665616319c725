"""Samples a second of `certify` against its networks alone, and of `evaluate` against `certify` image by image.

The two that are compared take turns, so that what else the machine does weighs on both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from core.data.datasets import LabelledImages
from core.device import describe_device
from core.errors import LabError
from core.evaluation.evaluate import evaluate
from core.smoothing.certificate import model_record
from core.smoothing.certify import certify_picture
from core.smoothing.noise import image_seed
from core.smoothing.radius import check_sigma
from core.smoothing.sampling import ClassifierLike, DenoiserLike, default_batch_size, ready
from core.smoothing.settings import Settings

OnRound = Callable[[int, int], None]
"""Called with the rounds done and planned."""
ALPHA = 0.4
"""What it is does not matter to the speed; so two samples can decide, and few of them can be measured, too."""


class Speeds(NamedTuple):
    """Two speeds, in ``count`` a second, and their ratio: medians over the rounds, whose pairs come last, in their order.

    Within a round both take turns, so that the ratio is steadier than the quotient of the two medians where other programs use
    the machine by fits and starts.
    """

    first: float
    second: float
    ratio: float
    rounds: tuple[tuple[float, float], ...]


def compare_speeds(
    one: Callable[[], object], other: Callable[[], object], count: int, rounds: int, *, on_round: OnRound
) -> Speeds:
    """Time two things, each twice a round.

    Args:
        one, other: what is timed; where it returns a number, that many seconds are taken. Each is called once before: the
            first call pays for memory, kernels and caches.
        count: what one call gets through.
    """

    def seconds(work: Callable[[], object]) -> float:
        started = time.perf_counter()
        own = work()
        return own if isinstance(own, float) else time.perf_counter() - started

    seconds(one), seconds(other)
    measured = []
    for done in range(rounds):
        taken = [0.0, 0.0]
        # A B B A, then B A A B: what drifts or comes and goes on the machine favours neither.
        for which in (0, 1, 1, 0) if done % 2 == 0 else (1, 0, 0, 1):
            taken[which] += seconds((one, other)[which])
        measured.append((2 * count / taken[0], 2 * count / taken[1]))
        on_round(done + 1, rounds)
    first, second = (statistics.median(pair[which] for pair in measured) for which in (0, 1))
    return Speeds(first, second, statistics.median(a / b for a, b in measured), tuple(measured))


def check_least(what: str, **values: tuple[int, int]) -> None:
    """Raise LabError where a (value, least) is too small."""
    for name, (value, least) in values.items():
        if value < least:
            raise LabError(f"The {name.replace('_', ' ')} of {what} is {value}: expected at least {least}.")


@dataclass(frozen=True)
class CertificationBenchmark:
    """What ``bench --json`` prints; speeds in samples a second, as :class:`Speeds`.

    Attributes:
        certify_samples_per_second: of :func:`core.certify`, all it does included.
        networks_samples_per_second: of denoiser and classifier called on ready-made noisy batches of the same size.
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
    """Measure certification.

    Args:
        classifier, denoiser: as for :func:`core.certify`.
        device: where to compute.
        size: side of the random picture, in pixels.
        sigma: of the noise.
        n: samples of one measurement; rounded up to whole batches. By default a few batches.
        batch_size: copies at once, for both.
        rounds: each measures both twice.

    Raises:
        LabError: where a number is out of range.
    """
    check_sigma(sigma)
    check_least("a benchmark", size=(size, 8), n=(n or 1, 1), batch_size=(batch_size or 1, 1), rounds=(rounds, 1))
    image = torch.rand((3, size, size), generator=torch.Generator().manual_seed(0))
    batch = batch_size or default_batch_size(image.to(device))
    # Whole batches on both sides: the first is spent by certify on choosing the class.
    count = max(3, -(-(n or 4 * batch) // batch)) * batch
    ready(classifier, device, "classifier")
    ready(denoiser, device, "denoiser")
    noise = torch.randn((batch, 3, size, size), generator=torch.Generator().manual_seed(0))
    noisy = (image + sigma * noise).to(device)
    settings = Settings(sigma=sigma, n0=batch, n=count - batch, alpha=ALPHA)

    def certification() -> None:
        certify_picture(image, classifier, denoiser, settings, batch_size=batch, device=str(device))

    @torch.inference_mode()
    def networks() -> None:
        logits: Tensor | None = None
        for _ in range(count // batch):
            logits = classifier(noisy if denoiser is None else denoiser(noisy, sigma))
        assert logits is not None
        logits.cpu()  # waits for the device

    speeds = compare_speeds(certification, networks, count, rounds, on_round=on_round)
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
    """What ``bench --evaluation --json`` prints; speeds in samples a second, n0 and n of every image counted.

    Attributes:
        evaluate_samples_per_second: of :func:`core.evaluation.evaluate.evaluate`, which fills batches with several images.
        certify_samples_per_second: of :func:`core.certify`, image by image, with the models loaded.
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


def benchmark_evaluation(
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    *,
    device: torch.device,
    size: int = 32,
    settings: Settings = Settings(0.25, n=1_000, alpha=ALPHA),
    images: int = 4,
    rounds: int = 7,
    on_round: OnRound = lambda done, total: None,
) -> EvaluationBenchmark:
    """Measure the evaluation of random pictures; arguments as for :func:`benchmark_certification`.

    Args:
        settings: of each certificate.
        images: how many a measurement takes.

    Raises:
        LabError: where a number is out of range.
    """
    check_least("a benchmark", size=(size, 8), images=(images, 1), rounds=(rounds, 1))
    pixels = torch.randint(0, 256, (images, 3, size, size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    data = LabelledImages(pixels, torch.zeros(images, dtype=torch.long), torch.arange(images), None)
    ready(classifier, device, "classifier")
    ready(denoiser, device, "denoiser")

    def whole() -> None:
        for _ in evaluate(data, classifier, denoiser, settings, device=str(device)):
            pass

    def one_by_one() -> None:
        for index, image in enumerate(data.images):
            own = replace(settings, seed=image_seed(settings.seed, index))
            certify_picture(image.float() / 255, classifier, denoiser, own, device=str(device))

    speeds = compare_speeds(whole, one_by_one, images * (settings.n0 + settings.n), rounds, on_round=on_round)
    return EvaluationBenchmark(
        device=str(device),
        device_name=describe_device(device),
        classifier=model_record(classifier).ref,
        denoiser=model_record(denoiser).ref,
        size=size,
        sigma=settings.sigma,
        images=images,
        n0=settings.n0,
        n=settings.n,
        evaluate_samples_per_second=speeds.first,
        certify_samples_per_second=speeds.second,
        ratio=speeds.ratio,
        rounds=speeds.rounds,
    )
