"""Training for so many epochs: checkpoints, exact resume, progress with time left."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from core.data.datasets import LabelledImages, Photographs
from core.errors import LabError
from core.models.storage import ModelConfig
from core.training.checkpoint import CheckpointWriteError, Stated, read_checkpoint, restoring, write_checkpoint
from core.training.loop import Batch, BatchLoss, Clock, Learner, TrainingProgress, Workers, learn
from core.training.recipe import Recipe, check_recipe, learning_rate_factor

History = list[dict[str, float]]  # a row of figures for every finished epoch


class Trained(NamedTuple):
    """What a training leaves: the averaged network in evaluation mode, how it is built, and its figures."""

    network: nn.Module
    config: ModelConfig
    history: History


@dataclass(frozen=True)
class Trainer:
    """Where a network is trained, what is saved on the way, and who listens.

    ``resume`` goes on from the checkpoint where it exists; its recipe and what it was made for must be these. The run then ends
    bit for bit where an unbroken one would (on a device that computes the same sum twice alike, such as the CPU).
    """

    device: torch.device  # with ``workers``, theirs
    checkpoint: Path | None = None  # rewritten after every epoch, within long ones, and at a stop
    checkpoint_seconds: float = 600.0  # how much work within an epoch a kill may cost
    resume: bool = False
    on_progress: Callable[[TrainingProgress], None] | None = None  # after every step
    on_trouble: Callable[[str], None] | None = None  # told where the loss is no number: the last epoch is then kept
    on_remark: Callable[[str], None] | None = None  # told where a checkpoint cannot be written; training goes on
    should_stop: Callable[[], bool] = lambda: False  # after every step; keeps the average so far
    workers: Workers | None = None  # who share each batch; None: this process alone

    def fit(
        self,
        network: nn.Module,
        batch_loss: BatchLoss,
        data: LabelledImages | Photographs,
        *,
        recipe: Recipe,
        made_for: Mapping[str, Stated] | None = None,
        measure: Callable[[nn.Module], dict[str, float]] | None = None,
    ) -> tuple[nn.Module, History]:
        """Train ``network`` in place on pictures; returns its moving average, in evaluation mode, and history.

        ``made_for``: what else decides the run (objective, data ...), by names that are shown to the user. ``measure``: figures
        of the average after an epoch, on held-out pictures. Raises LabError where the checkpoint is another run's; or where the
        loss is no number before an epoch was finished, or a checkpoint cannot be written, and nobody is there to tell.
        """
        workers = self.workers or Workers(self.device)
        check_recipe(recipe, workers.device)
        stated = dict(made_for or {}) | asdict(recipe) | {"devices": workers.count}
        epochs = _Epochs(self, Learner(network, recipe, workers), stated, loss=batch_loss, data=data, measure=measure)
        earlier = self.checkpoint is not None and self.checkpoint.exists()
        if self.resume and earlier:
            epochs.restore()
        stopped = learn(epochs.learner, epochs, self.should_stop)
        # A stop within the first epoch spares the checkpoint of an earlier run.
        if stopped and (epochs.history or self.resume or not earlier):
            epochs.save()
        return epochs.learner.average.network, epochs.history


@dataclass
class _Epochs:
    """A course of so many epochs, and what a checkpoint holds of it."""

    trainer: Trainer
    learner: Learner
    stated: Mapping[str, Stated]
    loss: BatchLoss
    data: LabelledImages | Photographs
    measure: Callable[[nn.Module], dict[str, float]] | None

    def __post_init__(self) -> None:
        self.workers, self.recipe = self.learner.workers, self.learner.recipe
        self.steps_per_epoch = max(1, len(self.data) // self.recipe.batch_size)
        self.total = self.steps_per_epoch * self.recipe.epochs
        self.drawn: Tensor | None = None  # the generator's state, where an epoch is to go on from its middle
        self.epoch = self.row = self.done_before = 0
        self.losses = 0.0
        self.history: History = []
        self.good = copy.deepcopy(self.learner.average.network.state_dict())
        self.saved_at, self.clock = 0.0, Clock()

    def batches(self) -> Iterator[Batch]:
        """This process's part of each batch, epoch by epoch; figures after each, and checkpoints."""
        while self.epoch < self.recipe.epochs:
            for rows in self._order():
                yield Batch(*self.data.batch(rows, self.learner.generator), self.loss, self._rate(self.learner.steps))
                overdue = self.clock.seconds() - self.saved_at >= self.trainer.checkpoint_seconds
                if self.row < self.steps_per_epoch and self.workers.mean(float(overdue)) > 0:
                    self.save()
            figures = self.measure(self.learner.average.network) if self.measure and self.workers.rank == 0 else {}
            self.epoch += 1
            self.history.append({"epoch": self.epoch, "loss": self.losses / self.row} | figures)
            self.row, self.losses = 0, 0.0
            self.good = copy.deepcopy(self.learner.average.network.state_dict())
            self.save()

    def _order(self) -> Iterator[Tensor]:
        """The rows of the epoch's batches that are still to come, in its own order."""
        # Seeded anew each epoch, so that a resumed run draws exactly what an unbroken one would.
        size, generator = self.recipe.batch_size, self.learner.generator
        seed = self.recipe.seed * 100_003 + self.epoch
        order = torch.randperm(len(self.data), generator=generator.manual_seed(seed))
        if self.workers.rank:  # the others' noise is another one
            generator.manual_seed(seed * 1_009 + self.workers.rank)
        if self.drawn is not None:
            generator.set_state(self.drawn)
            self.drawn = None
        for start in range(self.row * size, self.steps_per_epoch * size, size):
            yield order[start : start + size][self.workers.rank :: self.workers.count]

    def _rate(self, step: int) -> float:
        return self.recipe.learning_rate * learning_rate_factor(step / self.total, self.recipe.warmup, self.recipe.schedule)

    def took(self, loss: float) -> None:
        self.losses += loss
        self.row += 1
        if self.trainer.on_progress is None:
            return
        steps, seconds = self.learner.steps, self.clock.seconds()
        pace = seconds / (steps - self.done_before)
        progress = TrainingProgress(
            step=steps,
            loss=self.losses / self.row,
            learning_rate=self._rate(steps - 1),
            images_per_second=self.recipe.batch_size / pace,
            seconds=seconds,
            seconds_left=pace * (self.total - steps),
            epoch=self.epoch + 1,
            epochs=self.recipe.epochs,
            steps=self.total,
            measured=self.history[-1] if self.history else {},
        )
        with self.clock.standing_still():
            self.trainer.on_progress(progress)

    def failed(self, loss: float) -> None:
        """Fall back on what the last finished epoch left, and say so. Raises LabError where there is none, or none to tell."""
        what = "gradients stopped being numbers" if math.isfinite(loss) else f"loss became {loss}"
        trouble = f"The {what} in epoch {self.epoch + 1}"
        if not self.history or self.trainer.on_trouble is None:
            raise LabError(f"{trouble}: start anew with a lower learning rate.")
        self.learner.average.network.load_state_dict(self.good)
        self.trainer.on_trouble(
            f"{trouble}: training ended there and what epoch {self.epoch} left is kept; a lower learning rate may get further."
        )

    def save(self) -> None:
        path = self.trainer.checkpoint
        if path is None:
            return
        contents = self._contents()  # all take part: each has draws of its own
        if self.workers.rank == 0:
            try:
                write_checkpoint(path, contents)
            except CheckpointWriteError as error:
                if self.trainer.on_remark is None:
                    raise
                self.trainer.on_remark(f"{error} Training goes on.")
        self.workers.mean(0.0)  # nobody goes on, or ends, before it is written
        self.saved_at = self.clock.seconds()

    def _contents(self) -> dict[str, Any]:
        random = {"cpu": torch.get_rng_state()}
        if self.learner.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.learner.device)
        return {
            **self.learner.state(),
            "good": self.good if self.row else None,
            "epoch": self.epoch,
            "row": self.row,
            "losses": self.losses,
            "history": self.history,
            "drawn": self.workers.gather(self.learner.generator.get_state()) if self.row else None,
            "random": random,
            "stated": dict(self.stated),
        }

    def restore(self) -> None:
        """Be the run that the checkpoint holds. Raises LabError where it is damaged, of another run or of another network."""
        learner, path = self.learner, self.trainer.checkpoint
        assert path is not None
        saved = read_checkpoint(path, learner.device, self.stated)
        with restoring(path):
            learner.restore(saved)
            self.epoch, self.row, self.losses = saved["epoch"], saved["row"], saved["losses"]
            self.history = saved["history"]
            self.good = saved["good"] or copy.deepcopy(learner.average.network.state_dict())
            if self.row:
                # A copy: a generator that is given a row of a larger tensor crashes the process.
                self.drawn = saved["drawn"][self.workers.rank].cpu().clone()
            torch.set_rng_state(saved["random"]["cpu"].cpu())
            if "cuda" in saved["random"]:
                torch.cuda.set_rng_state(saved["random"]["cuda"].cpu(), learner.device)
        learner.steps = self.done_before = self.epoch * self.steps_per_epoch + self.row
