"""Checkpoints: written whole or not at all, and read back by the run they belong to alone."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from core.errors import LabError

Stated = str | float | bool | None
"""What a checkpoint can state of a run beside the recipe: objective, sigmas, fingerprints of networks and data."""


class CheckpointWriteError(LabError):
    """A checkpoint could not be written; the one before it is as it was."""


def write_checkpoint(path: Path, contents: Mapping[str, Any]) -> None:
    """Write beside ``path`` first and then in its place, so that a kill or a full disk leaves the last good one.

    Raises:
        CheckpointWriteError: where it cannot be written.
    """
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
    """Read what :func:`write_checkpoint` wrote, with its tensors on ``device``.

    Args:
        path: the file.
        device: where tensors go.
        stated: what the run that asks is; the checkpoint's ``stated`` must be the same.

    Raises:
        LabError: where the file is damaged, or another run's.
    """
    try:
        saved: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        then = dict(saved["stated"])
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError, EOFError, OSError) as error:
        raise damaged(path) from error
    _refuse_another_run(path, then, stated)
    return saved


def damaged(path: Path) -> LabError:
    """The error for a checkpoint that cannot be used."""
    return LabError(f"{str(path)!r} is damaged, or of another network or version: remove it, or leave out --resume.")


def _refuse_another_run(path: Path, then: Mapping[str, Stated], now: Mapping[str, Stated]) -> None:
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
