"""`bench`: how fast certification, the evaluation of a data set, or training is."""

import argparse
from typing import Any

import torch

from core.bench.certify import ALPHA, OnRound, benchmark_certification, benchmark_evaluation
from core.bench.train import benchmark_training
from core.commands.inputs import load_models
from core.commands.options import add_options
from core.commands.terminal import ProgressLine, print_json
from core.device import pick_device
from core.errors import LabError
from core.models.load import Classifier, load_classifier
from core.models.networks import DENOISERS
from core.report.notation import sigma_text
from core.smoothing.sampling import DenoiserLike
from core.smoothing.settings import Settings
from core.training.recipe import PRECISIONS, Recipe


def add_bench_verb(verbs: Any) -> None:
    """Add the verb to the parser's sub-commands."""
    parser = verbs.add_parser("bench", help="measure the speed of certification, evaluation, or training", allow_abbrev=False)
    add_options(parser, "classifier", "denoiser", "sigma")
    parser.add_argument("--size", type=int, help="side of the picture in pixels; by default the classifier's")
    parser.add_argument("--n", type=int, help="samples of one measurement; by default four batches")
    parser.add_argument("--batch-size", type=int, help="copies at once; by default what certify would choose")
    parser.add_argument("--rounds", type=int, default=7, help="each measures both kinds twice (%(default)s)")
    parser.add_argument(
        "--evaluation", action="store_true", help="measure evaluate over images instead, beside certify image by image"
    )
    training = parser.add_argument_group("training")
    training.add_argument("--training", action="store_true", help="measure training instead, of a fresh denoiser")
    training.add_argument("--arch", choices=DENOISERS, default="unet", help="of the denoiser (%(default)s)")
    training.add_argument(
        "--objective", choices=["mse", "stab"], default="mse", help="stab: through --classifier (%(default)s)"
    )
    training.add_argument("--precision", choices=PRECISIONS, default="float32", help="(%(default)s)")
    training.add_argument("--no-channels-last", action="store_true", help="keep colours apart in memory")
    add_options(parser, "device", "json")
    parser.set_defaults(run=run_bench)


def run_bench(args: argparse.Namespace) -> int:
    """Measure and print."""
    for name in ("n", "batch_size", "rounds"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise LabError(f"--{name.replace('_', '-')} is {value}: expected at least 1.")
    if args.training and args.evaluation:
        raise LabError("--training and --evaluation measure different things: leave one out.")
    line = ProgressLine()
    measure = _training if args.training else _evaluation if args.evaluation else _certification
    document, text = measure(args, lambda done, total: line.show(f"round {done} of {total}"))
    line.clear()
    if args.json:
        print_json(document)
    else:
        print("\n".join(text))
    return 0


def _certification(args: argparse.Namespace, on_round: OnRound) -> tuple[dict[str, Any], list[str]]:
    classifier, denoiser, size = _models(args)
    d = benchmark_certification(
        classifier,
        denoiser,
        device=pick_device(args.device),
        size=size,
        sigma=args.sigma,
        n=args.n,
        batch_size=args.batch_size,
        rounds=args.rounds,
        on_round=on_round,
    ).document
    pixels = f"{d['size']} x {d['size']} pixels"
    return d, [
        f"{d['classifier']} behind {d['denoiser']}, {pixels}, sigma {sigma_text(d['sigma'])}",
        f"  device     {d['device_name']} ({d['device']}), batches of {d['batch_size']}",
        f"  certify    {d['certify_samples_per_second']:.0f} samples/s",
        f"  networks   {d['networks_samples_per_second']:.0f} samples/s on ready-made batches",
        f"  ratio      {d['ratio']:.3f} (medians of {len(d['rounds'])} rounds of {d['n']:,} samples)",
    ]


def _evaluation(args: argparse.Namespace, on_round: OnRound) -> tuple[dict[str, Any], list[str]]:
    classifier, denoiser, size = _models(args)
    if args.batch_size is not None:
        raise LabError("--batch-size is not for --evaluation, which fills batches as evaluate does: leave it out.")
    d = benchmark_evaluation(
        classifier,
        denoiser,
        device=pick_device(args.device),
        size=size,
        settings=Settings(args.sigma, n=args.n or 1_000, alpha=ALPHA),
        rounds=args.rounds,
        on_round=on_round,
    ).document
    return d, [
        f"{d['images']} images of {size} x {size} pixels, {d['n0']} + {d['n']:,} samples each",
        f"  device     {d['device_name']} ({d['device']})",
        f"  evaluate   {d['evaluate_samples_per_second']:.0f} samples/s",
        f"  certify    {d['certify_samples_per_second']:.0f} samples/s, image by image",
        f"  ratio      {d['ratio']:.3f} (medians of {len(d['rounds'])} rounds)",
    ]


def _training(args: argparse.Namespace, on_round: OnRound) -> tuple[dict[str, Any], list[str]]:
    side = _checked_size(32 if args.size is None else args.size)
    if args.n is not None:
        raise LabError("--n counts samples of certification: with --training leave it out, and choose --batch-size.")
    device = pick_device(args.device)
    classifier = load_classifier(args.classifier, size=(side, side)) if args.objective == "stab" else None
    recipe = Recipe(batch_size=args.batch_size or 64, precision=args.precision, channels_last=not args.no_channels_last)
    d = benchmark_training(
        args.arch, classifier=classifier, device=device, recipe=recipe, size=side, rounds=args.rounds, on_round=on_round
    ).document
    through = f" through {d['classifier']}" if classifier is not None else ""
    return d, [
        f"{d['architecture']}, {d['parameters']:,} parameters, {d['objective']}{through}, {side} x {side} pixels",
        f"  device     {d['device_name']} ({d['device']}), batches of {d['batch_size']}, {d['precision']}",
        f"  training   {d['training_images_per_second']:.0f} images/s",
        f"  bare       {d['bare_images_per_second']:.0f} images/s, forward and backward on a ready-made batch",
        f"  ratio      {d['ratio']:.3f} (medians of {len(d['rounds'])} rounds)",
    ]


def _models(args: argparse.Namespace) -> tuple[Classifier, DenoiserLike | None, int]:
    """The models, and the side of the pictures, which the classifier is seen to take."""
    classifier, denoiser = load_models(args)
    size = _checked_size((classifier.input_size or (32, 32))[0] if args.size is None else args.size)
    try:
        classifier(torch.zeros(1, 3, size, size))
    except RuntimeError as error:
        raise LabError(f"{args.classifier} cannot take pictures of {size} x {size} pixels: choose another --size.") from error
    # The tensor of a benchmark is not resized, and a classifier may take another size than the one it was trained on.
    classifier.input_size = (size, size)
    return classifier, denoiser, size


def _checked_size(size: int) -> int:
    if not 8 <= size <= 1024:
        raise LabError(f"--size is {size}: expected 8 to 1024 pixels.")
    return size
