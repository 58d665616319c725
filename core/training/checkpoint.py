"""What a training writes on its way: checkpoints, whole or not at all, for the run they belong to alone; and curves."""

import hashlib
import pickle
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.training.loop import TrainingProgress

Stated = str | float | bool | None
"""What a checkpoint can state of a run beside the recipe: objective, sigmas, fingerprints of networks and data."""


class CheckpointWriteError(LabError):
    """A checkpoint could not be written; the one before it is as it was."""


def write_checkpoint(path: Path, contents: Mapping[str, Any]) -> None:
    """Write beside ``path``, then in its place: a kill leaves the last good one. Raises CheckpointWriteError if that fails."""
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(contents), part)
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch's own writer raises RuntimeError where the disk is full
        try:
            part.unlink(missing_ok=True)
        except OSError:  # a disk that cannot be written to may not forget a file either
            kept = "what lies there may be incomplete"
        else:
            kept = "the one before it is kept" if path.exists() else "there is none yet"
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise CheckpointWriteError(
            f"The checkpoint {str(path)!r} cannot be written ({why}), and {kept}: is the disk full?"
        ) from error


def read_checkpoint(path: Path, device: torch.device, stated: Mapping[str, Stated]) -> dict[str, Any]:
    """What :func:`write_checkpoint` wrote, on ``device``. Raises LabError where it is damaged, or another run ``stated`` it."""
    with restoring(path):
        saved: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        then, missing = dict(saved["stated"]), object()
    differing = [
        f"{name} ({_told(then.get(name))}, now {_told(stated.get(name))})"
        for name in {**stated, **then}
        if then.get(name, missing) != stated.get(name, missing)
    ]
    if differing:
        raise LabError(f"{str(path)!r} was made with another {', '.join(differing)}: use the same, or start anew.")
    return saved


@contextmanager
def restoring(path: Path) -> Iterator[None]:
    """Within ``with``, what cannot be taken from a checkpoint is told as a LabError."""
    try:
        yield
    except (pickle.UnpicklingError, RuntimeError, LookupError, TypeError, ValueError, EOFError, OSError) as error:
        raise LabError(f"{str(path)!r} is damaged, or of another network or version: begin anew without it.") from error


def _told(value: Stated) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def fingerprint(*tensors: Tensor) -> str:
    """Twelve hex digits of the sha256 over types, shapes and bytes; the same on every device and in every memory layout."""
    digest = hashlib.sha256()
    for tensor in tensors:
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]


def weights_fingerprint(network: nn.Module) -> str:
    """The :func:`fingerprint` of everything a network keeps: weights and buffers, in their order."""
    return fingerprint(*network.state_dict().values())


class TensorBoardLog:
    """A listener for :class:`core.training.epochs.Trainer`: loss (each ``every`` steps), rate, speed and held-out figures.

    Raises LabError where TensorBoard is not installed, or the folder, which is made, cannot be written to.
    """

    def __init__(self, folder: Path, every: int = 10) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise LabError(
                f"Logs for TensorBoard need its package: install it with '{sys.executable} -m pip install tensorboard', or"
                " leave out --tensorboard."
            ) from error
        self._make, self._folder, self._every = SummaryWriter, folder, every
        self._writer: Any = None
        self._written: dict[str, float] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(f"--tensorboard {str(folder)!r} cannot be written to ({error.strerror}): name another.") from error

    def __call__(self, progress: TrainingProgress) -> None:
        if self._writer is None:  # a resumed run writes over what a killed one had beyond its checkpoint
            self._writer = self._make(str(self._folder), purge_step=progress.step)
        if progress.step % self._every == 0 or progress.step == progress.steps:
            self._writer.add_scalar("loss", progress.loss, progress.step)
            self._writer.add_scalar("learning rate", progress.learning_rate, progress.step)
            self._writer.add_scalar("images per second", progress.images_per_second, progress.step)
        if progress.measured != self._written:
            self._figures(progress.measured, progress.step - 1)

    def close(self, history: list[dict[str, float]], step: int | None = None) -> None:
        if self._writer is None:
            return
        if history and history[-1] != self._written and step is not None:
            self._figures(history[-1], step)
        self._writer.close()

    def _figures(self, measured: dict[str, float], step: int) -> None:
        self._written = dict(measured)
        for name, value in measured.items():
            if name not in ("epoch", "loss"):
                self._writer.add_scalar(f"held out/{name}", value, step)
