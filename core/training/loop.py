"""One training loop for classifiers and denoisers: averaged weights, checkpoints, exact resume, progress with time left."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.training.average import WeightAverage
from core.training.checkpoint import CheckpointWriteError, Stated, damaged, read_checkpoint, write_checkpoint
from core.training.recipe import Recipe, autocast_type, check_recipe, learning_rate_factor, make_optimizer
from core.training.workers import Alone, Workers

__all__ = ["BatchLoss", "Recipe", "Stated", "TrainingProgress", "fit"]

BatchLoss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]
"""(network, images (B, 3, H, W) float in [0, 1], labels (B,), CPU generator) -> scalar loss."""


@dataclass(frozen=True)
class TrainingProgress:
    """What a progress line or bar shows."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    images_per_second: float
    seconds_left: float
    measured: dict[str, float] = field(default_factory=dict)
    learning_rate: float = 0.0


def fit(
    network: nn.Module,
    batch_loss: BatchLoss,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    device: torch.device,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 600.0,
    resume: bool = False,
    made_for: Mapping[str, Stated] | None = None,
    measure: Callable[[nn.Module], dict[str, float]] | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_trouble: Callable[[str], None] | None = None,
    on_remark: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    workers: Workers | None = None,
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train ``network`` in place and return its exponential moving average, which is what should be kept.

    Args:
        network: on any device; moved to ``device``.
        batch_loss: the objective on one batch of pictures already scaled to [0, 1].
        images: (N, 3, H, W) uint8.
        labels: (N,) int64.
        recipe: optimiser, schedule, precision, seed.
        device: where to compute; with ``workers``, theirs.
        checkpoint: file rewritten after every epoch, within long ones, and at a stop; None writes none.
        checkpoint_seconds: how much work within an epoch a kill may cost.
        resume: go on from ``checkpoint`` where it exists; its recipe and what it was made for must be these. The run then ends
            bit for bit where an unbroken one would (on a device that computes the same sum twice alike, such as the CPU).
        made_for: what else decides the run (objective, data ...), by names that are shown to the user.
        measure: figures of the averaged network after an epoch, on held-out pictures.
        on_progress: called after every step.
        on_trouble: told in a sentence where the loss stops being a number; what the last finished epoch left is then returned.
        on_remark: told in a sentence where a checkpoint cannot be written; training goes on, and the last good one stays.
        should_stop: asked after every step; a stop keeps the averaged network so far.
        workers: those who share each batch; by default this process alone.

    Returns:
        the averaged network in evaluation mode, and a row of figures for every finished epoch.

    Raises:
        LabError: where the checkpoint belongs to another run; or where the loss stops being a number before an epoch was
            finished, or with nobody to tell; or where a checkpoint cannot be written, with nobody to tell.
    """
    workers = workers or Alone(device)
    device = workers.device
    check_recipe(recipe, device)
    network = network.to(device, memory_format=recipe.memory_format).train()  # type: ignore[call-overload]
    trained = [p for p in network.parameters() if p.requires_grad]
    steps_per_epoch = max(1, len(images) // recipe.batch_size)
    total = steps_per_epoch * recipe.epochs
    stated: dict[str, Stated] = dict(made_for or {}) | asdict(recipe) | {"devices": workers.count}
    fresh = not resume and checkpoint is not None and checkpoint.exists()
    run = _Run(network, WeightAverage(network, recipe.ema), make_optimizer(trained, recipe), recipe, workers)
    if resume and checkpoint is not None and checkpoint.exists():
        run.restore(read_checkpoint(checkpoint, device, stated), checkpoint)
    called = workers.wrap(network)
    half = autocast_type(recipe)
    started, done_before = time.monotonic(), run.epoch * steps_per_epoch + run.row
    saved_at = started

    def save() -> None:
        nonlocal saved_at
        if checkpoint is None:
            return
        contents = run.contents(stated)  # all take part: each has draws of its own
        if workers.rank == 0:
            try:
                write_checkpoint(checkpoint, contents)
            except CheckpointWriteError as error:
                if on_remark is None:
                    raise
                on_remark(f"{error} Training goes on.")
        workers.mean(0.0)  # nobody goes on, or ends, before it is written
        saved_at = time.monotonic()

    while run.epoch < recipe.epochs:
        for batch in run.batches(len(images), recipe.batch_size):
            step = run.epoch * steps_per_epoch + run.row
            rate = recipe.learning_rate * learning_rate_factor(step / total, recipe.warmup, recipe.schedule)
            for group in run.optimizer.param_groups:
                group["lr"] = rate
            x = images[batch].to(device).float().div_(255)
            with torch.autocast(device.type, half, enabled=half is not None):
                loss = batch_loss(called, x, labels[batch].to(device), run.generator)
            run.optimizer.zero_grad(set_to_none=True)
            workers.backward(run.scaler.scale(loss))
            if recipe.clip:
                run.scaler.unscale_(run.optimizer)
                nn.utils.clip_grad_norm_(trained, recipe.clip)
            value = workers.mean(loss.item())
            if not math.isfinite(value):
                trouble = f"The loss became {value} in epoch {run.epoch + 1}"
                if not run.history or on_trouble is None:
                    raise LabError(f"{trouble}: start anew with a lower learning rate.")
                run.average.network.load_state_dict(run.good)
                on_trouble(
                    f"{trouble}: training ended there and what epoch {run.epoch} left is kept;"
                    " a lower learning rate may get further."
                )
                return run.average.network, run.history
            run.scaler.step(run.optimizer)
            run.scaler.update()
            run.average.follow(step)
            run.losses += value
            run.row += 1
            if on_progress is not None:
                seconds = (time.monotonic() - started) / (step + 1 - done_before)
                on_progress(
                    TrainingProgress(
                        run.epoch + 1,
                        recipe.epochs,
                        step + 1,
                        total,
                        run.losses / run.row,
                        recipe.batch_size / seconds,
                        seconds * (total - step - 1),
                        run.history[-1] if run.history else {},
                        rate,
                    )
                )
            if workers.mean(float(should_stop())) > 0:
                if run.history or not fresh:  # a stop within the first epoch spares the checkpoint of an earlier run
                    save()
                return run.average.network, run.history
            if run.row < steps_per_epoch and workers.mean(float(time.monotonic() - saved_at >= checkpoint_seconds)) > 0:
                save()
        run.finish_epoch(measure)
        save()
    return run.average.network, run.history


class _Run:
    """Everything that changes while a network is trained: what a checkpoint holds."""

    def __init__(
        self, network: nn.Module, average: WeightAverage, optimizer: torch.optim.Optimizer, recipe: Recipe, workers: Workers
    ) -> None:
        self.network, self.average, self.optimizer, self.workers, self.seed = network, average, optimizer, workers, recipe.seed
        self.scaler = torch.amp.GradScaler(workers.device.type, enabled=recipe.precision == "fp16")
        self.generator = torch.Generator()
        self.drawn: Tensor | None = None  # the generator's state, where an epoch is to go on from its middle
        self.epoch = self.row = 0
        self.losses = 0.0
        self.history: list[dict[str, float]] = []
        self.good = copy.deepcopy(average.network.state_dict())

    def batches(self, count: int, size: int) -> Iterator[Tensor]:
        """This process's part of each batch of the epoch that are still to come, in the epoch's own order."""
        # Seeded anew each epoch, so that a resumed run draws exactly what an unbroken one would.
        self.generator.manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(count, generator=self.generator)
        rank, workers = self.workers.rank, self.workers.count
        if rank:  # the others' noise is another one
            self.generator.manual_seed((self.seed * 100_003 + self.epoch) * 1_009 + rank)
        if self.drawn is not None:
            self.generator.set_state(self.drawn)
            self.drawn = None
        for start in range(self.row * size, max(1, count // size) * size, size):
            yield order[start : start + size][rank::workers]

    def finish_epoch(self, measure: Callable[[nn.Module], dict[str, float]] | None) -> None:
        """Note the figures of the epoch, and what to fall back on."""
        figures = measure(self.average.network) if measure and self.workers.rank == 0 else {}
        self.epoch += 1
        self.history.append({"epoch": self.epoch, "loss": self.losses / self.row} | figures)
        self.row, self.losses = 0, 0.0
        self.good = copy.deepcopy(self.average.network.state_dict())

    def contents(self, stated: Mapping[str, Stated]) -> dict[str, Any]:
        """What a checkpoint holds."""
        random = {"cpu": torch.get_rng_state()}
        if self.workers.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.workers.device)
        return {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "good": self.good if self.row else None,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "epoch": self.epoch,
            "row": self.row,
            "losses": self.losses,
            "history": self.history,
            "drawn": self.workers.gather(self.generator.get_state()) if self.row else None,
            "random": random,
            "stated": dict(stated),
        }

    def restore(self, saved: dict[str, Any], path: Path) -> None:
        """Be the run that a checkpoint holds.

        Raises:
            LabError: where it is of another network.
        """
        try:
            self.network.load_state_dict(saved["network"])
            self.average.network.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.scaler.load_state_dict(saved["scaler"])
            self.epoch, self.row, self.losses = saved["epoch"], saved["row"], saved["losses"]
            self.history = saved["history"]
            self.good = saved["good"] or copy.deepcopy(self.average.network.state_dict())
            if self.row:
                # A copy: a generator that is given a row of a larger tensor crashes the process.
                self.drawn = saved["drawn"][self.workers.rank].cpu().clone()
            torch.set_rng_state(saved["random"]["cpu"].cpu())
            if "cuda" in saved["random"]:
                torch.cuda.set_rng_state(saved["random"]["cuda"].cpu(), self.workers.device)
        except (RuntimeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise damaged(path) from error
