"""Curves for TensorBoard, which is an optional package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.training.loop import TrainingProgress


class TensorBoardLog:
    """A listener for :func:`core.training.loop.fit` that writes loss, learning rate, speed and held-out figures.

    Args:
        folder: where the events go; made where it is missing.
        every: steps between points of the loss.

    Raises:
        LabError: where TensorBoard is not installed, or the folder cannot be written to.
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
        """Take note of one step."""
        if self._writer is None:  # a resumed run writes over what a killed one had beyond its checkpoint
            self._writer = self._make(str(self._folder), purge_step=progress.step)
        if progress.step % self._every == 0 or progress.step == progress.steps:
            self._writer.add_scalar("loss", progress.loss, progress.step)
            self._writer.add_scalar("learning rate", progress.learning_rate, progress.step)
            self._writer.add_scalar("images per second", progress.images_per_second, progress.step)
        if progress.measured != self._written:
            self._figures(progress.measured, progress.step - 1)

    def close(self, history: list[dict[str, float]], step: int | None = None) -> None:
        """Write the last epoch's figures, and end."""
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
