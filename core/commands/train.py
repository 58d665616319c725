"""`train-classifier` and `train-denoiser`."""

from __future__ import annotations

import argparse
import math
import sys
import time
from typing import Any

import torch
from torch import nn

from core.commands.inputs import Downloading, writable_folder
from core.commands.terminal import InterruptFlag, remark
from core.commands.train_inputs import (
    check_crop,
    check_reference,
    check_start,
    check_through,
    data_name,
    named_classifier,
    training_splits,
)
from core.commands.train_options import (
    add_classifier_training_options,
    add_denoiser_training_options,
    network_options,
    recipe_of,
    sigma_range_of,
    widths_of,
)
from core.commands.train_result import keep_result
from core.device import pick_device
from core.errors import LabError
from core.models.hub.repository import check_upload
from core.report.notation import duration
from core.training.classifier import measure_classifier, train_classifier
from core.training.denoiser import figure_sigmas, measure_denoiser, train_denoiser
from core.training.loop import TrainingProgress
from core.training.objectives import BESIDE_STAB
from core.training.recipe import Recipe, check_recipe, slow_precision
from core.training.start import read_start
from core.training.tensorboard import TensorBoardLog
from core.training.workers import Workers, start_workers


def add_training_verbs(verbs: Any) -> None:
    """Add both verbs to the parser's sub-commands."""
    classifier = verbs.add_parser("train-classifier", help="train a classifier, without noise or with it", allow_abbrev=False)
    add_classifier_training_options(classifier)
    classifier.set_defaults(run=run_train_classifier)
    purpose = "train a denoiser, for its own sake (mse) or for a classifier (stab)"
    denoiser = verbs.add_parser("train-denoiser", help=purpose, allow_abbrev=False)
    add_denoiser_training_options(denoiser)
    denoiser.set_defaults(run=run_train_denoiser)


class Printer:
    """Progress on stderr: a line every few seconds and at the end of each epoch."""

    def __init__(self, every: float = 5.0) -> None:
        self.every, self.last, self.epoch = every, 0.0, 0

    def __call__(self, progress: TrainingProgress) -> None:
        """Tell the state of the training, unless it was told a moment ago."""
        now = time.monotonic()
        if now - self.last < self.every and progress.step < progress.steps and progress.epoch == self.epoch:
            return
        figures = "".join(f"  {k} {v:g}" for k, v in progress.measured.items() if k not in ("epoch", "loss"))
        if progress.epoch == self.epoch:
            figures = ""
        self.last, self.epoch = now, progress.epoch
        print(
            f"epoch {progress.epoch}/{progress.epochs}  step {progress.step}/{progress.steps}  loss {progress.loss:.4f}"
            f"  {progress.images_per_second:.0f} images/s  {duration(progress.seconds_left)} left{figures}",
            file=sys.stderr,
            flush=True,
        )


def run_train_classifier(args: argparse.Namespace) -> int:
    """Train, save, measure on the test split."""
    started, recipe, device = _prepared(args)
    widths = tuple(widths_of(args.widths))
    if not 0 <= args.label_smoothing < 1 or args.cutout < 0:
        raise LabError("--label-smoothing must be at least 0 and below 1, and --cutout at least 0.")
    if not 0 <= args.noise_sigma < math.inf:
        raise LabError(f"--noise-sigma is {args.noise_sigma:g}: expected at least 0, in [0, 1] pixel units.")
    train, test = training_splits(args)
    side = min(train.images.shape[2:])
    if (side - 1) >> len(widths) < 1:
        raise LabError(f"--widths names {len(widths)} stages: too many for pictures of {side} pixels, which each stage halves.")
    check_crop(args, side)
    with _Training(args, device) as training:
        trained = train_classifier(
            train,
            recipe,
            widths=widths,
            label_smoothing=args.label_smoothing,
            cutout=args.cutout,
            noise_sigma=args.noise_sigma,
            **training.options(args),
        )
        training.close(trained[2])
    if training.workers.rank:
        return 0
    noise = f"pictures with noise of sigma {args.noise_sigma:g}" if args.noise_sigma else "clean pictures, without noise"
    card = {"objective": f"cross-entropy on {noise}", "data": data_name(args, train)}
    card |= {"noise_sigma": args.noise_sigma} if args.noise_sigma else {}

    def measure(network: nn.Module) -> dict[str, Any]:
        measured = measure_classifier(network, test, args.noise_sigma, training.device, "test_accuracy")
        return measured | {"test_images": len(test)}

    return keep_result(args, trained, card, measure, training.device, started, training.interrupt.is_set(), training.troubles)


def run_train_denoiser(args: argparse.Namespace) -> int:
    """Train, save, measure on the test split."""
    started, recipe, device = _prepared(args)
    span = sigma_range_of(args.sigma)
    if not (args.sigma_power > 0 and math.isfinite(args.sigma_power)):
        raise LabError(f"--sigma-power is {args.sigma_power:g}: expected a number above 0.")
    for name in BESIDE_STAB:
        if not 0 <= getattr(args, name) < math.inf:
            raise LabError(f"--{name} is {getattr(args, name):g}: expected a weight of at least 0.")
    draws = args.draws if args.draws is not None else 2 if args.consistency else 1
    if not 1 <= draws <= 64:
        raise LabError(f"--draws is {draws}: expected 1 to 64.")
    options = network_options(args)
    for reference in [args.classifier, *args.surrogate]:
        check_reference(reference)
    start = None
    if args.start:
        with Downloading() as download:
            start = read_start(args.start, on_progress=download.show, should_stop=download.is_set)
        check_start(args, start[1], options)
    train, test = training_splits(args)
    check_crop(args, min(train.images.shape[2:]))
    classifier = named_classifier(args.classifier, train, device) if args.classifier else None
    surrogates = [named_classifier(reference, train, device) for reference in args.surrogate]
    if args.objective == "stab":
        check_through(args, classifier, surrogates, train, device)
    with _Training(args, device) as training:
        for one in (classifier, *surrogates):
            if one is not None:
                one.to(training.device)
        trained = train_denoiser(
            train,
            recipe,
            objective=args.objective,
            classifier=classifier,
            surrogates=surrogates,
            combine=args.combine,
            start=start,
            architecture=args.architecture or "unet",
            options=options or None,
            sigma_range=span,
            sigma_power=args.sigma_power,
            helper=args.helper,
            closeness=args.closeness,
            features=args.features,
            consistency=args.consistency,
            draws=draws,
            made_for={"start": args.start},
            **training.options(args),
        )
        training.close(trained[2])
    if training.workers.rank:
        return 0
    low, high = trained[1].sigma_range or span
    through = (args.surrogate or [args.classifier]) if args.objective == "stab" else None
    card = {
        "objective": args.objective,
        "data": data_name(args, train),
        "classifier": args.classifier,
        "trained_through": through,
        "start": args.start,
        "sigma_range": [low, high],
    }
    card |= {name: getattr(args, name) for name in BESIDE_STAB if getattr(args, name)}
    card |= {"draws": draws} if draws > 1 else {}

    def measure(network: nn.Module) -> dict[str, Any]:
        if args.objective == "encoder":  # its helper is gone by now
            return _last_figures(trained[2], "helper_accuracy")
        figures = measure_denoiser(network, classifier, test, figure_sigmas(low, high), training.device)
        return {"test": figures, "test_images": len(test)}

    return keep_result(args, trained, card, measure, training.device, started, training.interrupt.is_set(), training.troubles)


def _last_figures(history: list[dict[str, float]], name: str) -> dict[str, Any]:
    """What the last epoch measured of that name, for a card."""
    figures = {key: value for key, value in history[-1].items() if key.startswith(name)} if history else {}
    return {"test": figures, "measured_on": "held-out pictures of the training split"} if figures else {}


class _Training:
    """Within ``with``: who computes, who listens, and Ctrl-C, for one training."""

    def __init__(self, args: argparse.Namespace, device: torch.device) -> None:
        self.workers: Workers = start_workers(args.devices, device)
        self.device = self.workers.device
        self.interrupt, self.troubles = InterruptFlag(), list[str]()
        self.log = TensorBoardLog(args.tensorboard) if args.tensorboard and not self.workers.rank else None
        self._printer, self._step = Printer(), 0

    def options(self, args: argparse.Namespace) -> dict[str, Any]:
        """What both trainings take alike."""
        leads = self.workers.rank == 0
        return {
            "mirror": not args.no_mirror,
            "shift": args.crop,
            "device": self.device,
            "checkpoint": args.out / "checkpoint.pt",
            "checkpoint_seconds": 60 * args.checkpoint_minutes,
            "resume": args.resume,
            "on_progress": self._tell if leads else None,
            "on_trouble": self.troubles.append,
            "on_remark": remark if leads else lambda sentence: None,
            "should_stop": self.interrupt.is_set,
            "workers": self.workers,
        }

    def close(self, history: list[dict[str, float]]) -> None:
        """End the curves."""
        if self.log is not None:
            self.log.close(history, self._step)

    def _tell(self, progress: TrainingProgress) -> None:
        self._step = progress.step
        self._printer(progress)
        if self.log is not None:
            self.log(progress)

    def __enter__(self) -> _Training:
        self.interrupt.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self.interrupt.__exit__(*raised)


def _prepared(args: argparse.Namespace) -> tuple[float, Recipe, torch.device]:
    """When it began, the recipe, and the device: mistakes that need no data are told first."""
    started, device, recipe = time.monotonic(), pick_device(args.device), recipe_of(args)
    check_recipe(recipe, device)
    if slow := slow_precision(recipe, device):
        remark(slow)
    if args.push_to_hub:
        check_upload(args.push_to_hub)
    writable_folder(args.out)
    return started, recipe, device
