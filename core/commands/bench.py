"""`bench`: how fast certification is beside its networks alone, by the engine that it takes, or by several to compare them."""

import argparse
import itertools
import os
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.commands.options import add_options, load_models
from core.commands.speeds import Benchmark, OnRound, check_positive, checked_size, print_benchmark, speeds_by_round
from core.device import describe_device, pick_device
from core.engines import ENGINES, INT8, PRECISIONS
from core.errors import LabError
from core.models.load import Classifier
from core.report.notation import sigma_text
from core.smoothing.certificate import model_record
from core.smoothing.certify import certify_picture
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike, default_batch_size, ready
from core.smoothing.settings import Settings
from core.smoothing.under_noise import PictureUnderNoise, settled

ALPHA = 0.4
"""What it is does not matter to the speed; so two samples can decide, and few of them can be measured, too."""


@dataclass(frozen=True)
class Workload:
    """A random (3, H, W) picture and a batch of its noisy copies; certified with ``settings``, it takes whole batches."""

    base: BaseClassifier
    image: Tensor
    noisy: Tensor
    settings: Settings

    @classmethod
    def of(
        cls,
        classifier: ClassifierLike,
        denoiser: DenoiserLike | None,
        *,
        device: torch.device,
        size: int,
        sigma: float,
        n: int | None,
        batch_size: int | None,
    ) -> "Workload":
        """Of about ``n`` samples, by default four batches. Raises LabError where a number is out of range."""
        ready(classifier, device, "classifier")
        ready(denoiser, device, "denoiser")
        image = torch.rand((3, size, size), generator=torch.Generator().manual_seed(0))
        batch = batch_size or default_batch_size(image.to(device))
        # The first batch is spent by certify on choosing the class.
        count = max(3, -(-(n or 4 * batch) // batch)) * batch
        settings = Settings(sigma=sigma, n0=batch, n=count - batch, alpha=ALPHA)
        settings.check()
        noise = torch.randn((batch, 3, size, size), generator=torch.Generator().manual_seed(0))
        return cls(BaseClassifier(classifier, denoiser), image, (image + sigma * noise).to(device), settings)

    @property
    def count(self) -> int:
        """How many samples a certificate takes."""
        return self.settings.n0 + self.settings.n

    @property
    def about(self) -> dict[str, Any]:
        """What the document says of it."""
        batch, size = len(self.noisy), self.image.shape[-1]
        asked = {"size": size, "sigma": self.settings.sigma, "n": self.count, "batch_size": batch}
        return about_models(self.base.classifier, self.base.denoiser, self.noisy.device) | asked

    def by(self, engine: str, precision: str, notices: list[str]) -> "Workload":
        """The same by this engine in this format, or, with a notice, by what these models get instead."""
        settings = settled(
            replace(self.settings, engine=engine, precision=precision),
            self.base.classifier,
            self.base.denoiser,
            device=str(self.noisy.device),
            shape=tuple(self.image.shape),
            on_notice=notices.append,
        )
        return replace(self, settings=settings)

    def certification(self) -> None:
        """Certify the picture."""
        base, device = self.base, str(self.noisy.device)
        certify_picture(self.image, base.classifier, base.denoiser, self.settings, device=device, batch_size=len(self.noisy))

    def networks(self) -> Callable[[], None]:
        """As many samples through the same program, on a ready-made batch."""
        base, batch, device = self.base, len(self.noisy), str(self.noisy.device)
        picture = PictureUnderNoise(self.image, base.classifier, base.denoiser, self.settings, device=device, batch_size=batch)

        @torch.inference_mode()
        def run() -> None:
            logits = [picture.base.logits(self.noisy, self.settings.sigma) for _ in range(self.count // batch)]
            logits[-1].cpu()  # waits for the device

        return run

    @torch.inference_mode()
    def cohens_loop(self) -> None:
        """The field's habit (Cohen et al. 2019, core.py), eager float32, batches of 100, votes counted one by one."""
        left, sigma, counts = self.count, self.settings.sigma, Counter[int]()
        while left:
            batch = self.image.to(self.noisy.device).repeat(min(100, left), 1, 1, 1)
            left -= len(batch)
            counts.update(self.base.logits(batch + sigma * torch.randn_like(batch), sigma).argmax(1).tolist())


def about_models(classifier: ClassifierLike, denoiser: DenoiserLike | None, device: torch.device) -> dict[str, Any]:
    """What benchmarks of certification say of models and device."""
    return {
        "device": str(device),
        "device_name": describe_device(device),
        "classifier": model_record(classifier).ref,
        "denoiser": model_record(denoiser).ref,
    }


def benchmark_certification(work: Workload, rounds: int, on_round: OnRound) -> dict[str, Any]:
    """Samples a second of :func:`core.certify`, all it does included, and of its networks on ready-made batches of that size.

    Each of the rounds measures both twice.
    """
    own = work.by("auto", "auto", [])
    return Benchmark(
        own.about | {"engine": own.settings.engine, "precision": own.settings.precision},
        ("certify_samples_per_second", "networks_samples_per_second"),
        speeds_by_round((own.certification, own.networks()), own.count, rounds, on_round=on_round),
    ).document


def benchmark_engines(work: Workload, engines: Sequence[str], rounds: int, on_round: OnRound) -> dict[str, Any]:
    """Samples a second of every engine in every format, all by turns: certification, the networks alone, and Cohen's loop.

    Returns:
        the document: of each program its two speeds, their ``ratio``, and certification as so many times Cohen's loop
        (``times_cohen``); all medians over the rounds, ratios of each round. An engine that cannot compute the pair is
        a sentence of ``notices``.
    """
    notices: list[str] = []
    programs = []
    for engine, precision in itertools.product(engines, PRECISIONS[1:]):
        if precision == INT8 and engine != "openvino":
            continue  # which alone has it
        own = work.by(engine, precision, notices)
        if (own.settings.engine, own.settings.precision) == (engine, precision):
            programs.append(own)
    works = [work.cohens_loop, *(measured for own in programs for measured in (own.certification, own.networks()))]
    before = os.getloadavg() if hasattr(os, "getloadavg") else ()
    rows = speeds_by_round(works, work.count, rounds, on_round=on_round)
    median = [statistics.median(column) for column in zip(*rows, strict=True)]
    found = [
        {
            "engine": own.settings.engine,
            "precision": own.settings.precision,
            "certify_samples_per_second": median[at],
            "networks_samples_per_second": median[at + 1],
            "ratio": statistics.median(row[at] / row[at + 1] for row in rows),
            "times_cohen": statistics.median(row[at] / row[0] for row in rows),
        }
        for at, own in zip(range(1, len(works), 2), programs, strict=True)
    ]
    return work.about | {
        "load": {"before": before, "after": os.getloadavg() if before else ()},
        "cohen_samples_per_second": median[0],
        "programs": found,
        "notices": sorted(set(notices)),
        "rounds": rows,
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
    engines = None if args.engines is None else engines_of(args.engines)
    classifier, denoiser, size = models_for_size(args)
    device, taken = pick_device(args.device), {"sigma": args.sigma, "n": args.n, "batch_size": args.batch_size}
    work = Workload.of(classifier, denoiser, device=device, size=size, **taken)
    if engines is None:
        return print_benchmark(args, lambda on_round: benchmark_certification(work, args.rounds, on_round), _text)
    return print_benchmark(args, lambda on_round: benchmark_engines(work, engines, args.rounds, on_round), comparison_text)


def engines_of(text: str) -> list[str]:
    """``--engines``, where they are known."""
    engines = text.split(",")
    if unknown := [name for name in engines if name not in ENGINES[1:]]:
        raise LabError(f"Unknown engine {unknown[0]!r}: choose among {', '.join(ENGINES[1:])}, with commas between them.")
    return engines


def _head(d: dict[str, Any]) -> str:
    return f"{d['classifier']} behind {d['denoiser']}, {d['size']} x {d['size']} pixels, sigma {sigma_text(d['sigma'])}"


def _text(d: dict[str, Any]) -> list[str]:
    return [
        _head(d),
        f"  device     {d['device_name']} ({d['device']}), batches of {d['batch_size']}, {d['engine']} in {d['precision']}",
        f"  certify    {d['certify_samples_per_second']:.0f} samples/s",
        f"  networks   {d['networks_samples_per_second']:.0f} samples/s on ready-made batches",
        f"  ratio      {d['ratio']:.3f} (medians of {len(d['rounds'])} rounds of {d['n']:,} samples)",
    ]


def comparison_text(d: dict[str, Any]) -> list[str]:
    """What :func:`benchmark_engines` found, in lines."""
    rows = [
        f"  {p['engine']:9} {p['precision']:9} {p['certify_samples_per_second']:9.0f} {p['networks_samples_per_second']:9.0f}"
        f" {p['ratio']:6.2f} {p['times_cohen']:12.2f}"
        for p in d["programs"]
    ]
    load = ", ".join(f"{when} {values[0]:.1f}" for when, values in d["load"].items() if values)
    return [
        _head(d),
        f"  device     {d['device_name']} ({d['device']}), batches of {d['batch_size']}; load {load or 'unknown'}",
        f"  the loop of Cohen et al., eager float32, batches of 100: {d['cohen_samples_per_second']:.0f} samples/s",
        "  engine    precision   certify  networks  ratio  times Cohen",
        *rows,
        f"  medians of {len(d['rounds'])} rounds of {d['n']:,} samples, by turns",
        *(f"  {notice}" for notice in d["notices"]),
    ]


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
