"""Samples a second at ImageNet's size, by every engine and number format: classifiers of timm behind a denoiser at 224 x 224.

Their weights are random: speed does not depend on them. python -m experiments.bench_imagenet --help
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from core.commands.bench import Workload, benchmark_engines, comparison_text, engines_of
from core.commands.options import add_options
from core.commands.speeds import OnRound, check_positive, checked_size, print_benchmark
from core.commands.terminal import CommandParser, run_program
from core.device import pick_device
from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.networks import UNetDenoiser

CLASSIFIERS = ("mobilenetv3_large_100", "resnet50", "vit_base_patch16_224")


def build_parser() -> argparse.ArgumentParser:
    """What it can be asked."""
    parser = CommandParser(
        prog="python -m experiments.bench_imagenet",
        description="Measure engines on networks of ImageNet's size.",
        allow_abbrev=False,
    )
    parser.add_argument("--classifiers", default=",".join(CLASSIFIERS), metavar="NAMES", help="of timm (%(default)s)")
    parser.add_argument("--engines", default="eager,openvino", metavar="NAMES", help="as for bench (%(default)s)")
    parser.add_argument("--size", type=int, default=224, help="side of the pictures in pixels (%(default)s)")
    parser.add_argument("--n", type=int, default=16, help="samples of one measurement (%(default)s)")
    parser.add_argument("--batch-size", type=int, help="copies at once; by default what certify would choose")
    parser.add_argument("--rounds", type=int, default=5, help="each measures all kinds twice (%(default)s)")
    add_options(parser, "sigma", "device", "json")
    parser.set_defaults(run=run_bench_imagenet)
    return parser


def run_bench_imagenet(args: argparse.Namespace) -> int:
    """Measure one classifier after the other, and print."""
    check_positive(args, "n", "batch_size", "rounds")
    size, engines, device = checked_size(args.size), engines_of(args.engines), pick_device(args.device)
    names = args.classifiers.split(",")
    timm = import_library("timm")
    if unknown := [name for name in names if not timm.is_model(name)]:
        raise LabError(f"timm has no {unknown[0]!r}: name architectures such as {', '.join(CLASSIFIERS)}.")

    def measured(name: str, on_round: OnRound) -> dict[str, Any]:
        models = (_named(timm.create_model(name, pretrained=False), f"timm/{name}"), _named(UNetDenoiser(), "the Lab's U-Net"))
        taken = {"sigma": args.sigma, "n": args.n, "batch_size": args.batch_size}
        work = Workload.of(*models, device=device, size=size, **taken)
        with torch.inference_mode():
            if not work.base.logits(work.noisy, args.sigma).isfinite().all():
                raise LabError(f"The random weights of {name!r} give logits that are not finite: choose another classifier.")
        return benchmark_engines(work, engines, args.rounds, on_round)

    def measure(on_round: OnRound) -> dict[str, Any]:
        return {"classifiers": [measured(name, on_round) for name in names]}

    return print_benchmark(args, measure, lambda d: [line for found in d["classifiers"] for line in comparison_text(found)])


def _named(network: nn.Module, name: str) -> nn.Module:
    vars(network)["ref"] = name
    return network.eval().requires_grad_(False)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code, as :func:`core.commands.terminal.run_program`."""
    return run_program(build_parser, argv, "bench_imagenet")


if __name__ == "__main__":
    sys.exit(main())
