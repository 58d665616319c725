"""Samples a second of `certify` against its networks alone, and of `evaluate` against `certify` image by image.

The two that are compared take turns, so that what else the machine does weighs on both.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

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


@dataclass(frozen=True)
class Benchmark:
    """Two speeds, in so many a second, and their ratio: medians over the rounds.

    Within a round both take turns, so that the ratio is steadier than the quotient of the two medians where other programs use
    the machine by fits and starts.

    Attributes:
        about: what was measured with what, by the names of the document.
        names: of the speeds, there.
        rounds: both speeds of every round, in the order they were measured.
    """

    about: Mapping[str, Any]
    names: tuple[str, str]
    rounds: tuple[tuple[float, float], ...]

    @property
    def document(self) -> dict[str, Any]:
        """What ``bench --json`` prints."""
        first, second = (statistics.median(pair[which] for pair in self.rounds) for which in (0, 1))
        ratio = statistics.median(one / other for one, other in self.rounds)
        return {**self.about, self.names[0]: first, self.names[1]: second, "ratio": ratio, "rounds": self.rounds}


def speeds_by_round(
    one: Callable[[], object], other: Callable[[], object], count: int, rounds: int, *, on_round: OnRound
) -> tuple[tuple[float, float], ...]:
    """Time two things, each twice a round: how many of ``count`` each gets through in a second.

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
    return tuple(measured)


def check_least(what: str, **values: tuple[int, int]) -> None:
    """Raise LabError where a (value, least) is too small."""
    for name, (value, least) in values.items():
        if value < least:
            raise LabError(f"The {name.replace('_', ' ')} of {what} is {value}: expected at least {least}.")


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
) -> Benchmark:
    """Samples a second of :func:`core.certify`, all it does included, and of its networks on ready-made batches of that size.

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

    return Benchmark(
        _about(classifier, denoiser, device) | {"size": size, "sigma": sigma, "n": count, "batch_size": batch},
        ("certify_samples_per_second", "networks_samples_per_second"),
        speeds_by_round(certification, networks, count, rounds, on_round=on_round),
    )


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
) -> Benchmark:
    """Samples a second of :func:`core.evaluation.evaluate.evaluate`, which fills batches with several random pictures, and of
    :func:`core.certify`, picture by picture. Arguments as for :func:`benchmark_certification`.

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

    asked = {"size": size, "sigma": settings.sigma, "images": images, "n0": settings.n0, "n": settings.n}
    return Benchmark(
        _about(classifier, denoiser, device) | asked,
        ("evaluate_samples_per_second", "certify_samples_per_second"),
        speeds_by_round(whole, one_by_one, images * (settings.n0 + settings.n), rounds, on_round=on_round),
    )


def _about(classifier: ClassifierLike, denoiser: DenoiserLike | None, device: torch.device) -> dict[str, Any]:
    return {
        "device": str(device),
        "device_name": describe_device(device),
        "classifier": model_record(classifier).ref,
        "denoiser": model_record(denoiser).ref,
    }
