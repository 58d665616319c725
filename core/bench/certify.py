"""How much of certification is the networks: samples a second of `certify` against the same networks alone."""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from core.bench.rounds import OnRound, seconds_by_turns
from core.device import describe_device
from core.errors import LabError
from core.smoothing.certificate import model_record
from core.smoothing.certify import certify
from core.smoothing.radius import check_sigma
from core.smoothing.sampling import ClassifierLike, DenoiserLike, default_batch_size, ready


@dataclass(frozen=True)
class Benchmark:
    """Speeds are medians over the rounds, in samples a second.

    Attributes:
        certify_samples_per_second: of :func:`core.certify`, all it does included.
        networks_samples_per_second: of denoiser and classifier called on ready-made noisy batches of the same size.
        ratio: the first over the second, the median over the rounds. Within a round both take turns, so that it is steadier
            than the quotient of the two medians where other programs use the machine by fits and starts.
        rounds: both speeds of every round, in the order they were measured.
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


def benchmark(
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
    for name, value, least in (("size", size, 8), ("n", n or 1, 1), ("batch size", batch_size or 1, 1), ("rounds", rounds, 1)):
        if value < least:
            raise LabError(f"The {name} of a benchmark is {value}: expected at least {least}.")
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
        # What alpha is does not matter to the speed; at 0.4 two samples can decide, so that small batches work too.
        certify(
            image, classifier, denoiser, sigma=sigma, n0=batch, n=count - batch, alpha=0.4, batch_size=batch, device=str(device)
        )
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

    times = seconds_by_turns(certification, networks, rounds, on_round)
    measured = [(2 * count / whole, 2 * count / alone) for whole, alone in times]
    whole = statistics.median(pair[0] for pair in measured)
    alone = statistics.median(pair[1] for pair in measured)
    ratio = statistics.median(pair[0] / pair[1] for pair in measured)
    return Benchmark(
        str(device),
        describe_device(device),
        model_record(classifier).ref,
        model_record(denoiser).ref,
        size,
        sigma,
        count,
        batch,
        whole,
        alone,
        ratio,
        tuple(measured),
    )
