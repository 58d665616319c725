"""Samples a second of `evaluate`, which fills batches with several pictures, against `certify` picture by picture.

python -m experiments.bench_evaluation --help
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from core.commands.bench import ALPHA, about_models, models_for_size
from core.commands.options import add_options
from core.commands.speeds import Benchmark, OnRound, check_positive, print_benchmark, speeds_by_round
from core.commands.terminal import CommandParser, run_program
from core.data.datasets import LabelledImages
from core.device import pick_device
from core.evaluation.evaluate import evaluate
from core.smoothing.certify import certify_picture
from core.smoothing.noise import image_seed
from core.smoothing.sampling import ClassifierLike, DenoiserLike, ready
from core.smoothing.settings import Settings


def build_parser() -> argparse.ArgumentParser:
    """What it can be asked."""
    parser = CommandParser(
        prog="python -m experiments.bench_evaluation",
        description="Measure evaluate over images beside certify image by image.",
        allow_abbrev=False,
    )
    add_options(parser, "classifier", "denoiser", "sigma")
    parser.add_argument("--size", type=int, help="side of the pictures in pixels; by default the classifier's")
    parser.add_argument("--n", type=int, default=1_000, help="samples that count each picture's class (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="each measures both kinds twice (%(default)s)")
    add_options(parser, "device", "json")
    parser.set_defaults(run=run_bench_evaluation)
    return parser


def run_bench_evaluation(args: argparse.Namespace) -> int:
    """Measure and print."""
    check_positive(args, "n", "rounds")
    classifier, denoiser, size = models_for_size(args)
    how = {"device": pick_device(args.device), "size": size, "rounds": args.rounds}

    def measure(on_round: OnRound) -> dict[str, Any]:
        settings = Settings(args.sigma, n=args.n, alpha=ALPHA)
        return benchmark_evaluation(classifier, denoiser, settings=settings, on_round=on_round, **how).document

    return print_benchmark(args, measure, _text)


def _text(d: dict[str, Any]) -> list[str]:
    return [
        f"{d['images']} images of {d['size']} x {d['size']} pixels, {d['n0']} + {d['n']:,} samples each",
        f"  device     {d['device_name']} ({d['device']})",
        f"  evaluate   {d['evaluate_samples_per_second']:.0f} samples/s",
        f"  certify    {d['certify_samples_per_second']:.0f} samples/s, image by image",
        f"  ratio      {d['ratio']:.3f} (medians of {len(d['rounds'])} rounds)",
    ]


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
    :func:`core.certify`, picture by picture.

    Args:
        classifier, denoiser: as for :func:`core.certify`.
        size: side of the pictures, in pixels.
        settings: of each certificate.
        images: how many a measurement takes.
        rounds: each measures both twice.
    """
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
        about_models(classifier, denoiser, device) | asked,
        ("evaluate_samples_per_second", "certify_samples_per_second"),
        speeds_by_round((whole, one_by_one), images * (settings.n0 + settings.n), rounds, on_round=on_round),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code, as :func:`core.commands.terminal.run_program`."""
    return run_program(build_parser, argv, "bench_evaluation")


if __name__ == "__main__":
    sys.exit(main())
