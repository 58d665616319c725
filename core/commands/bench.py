"""`bench`: how fast certification is, beside the networks alone."""

from __future__ import annotations

import argparse
from typing import Any

import torch

from core.commands.options import add_classifier_option, add_denoiser_option, add_device_option, add_json_option, load_models
from core.commands.terminal import ProgressLine, print_json, sigma_text
from core.device import pick_device
from core.errors import LabError
from core.evaluation.bench import benchmark


def add_bench_verb(verbs: Any) -> None:
    """Add the verb to the parser's sub-commands."""
    parser = verbs.add_parser("bench", help="measure the speed of certification", allow_abbrev=False)
    add_classifier_option(parser)
    add_denoiser_option(parser)
    parser.add_argument("--size", type=int, help="side of the picture in pixels; by default the classifier's")
    parser.add_argument("--n", type=int, help="samples of one measurement; by default four batches")
    parser.add_argument("--batch-size", type=int, help="copies at once; by default what certify would choose")
    parser.add_argument("--rounds", type=int, default=7, help="each measures both kinds twice (%(default)s)")
    add_device_option(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_bench)


def run_bench(args: argparse.Namespace) -> int:
    """Measure and print."""
    for name in ("n", "batch_size", "rounds"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise LabError(f"--{name.replace('_', '-')} is {value}: expected at least 1.")
    classifier, denoiser = load_models(args)
    size = (classifier.input_size or (32, 32))[0] if args.size is None else args.size
    if not 8 <= size <= 1024:
        raise LabError(f"--size is {size}: expected 8 to 1024 pixels.")
    try:
        classifier(torch.zeros(1, 3, size, size))
    except RuntimeError as error:
        raise LabError(f"{args.classifier} cannot take pictures of {size} x {size} pixels: choose another --size.") from error
    line = ProgressLine()
    # The tensor of a benchmark is not resized, and a classifier may take another size than the one it was trained on.
    classifier.input_size = (size, size)
    result = benchmark(
        classifier, denoiser, device=pick_device(args.device), size=size, sigma=args.sigma, n=args.n,
        batch_size=args.batch_size, rounds=args.rounds, on_round=lambda done, total: line.show(f"round {done} of {total}"),
    )  # fmt: skip
    line.clear()
    if args.json:
        print_json(result.to_dict())
        return 0
    pixels = f"{result.size} x {result.size} pixels"
    print(f"{result.classifier} behind {result.denoiser}, {pixels}, sigma {sigma_text(result.sigma)}")
    print(f"  device     {result.device_name} ({result.device}), batches of {result.batch_size}")
    print(f"  certify    {result.certify_samples_per_second:.0f} samples/s")
    print(f"  networks   {result.networks_samples_per_second:.0f} samples/s on ready-made batches")
    print(f"  ratio      {result.ratio:.3f} (medians of {len(result.rounds)} rounds of {result.n:,} samples)")
    return 0
