"""`train-classifier` and `train-denoiser`."""

from __future__ import annotations

import argparse
import math
import platform
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.commands.downloading import fetched_dataset
from core.commands.folders import writable_folder
from core.commands.terminal import InterruptFlag, print_json, remark
from core.device import describe_device, pick_device
from core.errors import LabError
from core.evaluation.datasets import LabelledImages
from core.models.references import model_folder, parse_reference
from core.models.storage import WEIGHTS, ModelConfig, read_model, save_model
from core.training.classifier import accuracy, train_classifier
from core.training.denoiser import measure_denoiser, train_denoiser
from core.training.loop import Recipe, TrainingProgress


def add_training_verbs(verbs: Any) -> None:
    """Add both verbs to the parser's sub-commands."""
    classifier = verbs.add_parser("train-classifier", help="train an ordinary classifier, without noise", allow_abbrev=False)
    _common(classifier, optimizer="sgd", learning_rate=0.2, weight_decay=5e-4, clip=0.0)
    classifier.add_argument("--widths", default="64,128,256", help="channels of each stage")
    classifier.add_argument("--label-smoothing", type=float, default=0.1)
    classifier.add_argument("--cutout", type=int, default=8, help="side of the square greyed out in training; 0 for none")
    classifier.set_defaults(run=run_train_classifier)

    purpose = "train a denoiser, for its own sake (mse) or for a classifier (stab)"
    denoiser = verbs.add_parser("train-denoiser", help=purpose, allow_abbrev=False)
    _common(denoiser, optimizer="adamw", learning_rate=1e-3, weight_decay=1e-4, clip=1.0)
    denoiser.add_argument("--objective", choices=["mse", "stab"], default="mse")
    denoiser.add_argument("--classifier", help="reference of the classifier to train through (stab) or to measure with")
    denoiser.add_argument("--start", help="reference of a trained denoiser to go on from")
    denoiser.add_argument("--architecture", default="unet", choices=["unet", "dncnn"])
    denoiser.add_argument("--widths", help="channels of each level of the unet")
    denoiser.add_argument("--sigma", default="0:1", help="one sigma, or LEAST:GREATEST")
    denoiser.add_argument("--sigma-power", type=float, default=1.5, help="above 1, small sigmas are drawn more often")
    denoiser.set_defaults(run=run_train_denoiser)


def _common(parser: argparse.ArgumentParser, **defaults: Any) -> None:
    parser.add_argument("--dataset", required=True, help="shapes, hub/OWNER/NAME, parquet/PATH or folder/PATH")
    parser.add_argument("--out", required=True, type=Path, help="folder for the weights, the config and the card")
    parser.add_argument("--limit", type=int, metavar="N", help="use the first N pictures of each split only, for a trial run")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--optimizer", choices=["sgd", "adamw"], default=defaults["optimizer"])
    parser.add_argument("--learning-rate", type=float, default=defaults["learning_rate"])
    parser.add_argument("--weight-decay", type=float, default=defaults["weight_decay"])
    parser.add_argument("--warmup", type=float, default=0.1, help="share of the steps")
    parser.add_argument("--ema", type=float, default=0.999, help="decay of the averaged network, which is what is kept")
    parser.add_argument("--clip", type=float, default=defaults["clip"], help="greatest gradient norm; 0 for none")
    parser.add_argument("--no-mirror", action="store_true", help="do not swap left and right at random")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--json", action="store_true", help="print the card as JSON on stdout")


def _recipe(args: argparse.Namespace) -> Recipe:
    if args.epochs < 1 or args.batch_size < 1:
        raise LabError("--epochs and --batch-size must be at least 1.")
    if not (args.learning_rate > 0 and math.isfinite(args.learning_rate)):
        raise LabError(f"--learning-rate is {args.learning_rate:g}: expected a number above 0.")
    for name, low, high in (("warmup", 0, 0.9), ("ema", 0, 1), ("weight_decay", 0, 10), ("clip", 0, math.inf)):
        value = getattr(args, name)
        if not low <= value <= high:
            raise LabError(f"--{name.replace('_', '-')} is {value:g}: expected {low:g} to {high:g}.")
    if args.seed < 0:
        raise LabError(f"seed is {args.seed}: expected a whole number of at least 0.")
    names = Recipe.__dataclass_fields__
    return Recipe(**{name: getattr(args, name) for name in names})


def _widths(text: str) -> list[int]:
    try:
        widths = [int(part) for part in text.split(",")]
    except ValueError:
        widths = []
    if not widths or min(widths) < 1:
        raise LabError(f"--widths {text!r} is not a list of channels: expected something like 64,128,256.")
    return widths


class _Printer:
    """Progress on stderr: a line every few seconds and at the end of each epoch."""

    def __init__(self, every: float = 5.0) -> None:
        self.every, self.last, self.epoch = every, 0.0, 0

    def __call__(self, progress: TrainingProgress) -> None:
        now = time.monotonic()
        if now - self.last < self.every and progress.step < progress.steps and progress.epoch == self.epoch:
            return
        figures = "".join(f"  {k} {v:g}" for k, v in progress.measured.items() if k not in ("epoch", "loss"))
        if progress.epoch == self.epoch:
            figures = ""
        self.last, self.epoch = now, progress.epoch
        print(
            f"epoch {progress.epoch}/{progress.epochs}  step {progress.step}/{progress.steps}  loss {progress.loss:.4f}"
            f"  {progress.images_per_second:.0f} images/s  {progress.seconds_left / 60:.1f} min left{figures}",
            file=sys.stderr,
            flush=True,
        )


def _splits(args: argparse.Namespace) -> tuple[LabelledImages, LabelledImages]:
    """The pictures to train on and those to measure on, both before training, so that a missing split is found at once.

    Raises:
        LabError: where there are none, or both are the same pictures.
    """
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
    return _first(train, args.limit), _first(test, args.limit)


def _first(data: LabelledImages, count: int) -> LabelledImages:
    return LabelledImages(data.images[:count], data.labels[:count], data.indices[:count], data.names)


def _save(
    args: argparse.Namespace,
    trained: tuple[nn.Module, ModelConfig, list[dict[str, float]]],
    card: dict[str, Any],
    measure: Callable[[nn.Module], dict[str, Any]],
    device: torch.device,
    started: float,
    interrupted: bool,
    troubles: list[str],
) -> int:
    """Save the network, then measure it on the test split and complete its card.

    Returns the exit code: 0, 130 where Ctrl-C ended the training, 1 where trouble did.
    """
    network, config, history = trained
    stopped = interrupted and not troubles and len(history) < args.epochs
    if stopped and not history and (args.out / WEIGHTS).exists():
        remark(f"stopped within the first epoch: the model that was in {str(args.out)!r} is left as it was.")
        return 130
    card = card | {
        "recipe": asdict(_recipe(args)),
        "stopped_early": stopped or bool(troubles),
        "parameters": sum(p.numel() for p in network.parameters()),
        "history": history,
        **({"trouble": troubles[0]} if troubles else {}),
        "device": describe_device(device),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "command": "python -m core " + shlex.join(args.argv),
    }
    save_model(args.out, network, config, card)  # before it is measured: hours of training wait for nothing
    for trouble in troubles:
        remark(trouble)
    if stopped:
        remark(f"stopped after {len(history)} of {args.epochs} epochs; the averaged network so far is kept. Measuring it.")
    card = measure(network) | card
    save_model(args.out, network, config, card)
    if args.json:
        print_json(card)
    else:
        figures = "".join(f"  {k} {v:g}" for k, v in _flat(card).items())
        print(f"Saved {args.out}: use it as local/{args.out}{figures}", file=sys.stderr)
    return 130 if stopped else 1 if troubles else 0


def _flat(card: dict[str, Any]) -> dict[str, float]:
    """What was measured on the test split, for the last line."""
    return {"test_accuracy": card["test_accuracy"]} if "test_accuracy" in card else dict(card["test"])


def _data_name(args: argparse.Namespace, train: LabelledImages) -> str:
    kind, _, path = args.dataset.partition("/")
    name = "/".join([kind, *Path(path).parts[-2:]]) if path else kind
    return f"{name}, split train, {len(train):,} pictures"


def run_train_classifier(args: argparse.Namespace) -> int:
    """Train, save, measure on the test split."""
    started, device, recipe, widths = time.monotonic(), pick_device(args.device), _recipe(args), tuple(_widths(args.widths))
    if not 0 <= args.label_smoothing < 1 or args.cutout < 0:
        raise LabError("--label-smoothing must be at least 0 and below 1, and --cutout at least 0.")
    writable_folder(args.out)
    train, test = _splits(args)
    side = min(train.images.shape[2:])
    if (side - 1) >> len(widths) < 1:
        raise LabError(f"--widths names {len(widths)} stages: too many for pictures of {side} pixels, which each stage halves.")
    troubles: list[str] = []
    with InterruptFlag() as interrupt:
        trained = train_classifier(
            train, recipe, widths=widths, label_smoothing=args.label_smoothing, cutout=args.cutout,
            mirror=not args.no_mirror, device=device, checkpoint=args.out / "checkpoint.pt", resume=args.resume,
            on_progress=_Printer(), on_trouble=troubles.append, should_stop=interrupt.is_set,
        )  # fmt: skip
    card = {"objective": "cross-entropy on clean pictures, without noise", "data": _data_name(args, train)}

    def measure(network: nn.Module) -> dict[str, Any]:
        return {"test_accuracy": round(accuracy(network, test, device), 4), "test_images": len(test)}

    return _save(args, trained, card, measure, device, started, interrupt.is_set(), troubles)


def run_train_denoiser(args: argparse.Namespace) -> int:
    """Train, save, measure on the test split."""
    started, device, recipe = time.monotonic(), pick_device(args.device), _recipe(args)
    low, high = _sigma_range(args.sigma)
    if not (args.sigma_power > 0 and math.isfinite(args.sigma_power)):
        raise LabError(f"--sigma-power is {args.sigma_power:g}: expected a number above 0.")
    options = {"widths": _widths(args.widths)} if args.widths else None
    classifier = None
    if args.classifier:
        classifier, classifier_config = _read(args.classifier, "classifier")
        classifier = classifier.to(device)
    start = _read(args.start, "denoiser") if args.start else None
    writable_folder(args.out)
    train, test = _splits(args)
    if classifier is not None and classifier_config.labels != test.names:
        remark(f"{args.classifier} and {args.dataset} do not name the same classes: the one-shot accuracy may mean nothing.")
    troubles: list[str] = []
    with InterruptFlag() as interrupt:
        trained = train_denoiser(
            train, recipe, objective=args.objective, classifier=classifier, start=start, architecture=args.architecture,
            options=options, sigma_range=(low, high), sigma_power=args.sigma_power, mirror=not args.no_mirror, device=device,
            checkpoint=args.out / "checkpoint.pt", resume=args.resume, made_for={"start": args.start}, on_progress=_Printer(),
            on_trouble=troubles.append, should_stop=interrupt.is_set,
        )  # fmt: skip
    card = {
        "objective": args.objective,
        "data": _data_name(args, train),
        "classifier": args.classifier,
        "start": args.start,
        "sigma_range": [low, high],
    }

    def measure(network: nn.Module) -> dict[str, Any]:
        sigmas = [s for s in (0.12, 0.25, 0.5, 1.0) if low <= s <= high] or [high]
        return {"test": measure_denoiser(network, classifier, test, sigmas, device), "test_images": len(test)}

    return _save(args, trained, card, measure, device, started, interrupt.is_set(), troubles)


def _read(reference: str, kind: str) -> tuple[nn.Module, ModelConfig]:
    parsed = parse_reference(reference)
    if parsed.kind not in ("bundled", "local"):
        raise LabError(f"--{'start' if kind == 'denoiser' else kind} {reference!r}: expected bundled/NAME or local/PATH.")
    network, config = read_model(model_folder(parsed))
    if config.kind != kind:
        raise LabError(f"{reference!r} is a {config.kind}, but a {kind} is needed.")
    return network, config


def _sigma_range(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        least, greatest = float(low), float(high or low)
    except ValueError as error:
        raise LabError(f"--sigma {text!r} is no sigma: expected one number, or LEAST:GREATEST.") from error
    if not 0 <= least <= greatest < math.inf or greatest <= 0:
        raise LabError(f"--sigma {text!r} is not usable: expected 0 <= LEAST <= GREATEST, in [0, 1] pixel units.")
    return least, greatest
