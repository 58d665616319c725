"""One training loop for classifiers and denoisers: EMA, warm-up and cosine, checkpoints, resume, progress with time left."""

from __future__ import annotations

import copy
import math
import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from core.errors import LabError

BatchLoss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]
"""(network, images (B, 3, H, W) float in [0, 1], labels (B,), CPU generator) -> scalar loss."""

Stated = str | float | bool | None
"""What a checkpoint can state of a run beside the recipe: objective, sigmas, fingerprints of networks and data."""


@dataclass(frozen=True)
class Recipe:
    """How long and how a network is trained; everything a rerun needs beside data and objective."""

    epochs: int = 20
    batch_size: int = 256
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup: float = 0.1
    ema: float = 0.999
    clip: float = 1.0
    precision: str = "float32"
    seed: int = 0


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


def fit(
    network: nn.Module,
    batch_loss: BatchLoss,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    device: torch.device,
    checkpoint: Path | None = None,
    resume: bool = False,
    made_for: Mapping[str, Stated] | None = None,
    measure: Callable[[nn.Module], dict[str, float]] | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_trouble: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train ``network`` in place and return its exponential moving average, which is what should be kept.

    Args:
        network: on any device; moved to ``device``.
        batch_loss: the objective on one batch of pictures already scaled to [0, 1].
        images: (N, 3, H, W) uint8.
        labels: (N,) int64.
        recipe: optimiser, schedule, precision, seed.
        device: where to compute.
        checkpoint: file rewritten after every epoch; None writes none.
        resume: go on from ``checkpoint`` where it exists; its recipe and what it was made for must be these.
        made_for: what else decides the run (objective, data ...), by names that are shown to the user.
        measure: figures of the averaged network after an epoch, on held-out pictures.
        on_progress: called after every step.
        on_trouble: told in a sentence where the loss stops being a number; what the last finished epoch left is then returned.
        should_stop: asked after every step; a stop keeps the averaged network so far.

    Returns:
        the averaged network in evaluation mode, and a row of figures for every finished epoch.

    Raises:
        LabError: where the checkpoint belongs to another run; or where the loss stops being a number before an epoch was
            finished, or with nobody to tell.
    """
    if recipe.precision not in ("float32", "bfloat16"):
        raise LabError(f"Unknown precision {recipe.precision!r}: choose float32 or bfloat16.")
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval().requires_grad_(False)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = _optimizer(trained, recipe)
    steps_per_epoch = max(1, len(images) // recipe.batch_size)
    total = steps_per_epoch * recipe.epochs
    history: list[dict[str, float]] = []
    first_epoch = 0
    stated: dict[str, Stated] = dict(made_for or {}) | asdict(recipe)
    if resume and checkpoint is not None and checkpoint.exists():
        try:
            saved = torch.load(checkpoint, map_location=device, weights_only=True)
            _refuse_another_run(checkpoint, saved["stated"], stated)
            network.load_state_dict(saved["network"])
            average.load_state_dict(saved["average"])
            optimizer.load_state_dict(saved["optimizer"])
            first_epoch, history = saved["epoch"], saved["history"]
        except LabError:
            raise
        except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError, EOFError) as error:
            raise LabError(
                f"{str(checkpoint)!r} is damaged, or of another network or version: remove it, or leave out --resume."
            ) from error

    good = copy.deepcopy(average.state_dict())
    generator = torch.Generator()
    started, done_before = time.monotonic(), first_epoch * steps_per_epoch
    for epoch in range(first_epoch, recipe.epochs):
        # Seeded anew each epoch, so that a resumed run draws exactly what an unbroken one would.
        generator.manual_seed(recipe.seed * 100_003 + epoch)
        losses = 0.0
        for row, batch in enumerate(_batches(len(images), recipe.batch_size, generator)):
            step = epoch * steps_per_epoch + row
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * _schedule(step / total, recipe.warmup)
            x = images[batch].to(device).float().div_(255)
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
                loss = batch_loss(network, x, labels[batch].to(device), generator)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if recipe.clip:
                nn.utils.clip_grad_norm_(trained, recipe.clip)
            value = loss.item()
            if not math.isfinite(value):
                trouble = f"The loss became {value} in epoch {epoch + 1}"
                if not history or on_trouble is None:
                    raise LabError(f"{trouble}: start anew with a lower learning rate.")
                average.load_state_dict(good)
                on_trouble(
                    f"{trouble}: training ended there and what epoch {epoch} left is kept;"
                    " a lower learning rate may get further."
                )
                return average, history
            optimizer.step()
            _update_average(average, network, min(recipe.ema, (1 + step) / (10 + step)))
            losses += value
            if on_progress is not None:
                seconds = (time.monotonic() - started) / (step + 1 - done_before)
                on_progress(
                    TrainingProgress(
                        epoch + 1, recipe.epochs, step + 1, total, losses / (row + 1),
                        recipe.batch_size / seconds, seconds * (total - step - 1), history[-1] if history else {},
                    )
                )  # fmt: skip
            if should_stop():
                return average, history
        history.append({"epoch": epoch + 1, "loss": losses / steps_per_epoch} | (measure(average) if measure else {}))
        good = copy.deepcopy(average.state_dict())
        if checkpoint is not None:
            _write_checkpoint(checkpoint, network, average, optimizer, epoch + 1, history, stated)
    return average, history


def _optimizer(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    # Norms and biases are not decayed: they are one-dimensional.
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    raise LabError(f"Unknown optimizer {recipe.optimizer!r}: choose sgd or adamw.")


def _schedule(done: float, warmup: float) -> float:
    """Linear warm-up, then half a cosine down to 2% of the peak."""
    if done < warmup:
        return (done + 1e-3) / warmup
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def _batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    order = torch.randperm(count, generator=generator)
    for start in range(0, max(1, count // size) * size, size):
        yield order[start : start + size]


@torch.no_grad()
def _update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _refuse_another_run(path: Path, then: dict[str, Stated], now: dict[str, Stated]) -> None:
    """Raise a LabError that names what differs between what the checkpoint states and the run that would resume it."""
    missing = object()
    differing = [
        f"{name} ({_told(then.get(name))}, now {_told(now.get(name))})"
        for name in [*now, *(name for name in then if name not in now)]
        if then.get(name, missing) != now.get(name, missing)
    ]
    if differing:
        raise LabError(f"{str(path)!r} was made with another {', '.join(differing)}: use the same, or start anew.")


def _told(value: Stated) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _write_checkpoint(
    path: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    history: list[dict[str, float]],
    stated: dict[str, Stated],
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(
        {
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epoch": epoch,
            "history": history,
            "stated": stated,
        },
        part,
    )
    part.replace(path)
