"""The options of `train-classifier` and `train-denoiser`, the settings that they make, and the data and models they name."""

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from core.commands.options import fetched_dataset, load_classifier_remarking, skipped_text
from core.commands.terminal import remark
from core.data.classes import in_classes_of
from core.data.datasets import LabelledImages, Photographs, load_photographs
from core.errors import LabError
from core.models.load import Classifier
from core.models.networks import DENOISERS
from core.models.references import parse_reference
from core.models.storage import ModelConfig
from core.training.checkpoint import weights_fingerprint
from core.training.classifier import ClassifierTraining
from core.training.denoiser import OBJECTIVES, DenoiserTraining
from core.training.objectives import COMBINATIONS, STAB_WEIGHTS, StabTerms
from core.training.pretrained import check_gradients
from core.training.recipe import OPTIMIZERS, PRECISIONS, SCHEDULES, Recipe
from core.training.validation import HELD_OUT

_REFERENCES = "bundled/NAME, hub/OWNER/NAME[@REVISION], torchvision/ARCH[@WEIGHTS] or local/PATH"


def add_classifier_training_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    _add_common(parser, Recipe(optimizer="sgd", learning_rate=0.2, weight_decay=5e-4, clip=0.0))
    add("--noise-sigma", type=float, default=0.0, metavar="SIGMA", help="train with Gaussian noise (%(default)s)")
    add("--widths", default="64,128,256", help="channels of each stage (%(default)s)")
    add("--label-smoothing", type=float, default=0.1, help="share spread over all classes (%(default)s)")
    add("--cutout", type=int, default=8, help="side of the square greyed out in training; 0 for none (%(default)s)")


def add_denoiser_training_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    _add_common(parser, Recipe())
    aims = "restore pictures, restore a classifier's answers, or train a U-Net's first half for that (%(default)s)"
    add("--objective", choices=OBJECTIVES, default="mse", help=aims)
    add("--classifier", metavar="REF", help=f"to train through (stab, white-box), or to measure with: {_REFERENCES}")
    instead = "train through this one instead (stab, black-box); may be given several times"
    add("--surrogate", metavar="REF", action="append", default=[], help=instead)
    several = "several surrogates: one at random a batch, or the average over all (%(default)s)"
    add("--combine", choices=COMBINATIONS, default="random", help=several)
    add("--start-from", "--start", dest="start", metavar="REF", help="a trained denoiser to go on from, as from mse to stab")
    add("--arch", "--architecture", dest="architecture", choices=DENOISERS, help="unet, where no start says")
    add("--widths", help="channels of each level (unet, drunet, unet2d)")
    add("--option", metavar="NAME=VALUE", action="append", default=[], help="another argument of the architecture, as depth=20")
    add("--sigma", default="0:1", help="one sigma, LEAST:GREATEST, or all of a diffusion model (%(default)s)")
    power = "above 1, small sigmas are drawn more often; 0: evenly in their logarithm (%(default)s)"
    add("--sigma-power", type=float, default=1.5, help=power)
    add("--crop-size", type=int, default=128, metavar="PIXELS", help="pictures/PATH: side of the random crops (%(default)s)")
    add("--crops", type=int, default=1, metavar="N", help="pictures/PATH: crops of each photograph an epoch (%(default)s)")
    for name, told in {
        "helper": "stab, unet: weight of a helper that learns the labels from the coarsest features in training, 0 for none",
        "closeness": "stab: weight of the objective mse beside it, so that what comes out still is the picture (%(default)s)",
        "features": "stab: weight of the difference between what the classifier's layers see in the denoised and in the clean"
        " picture",
        "consistency": "stab: weight of the difference between the answers to noise draws of one picture (%(default)s)",
    }.items():
        add(f"--{name}", type=float, default=0.0, metavar="WEIGHT", help=told)
    draws = "noise draws of each picture of a batch; costs N times as much (2 with --consistency, else 1)"
    add("--draws", type=int, metavar="N", help=draws)


def _add_common(parser: argparse.ArgumentParser, usual: Recipe) -> None:
    def add(*names: str, **told: Any) -> None:
        parser.add_argument(*names, **{"help": "(%(default)s)"} | told)

    add("--dataset", required=True, help="shapes, hub/OWNER/NAME, parquet/PATH or folder/PATH; denoisers also pictures/PATH")
    add("--out", required=True, type=Path, help="folder for the weights, the config and the card")
    add("--limit", type=int, metavar="N", help="use the first N pictures of each split only, for a trial run")
    add("--epochs", type=int, default=usual.epochs)
    add("--batch-size", type=int, default=usual.batch_size, help="on all devices together (%(default)s)")
    add("--optimizer", choices=OPTIMIZERS, default=usual.optimizer)
    add("--learning-rate", type=float, default=usual.learning_rate, help="at its peak (%(default)s)")
    add("--weight-decay", type=float, default=usual.weight_decay)
    add("--warmup", type=float, default=usual.warmup, help="share of the steps (%(default)s)")
    add("--schedule", choices=SCHEDULES, default=usual.schedule, help="of the learning rate (%(default)s)")
    add("--ema", type=float, default=usual.ema, help="decay of the averaged network, which is kept (%(default)s)")
    add("--clip", type=float, default=usual.clip, help="greatest gradient norm; 0 for none (%(default)s)")
    add("--crop", type=int, default=2, help="greatest random shift in pixels; 0 for none (%(default)s)")
    add("--no-mirror", dest="mirror", action="store_false", help="do not swap left and right at random")
    add("--precision", choices=[*PRECISIONS, "bfloat16"], default=usual.precision)
    apart = "keep colours apart in memory, which is mostly slower"
    add("--no-channels-last", dest="channels_last", action="store_false", help=apart)
    add("--seed", type=int, default=usual.seed)
    add("--device", default="auto", help="auto, cuda, cuda:NUMBER, mps or cpu (%(default)s)")
    add("--devices", type=int, default=1, metavar="N", help="devices of this machine that share the work")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--checkpoint-minutes", type=float, default=10.0, help="how much work within an epoch a kill may cost (%(default)s)")
    add("--half-weights", action="store_true", help="keep float16 weights: half the size, rounded before they are measured")
    add("--tensorboard", type=Path, metavar="DIR", help="write curves for TensorBoard there")
    add("--push-to-hub", metavar="OWNER/NAME", help="upload the model to the Hub afterwards, with HF_TOKEN")
    add("--private", action="store_true", help="make a new repository on the Hub a private one")
    add("--json", action="store_true", help="print the card as JSON on stdout")


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe that the options give. Raises LabError where a number is out of range."""
    if args.epochs < 1 or args.batch_size < 1:
        raise LabError("--epochs and --batch-size must be at least 1.")
    if not (args.learning_rate > 0 and math.isfinite(args.learning_rate)):
        raise LabError(f"--learning-rate is {args.learning_rate:g}: expected a number above 0.")
    most = {"warmup": 0.9, "ema": 1, "weight_decay": 10, "clip": math.inf, "crop": 64, "checkpoint_minutes": math.inf}
    for name, high in most.items():
        value = getattr(args, name)
        if not 0 <= value <= high:
            raise LabError(f"--{name.replace('_', '-')} is {value:g}: expected 0 to {high:g}.")
    if args.seed < 0:
        raise LabError(f"seed is {args.seed}: expected a whole number of at least 0.")
    if args.batch_size % max(1, args.devices):
        raise LabError(f"--batch-size {args.batch_size} cannot be shared among {args.devices} devices: make it a multiple.")
    precision = "bf16" if args.precision == "bfloat16" else args.precision
    return Recipe(**{field.name: getattr(args, field.name) for field in fields(Recipe)} | {"precision": precision})


def classifier_training_of(args: argparse.Namespace) -> ClassifierTraining:
    """What `train-classifier` is asked. Raises LabError where a number is out of range."""
    asked = {name: getattr(args, name) for name in ("label_smoothing", "cutout", "mirror", "noise_sigma")}
    return ClassifierTraining(tuple(_widths_of(args.widths)), shift=args.crop, **asked)


def denoiser_training_of(args: argparse.Namespace) -> DenoiserTraining:
    """What `train-denoiser` is asked. Raises LabError where a number is out of range, or an option no argument of a network."""
    span = _sigma_range_of(args.sigma)
    if not 0 <= args.sigma_power < math.inf:
        raise LabError(f"--sigma-power is {args.sigma_power:g}: expected a number of at least 0.")
    for name in STAB_WEIGHTS:
        if not 0 <= getattr(args, name) < math.inf:
            raise LabError(f"--{name} is {getattr(args, name):g}: expected a weight of at least 0.")
    draws = args.draws if args.draws is not None else 2 if args.consistency else 1
    if not 1 <= draws <= 64:
        raise LabError(f"--draws is {draws}: expected 1 to 64.")
    return DenoiserTraining(
        objective=args.objective,
        architecture=args.architecture or "unet",
        options=_network_options(args),
        sigma_range=span,
        sigma_power=args.sigma_power,
        stab=StabTerms(**{name: getattr(args, name) for name in STAB_WEIGHTS}, draws=draws, combine=args.combine),
        mirror=args.mirror,
        shift=args.crop,
    )


def _widths_of(text: str) -> list[int]:
    try:
        widths = [int(part) for part in text.split(",")]
    except ValueError:
        widths = []
    if not widths or min(widths) < 1:
        raise LabError(f"--widths {text!r} is not a list of channels: expected something like 64,128,256.")
    return widths


def _network_options(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a denoiser's architecture: ``--widths`` and every ``--option NAME=VALUE``."""
    options: dict[str, Any] = {"widths": _widths_of(args.widths)} if args.widths else {}
    for text in args.option:
        name, equals, value = text.partition("=")
        try:
            options[name] = json.loads(value)
        except ValueError:
            equals = ""
        if not equals or not name.isidentifier():
            raise LabError(f"--option {text!r} is no argument: expected NAME=VALUE, such as depth=20 or shared=true.")
    return options


def _sigma_range_of(text: str) -> tuple[float, float]:
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


def photographs_of(args: argparse.Namespace) -> tuple[Photographs, LabelledImages] | None:
    """Of ``pictures/PATH`` the photographs to train on, and the middle of every 47th, which are not, to measure on; else None.

    Raises LabError where there are none, or too few.
    """
    kind, _, path = args.dataset.partition("/")
    if kind != "pictures":
        return None
    if not 16 <= args.crop_size <= 1024 or args.crops < 1:
        raise LabError(
            f"--crop-size is {args.crop_size} and --crops {args.crops}: expected 16 to 1024 pixels, at least 1 crop."
        )
    photographs = load_photographs(Path(path).expanduser(), args.crop_size)
    if photographs.skipped:
        remark(f"{skipped_text(photographs)}.")
    if len(photographs) < 100:
        raise LabError(f"Only {len(photographs)} photographs to train on: at least 100 are needed.")
    return replace(photographs, crops=args.crops).part(HELD_OUT, 1)


def training_splits(args: argparse.Namespace) -> tuple[LabelledImages, LabelledImages]:
    """Pictures to train and to measure on, both before the work. Raises LabError where there are none, or both are the same."""
    train, test = fetched_dataset(args.dataset, "train"), fetched_dataset(args.dataset, "test")
    if train.images.shape == test.images.shape and torch.equal(train.images, test.images):
        raise LabError(
            f"{args.dataset!r} has no test pictures of its own, so nothing would say what the model is worth:"
            " expected train-*.parquet and test-*.parquet, or folders train and test."
        )
    if train.images.shape[1:] != test.images.shape[1:]:
        raise LabError(f"The splits of {args.dataset!r} have pictures of different sizes: bring them to one size first.")
    if args.limit is None:
        return train, test
    if args.limit < 100:
        raise LabError(f"--limit is {args.limit}: at least 100 pictures are needed.")
    return train.first(args.limit), test.first(args.limit)


def data_name(args: argparse.Namespace, train: LabelledImages | Photographs) -> str:
    """The data set as a card names it, without folders that are nobody's business."""
    kind, _, path = args.dataset.partition("/")
    name = "/".join([kind, *Path(path).parts[-2:]]) if path else kind
    if isinstance(train, Photographs):
        return f"{name}, {len(train.pictures):,} photographs, crops of {train.side} pixels"
    return f"{name}, split train, {len(train):,} pictures"


def check_start(args: argparse.Namespace, config: ModelConfig, options: Mapping[str, Any]) -> None:
    """Raise LabError where the options ask for another network than the start is."""
    own = {name: list(value) if isinstance(value, tuple) else value for name, value in config.options.items()}
    if args.architecture not in (None, config.architecture) or any(own.get(name) != value for name, value in options.items()):
        told = ", ".join(f"{name}={value}" for name, value in own.items()) or "default options"
        raise LabError(f"{args.start} is a {config.architecture} with {told}: leave out --arch, --widths and --option.")


def check_crop(args: argparse.Namespace, side: int) -> None:
    """Raise LabError where pictures would be shifted out of themselves."""
    if args.crop >= side:
        raise LabError(f"--crop is {args.crop}: pictures of {side} pixels can be shifted by at most {side - 1}.")


def check_reference(reference: str | None) -> None:
    """Raise LabError where a reference can name no classifier to train with: asked before data are read."""
    if reference is None:
        return
    if reference.startswith("api/"):
        raise LabError(
            f"{reference!r} answers with labels and gives no gradients: train with surrogates that stand in for it"
            " (--surrogate), or with --objective mse."
        )
    parse_reference(reference)


def classifier_for(reference: str, data: LabelledImages | Photographs, device: torch.device) -> Classifier:
    """A classifier for pictures of the data set's size, with its classes. Raises LabError where it has others."""
    classifier = load_classifier_remarking(reference, data.size).to(device)
    if isinstance(data, LabelledImages) and not torch.equal(in_classes_of(classifier, data).labels, data.labels):
        raise LabError(
            f"The data set numbers its classes in another order than {reference}: name its folders so that the alphabet"
            " gives the classifier's order, or take the pictures without their classes (pictures/PATH)."
        )
    return classifier


def check_through(
    args: argparse.Namespace,
    classifier: Classifier | None,
    surrogates: list[Classifier],
    *,
    data: LabelledImages | Photographs,
    device: torch.device,
) -> None:
    """Raise LabError where what is to be trained through gives no gradients, or is the target and its own surrogate at once."""
    stand_ins = list(zip(args.surrogate, surrogates, strict=True))
    for reference, surrogate in stand_ins:
        if classifier is not None and weights_fingerprint(surrogate) == weights_fingerprint(classifier):
            raise LabError(
                f"{reference} is the classifier itself, which black-box training never looks into: name another surrogate,"
                " or leave out --surrogate to train through the classifier."
            )
    for reference, through in stand_ins or ([] if classifier is None else [(args.classifier, classifier)]):
        check_gradients(through, reference, data.size, device)
