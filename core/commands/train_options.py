"""The options of `train-classifier` and `train-denoiser`, and what they mean."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.models.networks import DENOISERS
from core.training.denoiser import OBJECTIVES
from core.training.objectives import COMBINATIONS
from core.training.recipe import OPTIMIZERS, PRECISIONS, SCHEDULES, Recipe

_REFERENCES = "bundled/NAME, hub/OWNER/NAME[@REVISION], torchvision/ARCH[@WEIGHTS] or local/PATH"


def add_classifier_training_options(parser: argparse.ArgumentParser) -> None:
    """What `train-classifier` takes."""
    _add_common(parser, optimizer="sgd", learning_rate=0.2, weight_decay=5e-4, clip=0.0)
    parser.add_argument(
        "--noise-sigma", type=float, default=0.0, metavar="SIGMA", help="train with Gaussian noise (%(default)s)"
    )
    parser.add_argument("--widths", default="64,128,256", help="channels of each stage (%(default)s)")
    parser.add_argument("--label-smoothing", type=float, default=0.1, help="share spread over all classes (%(default)s)")
    parser.add_argument(
        "--cutout", type=int, default=8, help="side of the square greyed out in training; 0 for none (%(default)s)"
    )


def add_denoiser_training_options(parser: argparse.ArgumentParser) -> None:
    """What `train-denoiser` takes."""
    _add_common(parser, optimizer="adamw", learning_rate=1e-3, weight_decay=1e-4, clip=1.0)
    parser.add_argument(
        "--objective",
        choices=OBJECTIVES,
        default="mse",
        help="restore pictures, restore a classifier's answers, or train a U-Net's first half for that (%(default)s)",
    )
    parser.add_argument(
        "--classifier", metavar="REF", help=f"to train through (stab, white-box), or to measure with: {_REFERENCES}"
    )
    parser.add_argument(
        "--surrogate",
        metavar="REF",
        action="append",
        default=[],
        help="train through this one instead (stab, black-box); may be given several times",
    )
    parser.add_argument(
        "--combine",
        choices=COMBINATIONS,
        default="random",
        help="several surrogates: one at random a batch, or the average over all (%(default)s)",
    )
    parser.add_argument(
        "--start-from", "--start", dest="start", metavar="REF", help="a trained denoiser to go on from, as from mse to stab"
    )
    parser.add_argument("--arch", "--architecture", dest="architecture", choices=DENOISERS, help="unet, where no start says")
    parser.add_argument("--widths", help="channels of each level (unet, drunet, unet2d)")
    parser.add_argument(
        "--option", metavar="NAME=VALUE", action="append", default=[], help="another argument of the architecture, as depth=20"
    )
    parser.add_argument("--sigma", default="0:1", help="one sigma, LEAST:GREATEST, or all of a diffusion model (%(default)s)")
    parser.add_argument(
        "--sigma-power", type=float, default=1.5, help="above 1, small sigmas are drawn more often (%(default)s)"
    )
    parser.add_argument(
        "--helper",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="stab, unet: weight of a helper that learns the labels from the coarsest features in training, 0 for none",
    )
    parser.add_argument(
        "--closeness",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="stab: weight of the objective mse beside it, so that what comes out still is the picture (%(default)s)",
    )
    parser.add_argument(
        "--features",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="stab: weight of the difference between what the classifier's layers see in the denoised and in the clean picture",
    )
    parser.add_argument(
        "--consistency",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="stab: weight of the difference between the answers to noise draws of one picture (%(default)s)",
    )
    parser.add_argument(
        "--draws",
        type=int,
        metavar="N",
        help="noise draws of each picture of a batch; costs N times as much (2 with --consistency, else 1)",
    )


def _add_common(parser: argparse.ArgumentParser, **defaults: Any) -> None:
    parser.add_argument("--dataset", required=True, help="shapes, hub/OWNER/NAME, parquet/PATH or folder/PATH")
    parser.add_argument("--out", required=True, type=Path, help="folder for the weights, the config and the card")
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N pictures of each split only, for a trial run")
    parser.add_argument("--epochs", type=int, default=20, help="(%(default)s)")
    parser.add_argument("--batch-size", type=int, default=256, help="on all devices together (%(default)s)")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default=defaults["optimizer"], help="(%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=defaults["learning_rate"], help="at its peak (%(default)s)")
    parser.add_argument("--weight-decay", type=float, default=defaults["weight_decay"], help="(%(default)s)")
    parser.add_argument("--warmup", type=float, default=0.1, help="share of the steps (%(default)s)")
    parser.add_argument("--schedule", choices=SCHEDULES, default="cosine", help="of the learning rate (%(default)s)")
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged network, which is kept (%(default)s)")
    parser.add_argument("--clip", type=float, default=defaults["clip"], help="greatest gradient norm; 0 for none (%(default)s)")
    parser.add_argument("--crop", type=int, default=2, help="greatest random shift in pixels; 0 for none (%(default)s)")
    parser.add_argument("--no-mirror", action="store_true", help="do not swap left and right at random")
    parser.add_argument("--precision", choices=[*PRECISIONS, "bfloat16"], default="float32", help="(%(default)s)")
    parser.add_argument("--no-channels-last", action="store_true", help="keep colours apart in memory, which is mostly slower")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:NUMBER, mps or cpu (%(default)s)")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="devices of this machine that share the work")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument(
        "--checkpoint-minutes", type=float, default=10.0, help="how much work within an epoch a kill may cost (%(default)s)"
    )
    parser.add_argument(
        "--half-weights", action="store_true", help="keep float16 weights: half the size, rounded before they are measured"
    )
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write curves for TensorBoard there")
    parser.add_argument("--push-to-hub", metavar="OWNER/NAME", help="upload the model to the Hub afterwards, with HF_TOKEN")
    parser.add_argument("--private", action="store_true", help="make a new repository on the Hub a private one")
    parser.add_argument("--json", action="store_true", help="print the card as JSON on stdout")


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe that the options give.

    Raises:
        LabError: where a number is out of range.
    """
    if args.epochs < 1 or args.batch_size < 1:
        raise LabError("--epochs and --batch-size must be at least 1.")
    if not (args.learning_rate > 0 and math.isfinite(args.learning_rate)):
        raise LabError(f"--learning-rate is {args.learning_rate:g}: expected a number above 0.")
    limits = {
        "warmup": (0, 0.9),
        "ema": (0, 1),
        "weight_decay": (0, 10),
        "clip": (0, math.inf),
        "crop": (0, 64),
        "checkpoint_minutes": (0, math.inf),
    }
    for name, (low, high) in limits.items():
        value = getattr(args, name)
        if not low <= value <= high:
            raise LabError(f"--{name.replace('_', '-')} is {value:g}: expected {low:g} to {high:g}.")
    if args.seed < 0:
        raise LabError(f"seed is {args.seed}: expected a whole number of at least 0.")
    if args.batch_size % max(1, args.devices):
        raise LabError(f"--batch-size {args.batch_size} cannot be shared among {args.devices} devices: make it a multiple.")
    return Recipe(
        args.epochs,
        args.batch_size,
        args.optimizer,
        args.learning_rate,
        args.weight_decay,
        args.warmup,
        args.schedule,
        args.ema,
        args.clip,
        "bf16" if args.precision == "bfloat16" else args.precision,
        not args.no_channels_last,
        args.seed,
    )


def widths_of(text: str) -> list[int]:
    """Channels from ``64,128,256``.

    Raises:
        LabError: where it is no such list.
    """
    try:
        widths = [int(part) for part in text.split(",")]
    except ValueError:
        widths = []
    if not widths or min(widths) < 1:
        raise LabError(f"--widths {text!r} is not a list of channels: expected something like 64,128,256.")
    return widths


def network_options(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a denoiser's architecture: ``--widths`` and every ``--option``.

    Raises:
        LabError: where one is not ``NAME=VALUE``.
    """
    options: dict[str, Any] = {"widths": widths_of(args.widths)} if args.widths else {}
    for text in args.option:
        name, equals, value = text.partition("=")
        try:
            options[name] = json.loads(value)
        except ValueError:
            equals = ""
        if not equals or not name.isidentifier():
            raise LabError(f"--option {text!r} is no argument: expected NAME=VALUE, such as depth=20 or shared=true.")
    return options


def sigma_range_of(text: str) -> tuple[float, float]:
    """Least and greatest sigma from ``0.25``, ``0:1`` or ``all``.

    Raises:
        LabError: where it is none of these.
    """
    if text == "all":
        return 0.0, math.inf
    low, _, high = text.partition(":")
    try:
        least, greatest = float(low), float(high or low)
    except ValueError as error:
        raise LabError(f"--sigma {text!r} is no sigma: expected one number, or LEAST:GREATEST.") from error
    if not 0 <= least <= greatest < math.inf or greatest <= 0:
        raise LabError(f"--sigma {text!r} is not usable: expected 0 <= LEAST <= GREATEST, in [0, 1] pixel units.")
    return least, greatest
