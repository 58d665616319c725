"""`bench`: how fast certification is beside its networks alone.

The two that are compared take turns, so that what else the machine does weighs on both.
"""

import argparse
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.commands.inputs import load_models
from core.commands.options import add_options
from core.commands.terminal import ProgressLine, print_json, say
from core.device import describe_device, pick_device
from core.engines import ENGINES, PRECISIONS
from core.errors import LabError
from core.models.load import Classifier
from core.report.notation import sigma_text
from core.smoothing.certificate import model_record
from core.smoothing.certify import Running, certify_picture
from core.smoothing.radius import check_sigma
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike, default_batch_size, ready
from core.smoothing.settings import Settings
from core.smoothing.under_noise import PictureUnderNoise, settled

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
    rounds: tuple[tuple[float, ...], ...]

    @property
    def document(self) -> dict[str, Any]:
        """What ``bench --json`` prints."""
        first, second = (statistics.median(pair[which] for pair in self.rounds) for which in (0, 1))
        ratio = statistics.median(one / other for one, other in self.rounds)
        return {**self.about, self.names[0]: first, self.names[1]: second, "ratio": ratio, "rounds": self.rounds}


def speeds_by_round(
    works: Sequence[Callable[[], object]], count: int, rounds: int, *, on_round: OnRound
) -> tuple[tuple[float, ...], ...]:
    """Time several things, each twice a round: how many of ``count`` each gets through in a second.

    Args:
        works: what is timed; where it returns a number, that many seconds are taken. Each is called once before: the first
            call pays for memory, kernels and caches.
        count: what one call gets through.
    """

    def seconds(work: Callable[[], object]) -> float:
        started = time.perf_counter()
        own = work()
        return own if isinstance(own, float) else time.perf_counter() - started

    for work in works:
        seconds(work)
    measured, there = [], list(range(len(works)))
    for done in range(rounds):
        taken = [0.0] * len(works)
        # A B B A, then B A A B: what drifts or comes and goes on the machine favours none.
        for which in there + there[::-1] if done % 2 == 0 else there[::-1] + there:
            taken[which] += seconds(works[which])
        measured.append(tuple(2 * count / each for each in taken))
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
    settings = settled(settings, classifier, denoiser, device=str(device), shape=(3, size, size))
    works = certify_and_networks(image, BaseClassifier(classifier, denoiser), settings, noisy=noisy)
    computed = {"engine": settings.engine, "precision": settings.precision}
    asked = {"size": size, "sigma": sigma, "n": count, "batch_size": batch}
    return Benchmark(
        about_models(classifier, denoiser, device) | computed | asked,
        ("certify_samples_per_second", "networks_samples_per_second"),
        speeds_by_round(works, count, rounds, on_round=on_round),
    )


def certify_and_networks(
    image: Tensor, base: BaseClassifier, settings: Settings, *, noisy: Tensor
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Certifying a (3, H, W) picture, and as often the program of these settings on a ready-made batch."""
    batch, device = len(noisy), str(noisy.device)
    picture = PictureUnderNoise(image, base.classifier, base.denoiser, settings, device=device, batch_size=batch)
    how: Running = {"device": device, "batch_size": batch}

    def certification() -> None:
        certify_picture(image, base.classifier, base.denoiser, settings, **how)

    @torch.inference_mode()
    def networks() -> None:
        logits = [picture.base.logits(noisy, settings.sigma) for _ in range((settings.n0 + settings.n) // batch)]
        logits[-1].cpu()  # waits for the device

    return certification, networks


def cohens_loop(image: Tensor, base: BaseClassifier, settings: Settings, device: torch.device) -> Callable[[], object]:
    """The field's habit (Cohen et al. 2019, core.py), eager float32, batches of 100, votes counted one by one."""

    @torch.inference_mode()
    def loop() -> None:
        left, counts = settings.n0 + settings.n, Counter[int]()
        while left:
            batch = image.to(device).repeat(min(100, left), 1, 1, 1)
            left -= len(batch)
            counts.update(base.logits(batch + settings.sigma * torch.randn_like(batch), settings.sigma).argmax(1).tolist())

    return loop


def benchmark_engines(
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    *,
    device: torch.device,
    size: int,
    sigma: float,
    n: int,
    engines: Sequence[str],
    rounds: int,
    on_round: OnRound = lambda done, total: None,
) -> dict[str, Any]:
    """Samples a second of every engine in every format, all by turns: certification, the networks alone, and Cohen's loop.

    Returns:
        the document: of each program its two speeds, their ``ratio``, and certification as so many times Cohen's loop
        (``times_cohen``); all medians over the rounds, ratios of each round. An engine that cannot compute the pair is
        a sentence of ``notices``.
    """
    check_sigma(sigma)
    image = torch.rand((3, size, size), generator=torch.Generator().manual_seed(0))
    ready(classifier, device, "classifier")
    ready(denoiser, device, "denoiser")
    base, batch = BaseClassifier(classifier, denoiser), default_batch_size(image.to(device))
    noise = torch.randn((batch, 3, size, size), generator=torch.Generator().manual_seed(0))
    noisy, count = (image + sigma * noise).to(device), max(2, -(-n // batch)) * batch
    asked = Settings(sigma=sigma, n0=batch, n=count - batch, alpha=ALPHA)
    works = [cohens_loop(image, base, asked, device)]
    programs: list[tuple[str, str]] = []
    notices: list[str] = []
    for engine in engines:
        for precision in PRECISIONS[1:]:
            one = replace(asked, engine=engine, precision=precision)
            found = settled(one, classifier, denoiser, device=str(device), shape=(3, size, size), on_notice=notices.append)
            if found == one:
                programs.append((engine, precision))
                works += certify_and_networks(image, base, one, noisy=noisy)
    before = os.getloadavg() if hasattr(os, "getloadavg") else ()
    measured = speeds_by_round(works, count, rounds, on_round=on_round)
    median = [statistics.median(column) for column in zip(*measured, strict=True)]
    found_speeds = [
        {
            "engine": engine,
            "precision": precision,
            "certify_samples_per_second": median[at],
            "networks_samples_per_second": median[at + 1],
            "ratio": statistics.median(row[at] / row[at + 1] for row in measured),
            "times_cohen": statistics.median(row[at] / row[0] for row in measured),
        }
        for at, (engine, precision) in zip(range(1, len(works), 2), programs, strict=True)
    ]
    return about_models(classifier, denoiser, device) | {
        "size": size,
        "sigma": sigma,
        "n": count,
        "batch_size": batch,
        "load": {"before": before, "after": os.getloadavg() if before else ()},
        "cohen_samples_per_second": median[0],
        "programs": found_speeds,
        "notices": sorted(set(notices)),
        "rounds": measured,
    }


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
    parser.add_argument("--rounds", type=int, default=7, help="each measures all kinds twice (%(default)s)")
    parser.add_argument(
        "--engines",
        metavar="NAMES",
        help="compare these engines, such as eager,openvino, in all formats, and the plain loop of Cohen et al.",
    )
    add_options(parser, "device", "json")
    parser.set_defaults(run=run_bench)


def run_bench(args: argparse.Namespace) -> int:
    """Measure and print."""
    check_positive(args, "n", "batch_size", "rounds")
    classifier, denoiser, size = models_for_size(args)
    if args.engines is not None:
        return _compare(args, classifier, denoiser, size)

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


def _compare(args: argparse.Namespace, classifier: Classifier, denoiser: DenoiserLike | None, size: int) -> int:
    engines = args.engines.split(",")
    if unknown := [name for name in engines if name not in ENGINES[1:]]:
        raise LabError(f"Unknown engine {unknown[0]!r}: choose among {', '.join(ENGINES[1:])}, with commas between them.")
    line = ProgressLine()
    d = benchmark_engines(
        classifier,
        denoiser,
        device=pick_device(args.device),
        size=size,
        sigma=args.sigma,
        n=args.n or 500,
        engines=engines,
        rounds=args.rounds,
        on_round=lambda done, total: line.show(f"round {done} of {total}"),
    )
    line.clear()
    if args.json:
        print_json(d)
        return 0
    rows = [
        f"  {p['engine']:9} {p['precision']:9} {p['certify_samples_per_second']:9.0f} {p['networks_samples_per_second']:9.0f}"
        f" {p['ratio']:6.2f} {p['times_cohen']:12.2f}"
        for p in d["programs"]
    ]
    load = ", ".join(f"{when} {values[0]:.1f}" for when, values in d["load"].items() if values)
    say(
        f"{d['classifier']} behind {d['denoiser']}, {size} x {size} pixels, sigma {sigma_text(d['sigma'])}",
        f"  device     {d['device_name']} ({d['device']}), batches of {d['batch_size']}; load {load or 'unknown'}",
        f"  the loop of Cohen et al., eager float32, batches of 100: {d['cohen_samples_per_second']:.0f} samples/s",
        "  engine    precision   certify  networks  ratio  times Cohen",
        *rows,
        f"  medians of {len(d['rounds'])} rounds of {d['n']:,} samples, by turns",
        *(f"  {notice}" for notice in d["notices"]),
    )
    return 0


def _text(d: dict[str, Any]) -> list[str]:
    pixels = f"{d['size']} x {d['size']} pixels"
    return [
        f"{d['classifier']} behind {d['denoiser']}, {pixels}, sigma {sigma_text(d['sigma'])}",
        f"  device     {d['device_name']} ({d['device']}), batches of {d['batch_size']}, {d['engine']} in {d['precision']}",
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
