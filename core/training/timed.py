"""Training for so much time instead of so many epochs: it may be stopped after any step, and keeps the best it came by."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.training.average import WeightAverage
from core.training.loop import BatchLoss
from core.training.recipe import Recipe, learning_rate_factor, make_optimizer
from core.training.validation import Measured, Validation

MOMENTS = 40
"""About how often the validation pictures are looked at."""
LONG_STEP = 0.35
"""Seconds of a step beyond which the batch is halved, for a stop must be felt at once; below a quarter it is doubled again."""
LEAST_BATCH = 4


@dataclass(frozen=True)
class Phase:
    """A part of the time that has one objective.

    Attributes:
        name: ``mse`` or ``stab``; also what the best is chosen by, see :meth:`Measured.score`.
        loss: of a batch.
        share: of the time.
        pace: what the recipe's learning rate is multiplied by.
    """

    name: str
    loss: BatchLoss
    share: float
    pace: float = 1.0


@dataclass(frozen=True)
class Moment:
    """A look at the validation pictures.

    Attributes:
        seconds: of computing until then.
        phase: which objective was at work.
        loss: the mean over the steps since the last look; NaN before the first step.
    """

    seconds: float
    step: int
    phase: str
    loss: float
    measured: Measured


@dataclass(frozen=True)
class TimedProgress:
    """The state after a step.

    Attributes:
        seconds, budget: of computing, spent and granted.
        strip: (K, 3, H, W) uint8, the newest.
        looks: strips of earlier moments, at doubling times: (seconds, strip).
    """

    seconds: float
    budget: float
    step: int
    phase: str
    loss: float
    moments: tuple[Moment, ...]
    best: Moment | None
    strip: Tensor
    looks: tuple[tuple[float, Tensor], ...]


@dataclass(frozen=True)
class TimedResult:
    """What came of it.

    Attributes:
        network: the best averaged network, in evaluation mode.
        best: when it was.
        trouble: a sentence where the loss stopped being a number.
        stopped: whether it was ended before its time.
    """

    network: nn.Module
    best: Moment
    last: TimedProgress
    batch_size: int
    trouble: str | None
    stopped: bool


def fit_for(
    network: nn.Module,
    phases: list[Phase],
    next_pictures: Callable[[int, torch.Generator], Tensor],
    recipe: Recipe,
    seconds: float,
    validation: Validation,
    *,
    device: torch.device,
    report: Callable[[TimedProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TimedResult:
    """Train ``network`` in place for ``seconds`` of its own computing; ``report``, in which others may compute, is not counted.

    Args:
        next_pictures: (count, CPU generator) -> (count, 3, H, W) uint8.
        recipe: epochs are not used; the learning rate follows the share of the time within a phase.
        should_stop: asked after every step.

    Returns:
        the averaged network of the best moment: by mean validation PSNR in an MSE phase, by STAB's validation loss in a STAB
        phase. Moments of the phase that was reached last count alone, unless it has none.

    Raises:
        LabError: where the loss stops being a number before anything was learnt.
    """
    network = network.to(device, memory_format=recipe.memory_format).train()  # type: ignore[call-overload]
    trained = [p for p in network.parameters() if p.requires_grad]
    average = WeightAverage(network, recipe.ema)
    generator = torch.Generator().manual_seed(recipe.seed)
    kept = _Kept(average.network, validation)
    kept.look(0.0, 0, phases[0].name, math.nan)
    clock = _Clock()  # after the first look, which finds everything cold
    batch, step, losses, value, trouble, stopped = LEAST_BATCH, 0, list[float](), math.nan, None, False

    def progress(phase: str) -> TimedProgress:
        return TimedProgress(
            clock.seconds(), seconds, step, phase, value, tuple(kept.moments), kept.best, kept.strip, tuple(kept.looks)
        )

    def tell(phase: str) -> None:
        with clock.stands_still():
            report(progress(phase))

    tell(phases[0].name)
    begin = 0.0
    for phase in phases:
        optimizer = make_optimizer(trained, recipe)
        length = phase.share * seconds
        first = step
        while ((now := clock.seconds()) < begin + length or step == first) and not stopped:
            rate = (
                phase.pace
                * recipe.learning_rate
                * learning_rate_factor(min(1.0, (now - begin) / length), recipe.warmup, recipe.schedule)
            )
            for group in optimizer.param_groups:
                group["lr"] = rate
            x = next_pictures(batch, generator).to(device).float().div_(255)
            loss = phase.loss(network, x, torch.zeros(len(x), dtype=torch.int64), generator)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = nn.utils.clip_grad_norm_(trained, recipe.clip or math.inf)
            value = loss.item()
            if not math.isfinite(value) or not bool(torch.isfinite(norm)):
                trouble = f"The loss stopped being a number after {step:,} steps"
                break
            optimizer.step()
            average.follow(step)
            step += 1
            losses.append(value)
            took = clock.seconds() - now
            if took > LONG_STEP and step > first + 1:  # the first one finds everything cold
                batch = max(LEAST_BATCH, batch // 2)
            elif took < LONG_STEP / 4:
                batch = min(recipe.batch_size, 2 * batch)
            # More often at first, when much changes.
            due = clock.seconds() - kept.looked_at >= min(seconds / MOMENTS, 0.5 + clock.seconds() / 10)
            stopped = should_stop()
            if (due or clock.seconds() >= begin + length) and not stopped:

                def go_on(name: str = phase.name) -> bool:
                    tell(name)
                    return not should_stop()

                fine = kept.look(clock.seconds(), step, phase.name, sum(losses) / len(losses), go_on)
                stopped = fine is None
                if fine is False:
                    trouble = f"The denoised pictures stopped being numbers after {step:,} steps"
                    break
                losses.clear()
            tell(phase.name)
        begin += length
        if stopped or trouble:
            break
    if kept.best is None or kept.best.step == 0:
        if trouble:
            raise LabError(f"{trouble}, before anything was learnt: start anew with a lower learning rate.")
        if step:  # stopped before the first look
            kept.look(clock.seconds(), step, phases[0].name, sum(losses) / max(1, len(losses)))
    if kept.best is None or kept.best.step == 0:
        raise LabError("Stopped before the first step: nothing was learnt, so nothing is kept.")
    if trouble:
        trouble += f": training ended there, and the best until then, of second {kept.best.seconds:.0f}, is kept."
    average.network.load_state_dict(kept.weights)
    return TimedResult(average.network, kept.best, progress(kept.best.phase), batch, trouble, stopped)


class _Clock:
    """Seconds, without those in which others compute."""

    def __init__(self) -> None:
        self._started, self._lost = time.monotonic(), 0.0

    def seconds(self) -> float:
        return time.monotonic() - self._started - self._lost

    def stands_still(self) -> _Clock:
        return self

    def __enter__(self) -> None:
        self._left = time.monotonic()

    def __exit__(self, *raised: object) -> None:
        self._lost += time.monotonic() - self._left


class _Kept:
    """The looks at the validation pictures, and the best weights."""

    def __init__(self, network: nn.Module, validation: Validation) -> None:
        self._network, self._validation = network, validation
        self.moments: list[Moment] = []
        self.looks: list[tuple[float, Tensor]] = []
        self.best: Moment | None = None
        self.weights = copy.deepcopy(network.state_dict())
        self.strip = validation.strip(network)
        self.looked_at = 0.0

    def look(self, seconds: float, step: int, phase: str, loss: float, go_on: Callable[[], bool] = lambda: True) -> bool | None:
        """Look at the averaged network; False where its pictures are no numbers, None where ``go_on`` said no."""
        measured = self._validation.measure(self._network, go_on)
        if measured is None:
            return None
        if not measured.finite:
            return False
        moment = Moment(seconds, step, phase, loss, measured)
        self.moments.append(moment)
        self.strip = self._validation.strip(self._network)
        self.looked_at = seconds
        if not self.looks or seconds >= max(0.5, 2 * self.looks[-1][0]):
            self.looks.append((seconds, self.strip))
        better = self.best is None or self.best.step == 0 or self.best.phase != phase
        if better or (self.best is not None and measured.score(phase) > self.best.measured.score(phase)):
            self.best = moment
            self.weights = copy.deepcopy(self._network.state_dict())
        return True
