"""How much of training is the networks: images a second of the training loop against bare forward and backward passes.

python -m experiments.bench_training --help
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from core.commands.options import add_options
from core.commands.speeds import Benchmark, OnRound, check_positive, checked_size, print_benchmark, speeds_by_round
from core.commands.terminal import CommandParser, run_program
from core.data.datasets import LabelledImages
from core.device import describe_device, pick_device
from core.errors import LabError
from core.models.load import load_classifier
from core.models.networks import DENOISERS, build
from core.smoothing.certificate import model_record
from core.training.augmentation import draw_gaussian, draw_sigmas
from core.training.denoiser import denoising_loss
from core.training.epochs import Trainer
from core.training.loop import TrainingProgress
from core.training.objectives import Objective, mse, stability
from core.training.recipe import PRECISIONS, Recipe, autocast_type, check_recipe

LEAST_STEPS = 2


def build_parser() -> argparse.ArgumentParser:
    """What it can be asked."""
    parser = CommandParser(
        prog="python -m experiments.bench_training",
        description="Measure the training loop, on a fresh denoiser, beside bare forward and backward passes.",
        allow_abbrev=False,
    )
    parser.add_argument("--arch", choices=DENOISERS, default="unet", help="of the denoiser (%(default)s)")
    parser.add_argument("--objective", choices=["mse", "stab"], default="mse", help="stab: through --classifier (%(default)s)")
    add_options(parser, "classifier")
    parser.add_argument("--size", type=int, default=32, help="side of the pictures in pixels (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=64, help="pictures of a step (%(default)s)")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="(%(default)s)")
    parser.add_argument("--no-channels-last", action="store_true", help="keep colours apart in memory")
    parser.add_argument("--rounds", type=int, default=7, help="each measures both kinds twice (%(default)s)")
    add_options(parser, "device", "json")
    parser.set_defaults(run=run_bench_training)
    return parser


def run_bench_training(args: argparse.Namespace) -> int:
    """Measure and print."""
    check_positive(args, "batch_size", "rounds")
    side = checked_size(args.size)
    device = pick_device(args.device)
    classifier = load_classifier(args.classifier, size=(side, side)) if args.objective == "stab" else None
    recipe = Recipe(batch_size=args.batch_size, precision=args.precision, channels_last=not args.no_channels_last)
    how = {"device": device, "recipe": recipe, "size": side, "rounds": args.rounds}

    def measure(on_round: OnRound) -> dict[str, Any]:
        return benchmark_training(args.arch, classifier=classifier, on_round=on_round, **how).document

    return print_benchmark(args, measure, _text)


def _text(d: dict[str, Any]) -> list[str]:
    through = f" through {d['classifier']}" if d["objective"] == "stab" else ""
    return [
        f"{d['architecture']}, {d['parameters']:,} parameters, {d['objective']}{through}, {d['size']} x {d['size']} pixels",
        f"  device     {d['device_name']} ({d['device']}), batches of {d['batch_size']}, {d['precision']}",
        f"  training   {d['training_images_per_second']:.0f} images/s",
        f"  bare       {d['bare_images_per_second']:.0f} images/s, forward and backward on a ready-made batch",
        f"  ratio      {d['ratio']:.3f} (medians of {len(d['rounds'])} rounds)",
    ]


def benchmark_training(
    architecture: str = "unet",
    options: dict[str, Any] | None = None,
    *,
    classifier: nn.Module | None = None,
    device: torch.device,
    recipe: Recipe | None = None,
    size: int = 32,
    steps: int = 4,
    rounds: int = 5,
    on_round: OnRound = lambda done, total: None,
) -> Benchmark:
    """Pictures a second of :meth:`core.training.epochs.Trainer.fit` (order, augmentation, noise, objective, clipping, optimiser
    and averaged weights, without checkpoints and figures), and of objective and gradients alone on one ready-made batch.

    Args:
        architecture: of the denoiser; ``options`` are its arguments.
        classifier: trained through (STAB) where there is one; else the objective is MSE.
        device: where to compute.
        recipe: batch size, optimiser, precision, layout; by default that of ``train-denoiser`` with batches of 64.
        size: side of the random pictures, in pixels.
        steps: timed in one measurement.
        rounds: each measures both twice.

    Raises:
        LabError: where a number is out of range, or the precision is not the device's.
    """
    recipe = replace(recipe or Recipe(batch_size=64), epochs=1)
    check_recipe(recipe, device)
    for what, value, least in (("size", size, 8), ("steps", steps, LEAST_STEPS), ("rounds", rounds, 1)):
        if value < least:
            raise LabError(f"The {what} of a benchmark of training is {value}: expected at least {least}.")
    torch.manual_seed(0)
    network = build("denoiser", architecture, options or {}).to(device, memory_format=recipe.memory_format).train()  # type: ignore[call-overload]
    objective: Objective = mse
    if classifier is not None:
        objective = stability([classifier.to(device, memory_format=recipe.memory_format)])  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    batch, half = recipe.batch_size, autocast_type(recipe)
    pictures = torch.randint(0, 256, ((steps + 1) * batch, 3, size, size), generator=generator, dtype=torch.uint8)
    data = LabelledImages(pictures, torch.zeros(len(pictures)).long(), torch.arange(len(pictures)), None)
    clean = (pictures[:batch].to(device).float() / 255).contiguous(memory_format=recipe.memory_format)
    sigma = _sigmas(batch, generator).to(device)
    noisy = clean + sigma.view(-1, 1, 1, 1) * draw_gaussian(clean.shape, generator, device)
    loss = denoising_loss(objective, _sigmas, layout=recipe.memory_format)

    def training() -> float:
        moments: list[float] = []

        def note(progress: TrainingProgress) -> None:
            moments.append(time.perf_counter())  # the loop has read the loss by then, which waits for the device

        trainer = Trainer(device, on_progress=note)
        trainer.fit(network, loss, data, recipe=recipe)
        return moments[-1] - moments[0]  # the first step pays for what is made anew, and is not counted

    def bare() -> None:
        for _ in range(steps):
            network.zero_grad(set_to_none=True)
            with torch.autocast(device.type, half, enabled=half is not None):
                value = objective(network, clean, noisy, sigma, generator)
            value.backward()
            value.item()  # as the loop does, which has to know whether it is a number

    about = {
        "device": str(device),
        "device_name": describe_device(device),
        "architecture": architecture,
        "parameters": sum(p.numel() for p in network.parameters()),
        "objective": "mse" if classifier is None else "stab",
        "classifier": model_record(classifier).ref,
        "precision": recipe.precision,
        "channels_last": recipe.channels_last,
        "size": size,
        "batch_size": batch,
        "steps": steps,
    }
    names = ("training_images_per_second", "bare_images_per_second")
    return Benchmark(about, names, speeds_by_round((training, bare), steps * batch, rounds, on_round=on_round))


def _sigmas(count: int, generator: torch.Generator) -> torch.Tensor:
    return draw_sigmas(count, (0.0, 1.0), 1.5, generator)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code, as :func:`core.commands.terminal.run_program`."""
    return run_program(build_parser, argv, "bench_training")


if __name__ == "__main__":
    sys.exit(main())
