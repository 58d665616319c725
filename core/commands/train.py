"""`train-classifier` and `train-denoiser`."""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from core.device import describe_device, pick_device
from core.errors import LabError
from core.evaluation.datasets import load_dataset
from core.models.references import model_folder, parse_reference
from core.models.storage import ModelConfig, read_model, save_model
from core.training.classifier import accuracy, train_classifier
from core.training.denoiser import measure_denoiser, train_denoiser
from core.training.loop import Recipe, TrainingProgress


def add_training_verbs(verbs: Any) -> None:
    """Add both verbs to the parser's sub-commands."""
    classifier = verbs.add_parser("train-classifier", help="train an ordinary classifier, without noise")
    _common(classifier, optimizer="sgd", learning_rate=0.2, weight_decay=5e-4, clip=0.0)
    classifier.add_argument("--widths", default="64,128,256", help="channels of each stage")
    classifier.add_argument("--label-smoothing", type=float, default=0.1)
    classifier.add_argument("--cutout", type=int, default=8, help="side of the square greyed out in training; 0 for none")
    classifier.set_defaults(run=run_train_classifier)

    denoiser = verbs.add_parser("train-denoiser", help="train a denoiser, for its own sake (mse) or for a classifier (stab)")
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
    parser.add_argument("--dataset", required=True, help="shapes, parquet/PATH or folder/PATH")
    parser.add_argument("--out", required=True, type=Path, help="folder for the weights, the config and the card")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--optimizer", choices=["sgd", "adamw"], default=defaults["optimizer"])
    parser.add_argument("--learning-rate", type=float, default=defaults["learning_rate"])
    parser.add_argument("--weight-decay", type=float, default=defaults["weight_decay"])
    parser.add_argument("--warmup", type=float, default=0.1, help="share of the steps")
    parser.add_argument("--ema", type=float, default=0.999)
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


def _finish(
    args: argparse.Namespace,
    network: torch.nn.Module,
    config: ModelConfig,
    card: dict[str, Any],
    history: list[dict[str, float]],
    device: torch.device,
    started: float,
) -> None:
    common = {
        "data": f"{args.dataset.rsplit('/', 3)[-3] if args.dataset.count('/') > 3 else args.dataset}, split train",
        "recipe": asdict(_recipe(args)),
        "parameters": sum(p.numel() for p in network.parameters()),
        "history": history,
        "device": describe_device(device),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "command": "python -m core " + shlex.join(args.argv),
    }
    save_model(args.out, network, config, card | common)
    if args.json:
        print(json.dumps(card | common, indent=2))
    else:
        print(f"Saved {args.out}: use it as local/{args.out}", file=sys.stderr)


def run_train_classifier(args: argparse.Namespace) -> None:
    """Train, measure on the test split, save."""
    started, device, recipe = time.monotonic(), pick_device(args.device), _recipe(args)
    data = load_dataset(args.dataset, "train")
    network, config, history = train_classifier(
        data, recipe, widths=tuple(_widths(args.widths)), label_smoothing=args.label_smoothing, cutout=args.cutout,
        mirror=not args.no_mirror, device=device, checkpoint=args.out / "checkpoint.pt", resume=args.resume,
        on_progress=_Printer(),
    )  # fmt: skip
    test = load_dataset(args.dataset, "test")
    card = {
        "objective": "cross-entropy on clean pictures, without noise",
        "test_accuracy": round(accuracy(network, test, device), 4),
        "test_images": len(test),
    }
    _finish(args, network, config, card, history, device, started)


def run_train_denoiser(args: argparse.Namespace) -> None:
    """Train, measure on the test split, save."""
    started, device, recipe = time.monotonic(), pick_device(args.device), _recipe(args)
    classifier = None
    if args.classifier:
        classifier, classifier_config = read_model(model_folder(parse_reference(args.classifier)))
        if classifier_config.kind != "classifier":
            raise LabError(f"{args.classifier!r} is a {classifier_config.kind}: --classifier needs a classifier.")
        classifier = classifier.to(device)
    start = read_model(model_folder(parse_reference(args.start))) if args.start else None
    if start is not None and start[1].kind != "denoiser":
        raise LabError(f"{args.start!r} is a {start[1].kind}: --start needs a denoiser.")
    low, high = _sigma_range(args.sigma)
    data = load_dataset(args.dataset, "train")
    network, config, history = train_denoiser(
        data, recipe, objective=args.objective, classifier=classifier, start=start, architecture=args.architecture,
        options={"widths": _widths(args.widths)} if args.widths else None, sigma_range=(low, high),
        sigma_power=args.sigma_power, mirror=not args.no_mirror, device=device,
        checkpoint=args.out / "checkpoint.pt", resume=args.resume, on_progress=_Printer(),
    )  # fmt: skip
    test = load_dataset(args.dataset, "test")
    sigmas = [s for s in (0.12, 0.25, 0.5, 1.0) if low <= s <= high] or [high]
    card = {
        "objective": args.objective,
        "classifier": args.classifier,
        "start": args.start,
        "sigma_range": [low, high],
        "test": measure_denoiser(network, classifier, test, sigmas, device),
        "test_images": len(test),
    }
    _finish(args, network, config, card, history, device, started)


def _sigma_range(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high or low)
    except ValueError as error:
        raise LabError(f"--sigma {text!r} is no sigma: expected one number, or LEAST:GREATEST.") from error
