"""`bench`: how fast certification is beside its networks alone.

The two that are compared take turns, so that what else the machine does weighs on both.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.commands.inputs import load_models
from core.commands.options import add_options
from core.commands.terminal import ProgressLine, print_json, say
from core.device import describe_device, pick_device
from core.errors import LabError
from core.models.load import Classifier
from core.report.notation import sigma_text
from core.smoothing.certificate import model_record
from core.smoothing.certify import certify_picture
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
        about_models(classifier, denoiser, device) | {"size": size, "sigma": sigma, "n": count, "batch_size": batch},
        ("certify_samples_per_second", "networks_samples_per_second"),
        speeds_by_round(certification, networks, count, rounds, on_round=on_round),
    )


def about_models(classifier: ClassifierLike, denoiser: DenoiserLike | None, device: torch.device) -> dict[str, Any]:
    """What both benchmarks of certification say of models and device."""
    return {
        "device": str(device),
        "device_name": describe_device(device),
        "classifier": model_record(classifier).ref,
        "denoiser": model_record(denoiser).ref,
    }


def add_bench_verb(verbs: Any) -> None:
    """Add the verb to the parser's sub-commands."""
    parser = verbs.add_parser("bench", help="measure the speed of certification beside the networks alone", allow_abbrev=False)
    add_options(parser, "classifier", "denoiser", "sigma")
    parser.add_argument("--size", type=int, help="side of the picture in pixels; by default the classifier's")
    parser.add_argument("--n", type=int, help="samples of one measurement; by default four batches")
    parser.add_argument("--batch-size", type=int, help="copies at once; by default what certify would choose")
    parser.add_argument("--rounds", type=int, default=7, help="each measures both kinds twice (%(default)s)")
    add_options(parser, "device", "json")
    parser.set_defaults(run=run_bench)


def run_bench(args: argparse.Namespace) -> int:
    """Measure and print."""
    check_positive(args, "n", "batch_size", "rounds")
    classifier, denoiser, size = models_for_size(args)

    def measure(on_round: OnRound) -> Benchmark:
        return benchmark_certification(
            classifier,
            denoiser,
            device=pick_device(args.device),
            size=size,
            sigma=args.sigma,
            n=args.n,
            batch_size=args.batch_size,
            rounds=args.rounds,
            on_round=on_round,
        )

    return print_benchmark(args, measure, _text)


def _text(d: dict[str, Any]) -> list[str]:
    pixels = f"{d['size']} x {d['size']} pixels"
    return [
        f"{d['classifier']} behind {d['denoiser']}, {pixels}, sigma {sigma_text(d['sigma'])}",
        f"  device     {d['device_name']} ({d['device']}), batches of {d['batch_size']}",
        f"  certify    {d['certify_samples_per_second']:.0f} samples/s",
        f"  networks   {d['networks_samples_per_second']:.0f} samples/s on ready-made batches",
        f"  ratio      {d['ratio']:.3f} (medians of {len(d['rounds'])} rounds of {d['n']:,} samples)",
    ]


def print_benchmark(
    args: argparse.Namespace, measure: Callable[[OnRound], Benchmark], text: Callable[[dict[str, Any]], list[str]]
) -> int:
    """Measure with a progress line; print the document where ``--json`` asks for it, else its text."""
    line = ProgressLine()
    document = measure(lambda done, total: line.show(f"round {done} of {total}")).document
    line.clear()
    if args.json:
        print_json(document)
    else:
        say(*text(document))
    return 0


def check_positive(args: argparse.Namespace, *names: str) -> None:
    """Raise LabError where one of these options is a number below 1."""
    for name in names:
        value = getattr(args, name)
        if value is not None and value < 1:
            raise LabError(f"--{name.replace('_', '-')} is {value}: expected at least 1.")


def models_for_size(args: argparse.Namespace) -> tuple[Classifier, DenoiserLike | None, int]:
    """The models, and the side of the pictures, which the classifier is seen to take."""
    classifier, denoiser = load_models(args)
    size = checked_size((classifier.input_size or (32, 32))[0] if args.size is None else args.size)
    try:
        classifier(torch.zeros(1, 3, size, size))
    except RuntimeError as error:
        raise LabError(f"{args.classifier} cannot take pictures of {size} x {size} pixels: choose another --size.") from error
    # The tensor of a benchmark is not resized, and a classifier may take another size than the one it was trained on.
    classifier.input_size = (size, size)
    return classifier, denoiser, size


def checked_size(size: int) -> int:
    """``--size``, where it is 8 to 1024."""
    if not 8 <= size <= 1024:
        raise LabError(f"--size is {size}: expected 8 to 1024 pixels.")
    return size
