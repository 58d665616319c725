"""`train-classifier` and `train-denoiser`."""

import argparse
import platform
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from core.commands import train_options as options
from core.commands.options import downloading, writable_folder
from core.commands.terminal import InterruptFlag, print_json, remark, say
from core.data.datasets import LabelledImages
from core.device import describe_device, pick_device
from core.errors import LabError
from core.models.hub.repository import check_upload, upload_model
from core.models.storage import WEIGHTS, round_to_half, save_model
from core.report.notation import duration
from core.training.checkpoint import TensorBoardLog
from core.training.classifier import train_classifier
from core.training.denoiser import Teachers, train_denoiser
from core.training.epochs import Trained, Trainer
from core.training.loop import TrainingProgress, start_workers
from core.training.objectives import STAB_WEIGHTS
from core.training.pretrained import read_pretrained
from core.training.recipe import check_recipe, slow_precision
from core.training.trained import figures, write_readme
from core.training.validation import figure_sigmas, measure_classifier, measure_denoiser


def add_training_verbs(verbs: Any) -> None:
    classifier = verbs.add_parser("train-classifier", help="train a classifier, without noise or with it", allow_abbrev=False)
    options.add_classifier_training_options(classifier)
    classifier.set_defaults(run=run_train_classifier)
    purpose = "train a denoiser, for its own sake (mse) or for a classifier (stab)"
    denoiser = verbs.add_parser("train-denoiser", help=purpose, allow_abbrev=False)
    options.add_denoiser_training_options(denoiser)
    denoiser.set_defaults(run=run_train_denoiser)


class Printer:
    """Progress on stderr: a line every few seconds and at the end of each epoch."""

    def __init__(self, every: float = 5.0) -> None:
        self.every, self.last, self.epoch = every, 0.0, 0

    def __call__(self, progress: TrainingProgress) -> None:
        now = time.monotonic()
        if now - self.last < self.every and progress.step < progress.steps and progress.epoch == self.epoch:
            return
        figures_told = "".join(f"  {k} {v:g}" for k, v in progress.measured.items() if k not in ("epoch", "loss"))
        if progress.epoch == self.epoch:
            figures_told = ""
        self.last, self.epoch = now, progress.epoch
        say(
            f"epoch {progress.epoch}/{progress.epochs}  step {progress.step}/{progress.steps}  loss {progress.loss:.4f}"
            f"  {progress.images_per_second:.0f} images/s  {duration(progress.seconds_left)} left{figures_told}",
            file=sys.stderr,
        )


def run_train_classifier(args: argparse.Namespace) -> int:
    run = _Run(args)
    asked = options.classifier_training_of(args)
    train, test = options.training_splits(args)
    side = min(train.images.shape[2:])
    if (side - 1) >> len(asked.widths) < 1:
        raise LabError(
            f"--widths names {len(asked.widths)} stages: too many for pictures of {side} pixels, which each stage halves."
        )
    options.check_crop(args, side)
    trained = run.train(lambda trainer: train_classifier(train, run.recipe, asked, trainer))
    sigma = asked.noise_sigma
    noise = f"pictures with noise of sigma {sigma:g}" if sigma else "clean pictures, without noise"
    card: dict[str, Any] = {"objective": f"cross-entropy on {noise}", "data": options.data_name(args, train)}
    card |= {"noise_sigma": sigma} if sigma else {}

    def measure(network: nn.Module) -> dict[str, Any]:
        measured = measure_classifier(network, test, sigma, device=run.device, name="test_accuracy")
        return measured | {"test_images": len(test)}

    return run.leave(trained, card, measure)


def run_train_denoiser(args: argparse.Namespace) -> int:
    run = _Run(args)
    asked = options.denoiser_training_of(args)
    for reference in [args.classifier, *args.surrogate]:
        options.check_reference(reference)
    start = None
    if args.start:
        with downloading() as (show, is_stopped):
            start = read_pretrained(args.start, on_progress=show, should_stop=is_stopped)
        options.check_start(args, start[1], asked.options)
    train, test = options.photographs_of(args) or options.training_splits(args)
    if isinstance(train, LabelledImages):
        options.check_crop(args, min(train.size))
    classifier = options.classifier_for(args.classifier, train, run.device) if args.classifier else None
    surrogates = [options.classifier_for(reference, train, run.device) for reference in args.surrogate]
    if args.objective == "stab":
        options.check_through(args, classifier, surrogates, data=train, device=run.device)
    teachers = Teachers(classifier, surrogates)

    def train_it(trainer: Trainer) -> Trained:
        for one in (classifier, *surrogates):
            if one is not None:
                one.to(trainer.device)
        return train_denoiser(
            train, run.recipe, training=asked, trainer=trainer, teachers=teachers, start=start, made_for={"start": args.start}
        )

    trained = run.train(train_it)
    low, high = trained.config.sigma_range or asked.sigma_range
    card = {
        "objective": args.objective,
        "data": options.data_name(args, train),
        "classifier": args.classifier,
        "trained_through": (args.surrogate or [args.classifier]) if args.objective == "stab" else None,
        "start": args.start,
        "sigma_range": [low, high],
    }
    card |= {name: getattr(args, name) for name in STAB_WEIGHTS if getattr(args, name)}
    card |= {"draws": asked.stab.draws} if asked.stab.draws > 1 else {}

    def measure(network: nn.Module) -> dict[str, Any]:
        if args.objective == "encoder":  # its helper is gone by now
            last = trained.history[-1] if trained.history else {}
            told = {key: value for key, value in last.items() if key.startswith("helper_accuracy")}
            return {"test": told, "measured_on": "held-out pictures of the training split"} if told else {}
        measured = measure_denoiser(network, classifier, test, sigmas=figure_sigmas(low, high), device=run.device)
        return {"test": measured, "test_images": len(test)}

    return run.leave(trained, card, measure)


class _Run:
    """One training: what it is asked, who computes, who listens, and what it leaves. Mistakes that need no data come first."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.started, self.device = args, time.monotonic(), pick_device(args.device)
        self.recipe = options.recipe_of(args)
        check_recipe(self.recipe, self.device)
        if slow := slow_precision(self.recipe, self.device):
            remark(slow)
        if args.push_to_hub:
            check_upload(args.push_to_hub)
        writable_folder(args.out)
        self.interrupt, self.troubles, self.leads = InterruptFlag(), list[str](), True

    def train(self, work: Callable[[Trainer], Trained]) -> Trained:
        args, workers = self.args, start_workers(self.args.devices, self.device)
        self.device, self.leads = workers.device, workers.rank == 0
        printer, log, step = Printer(), TensorBoardLog(args.tensorboard) if args.tensorboard and self.leads else None, 0

        def tell(progress: TrainingProgress) -> None:
            nonlocal step
            step = progress.step
            printer(progress)
            if log is not None:
                log(progress)

        trainer = Trainer(
            device=self.device,
            checkpoint=args.out / "checkpoint.pt",
            checkpoint_seconds=60 * args.checkpoint_minutes,
            resume=args.resume,
            on_progress=tell if self.leads else None,
            on_trouble=self.troubles.append,
            on_remark=remark if self.leads else lambda sentence: None,
            should_stop=self.interrupt.is_set,
            workers=workers,
        )
        with self.interrupt:
            trained = work(trainer)
            if log is not None:
                log.close(trained.history, step)
        return trained

    def leave(self, trained: Trained, card: dict[str, Any], measure: Callable[[nn.Module], dict[str, Any]]) -> int:
        """Save the network, measure it on the test split, complete its card, upload it if asked to; returns the exit code."""
        if not self.leads:
            return 0
        args, history = self.args, trained.history
        stopped = self.interrupt.is_set() and not self.troubles and len(history) < args.epochs
        if stopped and not history and (args.out / WEIGHTS).exists():
            remark(f"stopped within the first epoch: the model that was in {str(args.out)!r} is left as it was.")
            return 130
        if args.half_weights:
            round_to_half(trained.network)  # before it is saved and measured: the figures are those of what is kept
        card = card | {
            "recipe": asdict(self.recipe),
            "stopped_early": stopped or bool(self.troubles),
            **({"weights": "float16"} if args.half_weights else {}),
            "parameters": sum(p.numel() for p in trained.network.parameters()),
            "history": history,
            **({"trouble": self.troubles[0]} if self.troubles else {}),
            "device": describe_device(self.device) + (f" x {args.devices}" if args.devices > 1 else ""),
            "minutes": round((time.monotonic() - self.started) / 60, 1),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "command": "python -m core " + shlex.join(args.argv),
        }
        self._save(trained, card)  # before it is measured: hours of training wait for nothing
        for trouble in self.troubles:
            remark(trouble)
        if stopped:
            remark(f"stopped after {len(history)} of {args.epochs} epochs; the averaged network so far is kept. Measuring it.")
        card = measure(trained.network) | card
        self._save(trained, card)
        pushed = self._push(stopped)
        if args.json:
            print_json(card | ({"pushed": pushed} if pushed else {}))
        else:
            told = "".join(f"  {name}{'_' + sigma if sigma else ''} {value:g}" for name, sigma, value in figures(card))
            say(f"Saved {args.out}: use it as local/{args.out}{told}", file=sys.stderr)
            if pushed:
                say(f"Uploaded: use it anywhere as hub/{pushed['repository']}@{pushed['commit']}", file=sys.stderr)
        return 130 if stopped else 1 if self.troubles else 0

    def _save(self, trained: Trained, card: dict[str, Any]) -> None:
        args = self.args
        try:
            save_model(args.out, trained.network, trained.config, card, half=args.half_weights)
            write_readme(args.out, trained.config, card, args.push_to_hub)
        except (OSError, SafetensorError) as error:
            why = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise LabError(
                f"The model cannot be written to {str(args.out)!r} ({why}): make room there, then run the same command with"
                " --resume, which goes on from the last checkpoint."
            ) from error

    def _push(self, stopped: bool) -> dict[str, str] | None:
        args = self.args
        if not args.push_to_hub:
            return None
        if stopped or self.troubles:
            remark(f"not uploaded to {args.push_to_hub}: the training did not end as planned.")
            return None
        try:
            return {"repository": args.push_to_hub, "commit": upload_model(args.out, args.push_to_hub, private=args.private)}
        except LabError as error:
            raise LabError(
                f"{error} The model is kept in {str(args.out)!r}: the same command with --resume tries again."
            ) from error
