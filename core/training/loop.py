"""One training step, who computes it (one process, or one a device by Lightning Fabric), and the one loop that takes it.

What to learn from, when it ends, and what happens between two steps is a :class:`Course`: so many epochs
(:mod:`core.training.epochs`), or so much time (:mod:`core.training.timed`).
"""

import atexit
import copy
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.training.recipe import Recipe, autocast_type, make_optimizer
from core.training.validation import Moment

BatchLoss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]
"""(network, images (B, 3, H, W) float in [0, 1], labels (B,), CPU generator) -> scalar loss."""


@dataclass(frozen=True)
class TrainingProgress:
    """The state of a training after a step."""

    step: int  # so far
    loss: float  # mean over the epoch so far; of the step, where time is planned
    learning_rate: float
    seconds: float  # of computing
    seconds_left: float
    images_per_second: float = 0.0
    epoch: int = 0  # of ``epochs``; all 0 where time is planned
    epochs: int = 0
    steps: int = 0  # of all epochs
    measured: dict[str, float] = field(default_factory=dict)  # the averaged network's after the last epoch
    phase: str = ""  # the objective at work, where time is planned; then there are, too:
    moments: tuple[Moment, ...] = ()  # looks at the validation pictures
    best: Moment | None = None  # the one whose weights are kept
    strip: Tensor | None = None  # (K, 3, H, W) uint8, the first of them, denoised
    strips: tuple[tuple[float, Tensor], ...] = ()  # earlier ones, at doubling seconds
    remark: str = ""  # where a checkpoint could not be written


class Clock:
    """Seconds of computing, those ``before`` included: without those in which somebody is told, and others may compute."""

    def __init__(self, before: float = 0.0) -> None:
        self._started, self._lost = time.monotonic() - before, 0.0

    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._started - self._lost

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Within ``with`` no time passes."""
        left = time.monotonic()
        yield
        self._lost += time.monotonic() - left


class WeightAverage:
    """A copy of a network that follows it slowly: ``average <- decay * average + (1 - decay) * new`` after every step.

    The decay rises to its value over the first steps, ``min(decay, (1 + step) / (10 + step))``, so that the random weights of
    the beginning are soon forgotten. Batch norm's statistics are averaged likewise; counters are copied. ``network`` is the
    copy, in evaluation mode, without gradients.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        # Tensors change in place, in training and in load_state_dict alike, so that these lists stay true.
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._averages = [average for average, _ in pairs if average.dtype.is_floating_point]
        self._new = [new for average, new in pairs if average.dtype.is_floating_point]
        self._counters = [(average, new) for average, new in pairs if not average.dtype.is_floating_point]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move towards the network after its step number ``step``, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averages, self._new, 1 - decay)
        for counter, new in self._counters:
            counter.copy_(new)


class Workers:
    """Those who share each batch: here one alone, this process on one device."""

    rank: int = 0  # of this process; 0 writes files and speaks
    count: int = 1  # how many processes share a batch

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network as it is to be called in a step, so that gradients are averaged over all."""
        return network

    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss, averaged over all."""
        loss.backward()

    def mean(self, value: float) -> float:
        """The mean of a number over all."""
        return value

    def gather(self, tensor: Tensor) -> Tensor:
        """(count, ...): a CPU tensor of each."""
        return tensor.unsqueeze(0)


class FabricWorkers(Workers):
    """One process a device, as Lightning Fabric starts and connects them."""

    def __init__(self, fabric: Any) -> None:
        super().__init__(fabric.device)
        self._fabric, self.rank, self.count = fabric, fabric.global_rank, fabric.world_size

    def wrap(self, network: nn.Module) -> nn.Module:
        return self._fabric.setup_module(network, move_to_device=False)

    def backward(self, loss: Tensor) -> None:
        self._fabric.backward(loss)

    def mean(self, value: float) -> float:
        return float(self._fabric.all_reduce(torch.tensor(value, device=self.device), reduce_op="mean"))

    def gather(self, tensor: Tensor) -> Tensor:
        own = tensor.to(self.device)
        parts = [torch.empty_like(own) for _ in range(self.count)]
        torch.distributed.all_gather(parts, own)
        return torch.stack(parts).cpu()


def start_workers(count: int, device: torch.device) -> Workers:
    """Share the work among ``count`` devices of this machine, or processes on the CPU; they run this very command again.

    Raises LabError where there are not so many devices, or Lightning Fabric, which 1 does not need, is not installed.
    """
    if count < 1:
        raise LabError(f"--devices is {count}: expected at least 1.")
    if count == 1:
        return Workers(device)
    if device.type not in ("cuda", "cpu"):
        raise LabError(f"Several devices can share the work on CUDA or the CPU, and this is {device.type}: use --devices 1.")
    if device.type == "cuda" and count > torch.cuda.device_count():
        raise LabError(f"--devices is {count}, and torch sees {torch.cuda.device_count()} CUDA devices: ask for at most those.")
    try:
        fabric_class = import_module("lightning_fabric").Fabric
    except ModuleNotFoundError as error:
        raise LabError(
            f"Training on {count} devices needs Lightning Fabric: install it with '{sys.executable} -m pip install"
            " lightning-fabric', or use --devices 1."
        ) from error
    fabric = fabric_class(accelerator=device.type, devices=count, strategy="ddp", precision="32-true")
    fabric.launch()
    # Fabric takes leave of NCCL only. Gloo's threads, if left to the end of the process, may abort it (exit status -6).
    atexit.register(_leave_group)
    return FabricWorkers(fabric)


def _leave_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class Batch(NamedTuple):
    """What a step learns from: images (B, 3, H, W) uint8, labels (B,) int64, the objective, and the learning rate."""

    images: Tensor
    labels: Tensor
    loss: BatchLoss
    rate: float


class Learner:
    """A network with all that changes while it is trained; its ``average`` is what should be kept."""

    def __init__(self, network: nn.Module, recipe: Recipe, workers: Workers) -> None:
        self.recipe, self.workers, self.device = recipe, workers, workers.device
        self.network = network.to(self.device, memory_format=recipe.memory_format).train()  # type: ignore[call-overload]
        self.average = WeightAverage(self.network, recipe.ema)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "fp16")
        self.steps = 0
        self._trained = [p for p in self.network.parameters() if p.requires_grad]
        self.new_optimizer()

    def new_optimizer(self) -> None:
        """Begin with an optimiser that remembers nothing."""
        self.optimizer = make_optimizer(self._trained, self.recipe)

    def parts(self) -> dict[str, Any]:
        """What has a state to be saved, by its name in a checkpoint."""
        average = self.average.network
        return {"network": self.network, "average": average, "optimizer": self.optimizer, "scaler": self.scaler}

    def state(self) -> dict[str, Any]:
        """The states of :meth:`parts`, for a checkpoint."""
        return {name: part.state_dict() for name, part in self.parts().items()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Be as :meth:`state` was."""
        for name, part in self.parts().items():
            part.load_state_dict(saved[name])

    def step(self, called: nn.Module, batch: Batch) -> tuple[float, bool]:
        """One step with the network as ``called``: the loss, and whether all were numbers; where not, no weight changes."""
        for group in self.optimizer.param_groups:
            group["lr"] = batch.rate
        pixels, half = batch.images.to(self.device).float().div_(255), autocast_type(self.recipe)
        with torch.autocast(self.device.type, half, enabled=half is not None):
            loss = batch.loss(called, pixels, batch.labels.to(self.device), self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        self.workers.backward(self.scaler.scale(loss))
        finite = True
        if self.recipe.clip:
            self.scaler.unscale_(self.optimizer)
            norm = nn.utils.clip_grad_norm_(self._trained, self.recipe.clip)
            finite = self.scaler.is_enabled() or bool(torch.isfinite(norm))  # the scaler leaves such steps out by itself
        value = self.workers.mean(loss.item())
        if not finite or not math.isfinite(value):
            return value, False
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.follow(self.steps)
        self.steps += 1
        return value, True


class Course(Protocol):
    """What a training learns from, and when it ends."""

    def batches(self) -> Iterator[Batch]:
        """The batches still to come. What is to be done after a step is done when the next one is asked for."""

    def took(self, loss: float) -> None:
        """Count a step, and tell who listens."""

    def failed(self, loss: float) -> None:
        """Note that loss or gradients are no numbers: training ends there."""


def learn(learner: Learner, course: Course, should_stop: Callable[[], bool]) -> bool:
    """The training loop: a step on every batch; returns whether ``should_stop``, asked of every worker after each, ended it."""
    called = learner.workers.wrap(learner.network)
    for batch in course.batches():
        loss, finite = learner.step(called, batch)
        if not finite:
            course.failed(loss)
            return False
        course.took(loss)
        if learner.workers.mean(float(should_stop())) > 0:
            return True
    return False
