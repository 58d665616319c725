"""Training for so much time instead of so many epochs: it may be stopped after any step, and keeps the best it came by."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.training.checkpoint import CheckpointWriteError, Stated, read_checkpoint, restoring, write_checkpoint
from core.training.loop import Batch, BatchLoss, Clock, Learner, TrainingProgress, Workers, learn
from core.training.recipe import Recipe, learning_rate_factor
from core.training.validation import Measured, Moment, Validation

MOMENTS = 40  # about how often the validation pictures are looked at
LONG_STEP = 0.35
"""Seconds of a step beyond which the batch is halved, for a stop must be felt at once; below a quarter it is doubled again."""
LEAST_BATCH = 4
CHECKPOINT_SECONDS = 10.0
"""Of computing between two checkpoints, at least: what a kill may cost, unless looks at the pictures are further apart."""


@dataclass(frozen=True)
class Phase:
    """A part of the time that has one objective."""

    name: str  # ``mse`` or ``stab``; also what the best is chosen by, see Moment.score
    loss: BatchLoss
    share: float  # of the time
    pace: float = 1.0  # what the recipe's learning rate is multiplied by


@dataclass(frozen=True)
class TimedResult:
    """What came of it."""

    network: nn.Module  # the best averaged one, in evaluation mode
    best: Moment
    last: TrainingProgress
    batch_size: int
    trouble: str | None  # a sentence where the loss stopped being a number
    stopped: bool  # ended before its time


@dataclass(frozen=True)
class TimePlan:
    """What is learnt, from what, and in which time."""

    phases: Sequence[Phase]  # one after the other; their shares add up to 1
    next_pictures: Callable[[int, torch.Generator], Tensor]  # -> (count, 3, H, W) uint8; CPU generator
    seconds: float  # of the training's own computing
    validation: Validation  # what the best moment is chosen by


@dataclass(frozen=True)
class TimedCheckpoint:
    """A file from which a training for so much time can be gone on with."""

    path: Path  # written every few seconds; where there is one already, the training goes on from it
    stated: Mapping[str, Stated]  # what the training is, in the user's words; another's is refused
    more: Mapping[str, Any] = field(default_factory=dict)  # kept in the file for its readers

    def read(self, device: torch.device) -> dict[str, Any] | None:
        """What the file holds; None where there is none yet. Raises LabError where it is damaged, or of another training."""
        return read_checkpoint(self.path, device, self.stated) if self.path.exists() else None


def fit_for(
    network: nn.Module,
    plan: TimePlan,
    recipe: Recipe,
    device: torch.device,
    *,
    checkpoint: TimedCheckpoint | None = None,
    report: Callable[[TrainingProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TimedResult:
    """Train ``network`` in place for so many seconds of its own computing; the learning rate follows the phase's time.

    Kept is the averaged network of the best moment: by mean validation PSNR in an MSE phase, by STAB's validation loss in a
    STAB phase. Moments of the phase that was reached last count alone, unless it has none. ``checkpoint`` is gone on from; one
    that cannot be written is told of in the progress. That others may compute in ``report`` is not counted. Raises LabError
    where the loss stops being a number before anything was learnt, or the checkpoint is damaged or another's.
    """
    learner = Learner(network, recipe, Workers(device))
    course = _Timed(learner, plan, report, should_stop, checkpoint=checkpoint)
    stopped = learn(learner, course, should_stop) or course.stopped
    if course.best is None or course.best.step == 0:
        if course.trouble:
            raise LabError(f"{course.trouble}, before anything was learnt: start anew with a lower learning rate.")
        course.look(course.clock.seconds())  # it was stopped before the first look
    best, trouble = course.best, course.trouble
    if best is None or best.step == 0:
        raise LabError("Stopped before the first step: nothing was learnt, so nothing is kept.")
    if trouble:
        trouble += f": training ended there, and the best until then, of second {best.seconds:.0f}, is kept."
    kept, last = learner.average.network, course.progress()
    kept.load_state_dict(course.weights)
    return TimedResult(kept, best, last, course.batch_size, trouble=trouble, stopped=stopped)


_SAVED = ("number", "first", "batch_size", "rate", "loss", "looked_at", "weights")
"""What a checkpoint holds of a course as it is. No pictures: uploads are not written to disk, nor what became of them."""


@dataclass
class _Timed:
    """A course of so much time, in phases; looks at the validation pictures on the way, and the best weights."""

    learner: Learner
    plan: TimePlan
    report: Callable[[TrainingProgress], None]
    should_stop: Callable[[], bool]
    checkpoint: TimedCheckpoint | None

    def __post_init__(self) -> None:
        learner, plan, self.recipe = self.learner, self.plan, self.learner.recipe
        self.number, self.first, self.batch_size, self.rate, self.loss = 0, -1, LEAST_BATCH, 0.0, math.nan
        self.losses, self.moments, self.strips = list[float](), list[Moment](), list[tuple[float, Tensor]]()
        self.looked_at, self.stopped = 0.0, False
        self.best: Moment | None = None
        self.trouble: str | None = None
        self.weights = copy.deepcopy(learner.average.network.state_dict())
        self.strip = plan.validation.strip(learner.average.network)
        self.saved_at, self.remark = 0.0, ""
        saved = None if self.checkpoint is None else self.checkpoint.read(learner.device)
        if saved is None:
            self.look(0.0)
        self.clock = Clock()  # after the first look, which finds everything cold
        if saved is not None:
            self._restore(saved)
        self.tell()

    @property
    def phase(self) -> Phase:
        return self.plan.phases[self.number]

    def batches(self) -> Iterator[Batch]:
        """Pictures drawn at random, phase by phase; the size of a batch follows how long a step takes."""
        begin, left = 0.0, self.number
        for number, phase in enumerate(self.plan.phases):
            if number < left:  # a checkpoint was behind it
                begin += phase.share * self.plan.seconds
                continue
            self.number = number
            if self.first < 0:  # else a checkpoint was in its midst
                self.learner.new_optimizer()
                self.first = self.learner.steps
            length, first = phase.share * self.plan.seconds, self.first
            while (now := self.clock.seconds()) < begin + length or self.learner.steps == first:
                done = min(1.0, (now - begin) / length)
                factor = learning_rate_factor(done, self.recipe.warmup, self.recipe.schedule)
                self.rate = self.phase.pace * self.recipe.learning_rate * factor
                images = self.plan.next_pictures(self.batch_size, self.learner.generator)
                yield Batch(images, torch.zeros(len(images), dtype=torch.int64), self.phase.loss, self.rate)
                took = self.clock.seconds() - now
                if took > LONG_STEP and self.learner.steps > first + 1:  # the first one finds everything cold
                    self.batch_size = max(LEAST_BATCH, self.batch_size // 2)
                elif took < LONG_STEP / 4:
                    self.batch_size = min(self.recipe.batch_size, 2 * self.batch_size)
                # More often at first, when much changes.
                due = self.clock.seconds() - self.looked_at >= min(self.plan.seconds / MOMENTS, 0.5 + self.clock.seconds() / 10)
                if due or self.clock.seconds() >= begin + length:
                    if not self.look(self.clock.seconds(), self._go_on):
                        return
                    self._save()
            begin, self.first = begin + length, -1

    def took(self, loss: float) -> None:
        self.loss = loss
        self.losses.append(loss)
        self.tell()

    def failed(self, loss: float) -> None:
        self.trouble = f"The loss stopped being a number after {self.learner.steps:,} steps"

    def look(self, seconds: float, go_on: Callable[[], bool] = lambda: True) -> bool:
        """Look at the averaged network; False where its pictures are no numbers, or ``go_on`` said no: both are noted."""
        network, loss = self.learner.average.network, sum(self.losses) / len(self.losses) if self.losses else math.nan
        measured = self.plan.validation.measure(network, go_on)
        if measured is None or not measured.finite:
            self.stopped = measured is None
            if measured is not None and self.learner.steps:
                self.trouble = f"The denoised pictures stopped being numbers after {self.learner.steps:,} steps"
            return False
        moment = Moment(seconds, self.learner.steps, self.phase.name, loss=loss, measured=measured)
        self.moments.append(moment)
        self.losses.clear()
        self.strip, self.looked_at = self.plan.validation.strip(network), seconds
        if not self.strips or seconds >= max(0.5, 2 * self.strips[-1][0]):
            self.strips.append((seconds, self.strip))
        if self.best is None or self.best.step == 0 or self.best.phase != moment.phase or moment.score > self.best.score:
            self.best, self.weights = moment, copy.deepcopy(network.state_dict())
        return True

    def progress(self) -> TrainingProgress:
        seconds = self.clock.seconds()
        return TrainingProgress(
            step=self.learner.steps,
            loss=self.loss,
            learning_rate=self.rate,
            seconds=seconds,
            seconds_left=max(0.0, self.plan.seconds - seconds),
            phase=self.phase.name,
            moments=tuple(self.moments),
            best=self.best,
            strip=self.strip,
            strips=tuple(self.strips),
            remark=self.remark,
        )

    def tell(self) -> None:
        progress = self.progress()
        with self.clock.standing_still():
            self.report(progress)

    def _save(self) -> None:
        """Write the checkpoint, where there is to be one and the last is some seconds old. No time of the training passes."""
        seconds, best = self.clock.seconds(), self.best
        if self.checkpoint is None or best is None or seconds - self.saved_at < CHECKPOINT_SECONDS:
            return
        learner, self.saved_at = self.learner, seconds
        contents = {
            **learner.state(),
            "generator": learner.generator.get_state(),
            "moments": [asdict(moment) for moment in self.moments],
            "best": self.moments.index(best),
            "seconds": seconds,
            "steps": learner.steps,
            **{name: getattr(self, name) for name in _SAVED},
            "more": dict(self.checkpoint.more),
            "stated": dict(self.checkpoint.stated),
        }
        with self.clock.standing_still():
            try:
                write_checkpoint(self.checkpoint.path, contents)
                self.remark = ""
            except CheckpointWriteError as error:
                self.remark = f"{error} Training goes on; a crash would lose what was learnt since."

    def _restore(self, saved: Mapping[str, Any]) -> None:
        """Be the training that a checkpoint holds. Raises LabError where it is of another network."""
        learner = self.learner
        assert self.checkpoint is not None
        with restoring(self.checkpoint.path):
            learner.restore(saved)
            learner.generator.set_state(saved["generator"].cpu())
            learner.steps, self.clock = saved["steps"], Clock(saved["seconds"])
            self.moments = [Moment(**moment | {"measured": Measured(**moment["measured"])}) for moment in saved["moments"]]
            self.best, self.saved_at = self.moments[saved["best"]], saved["seconds"]
            for name in _SAVED:
                setattr(self, name, saved[name])
            self.strip = self.plan.validation.strip(learner.average.network)

    def _go_on(self) -> bool:
        self.tell()
        return not self.should_stop()
