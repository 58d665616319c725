"""Which device computes."""

from __future__ import annotations

import torch

from core.errors import LabError

DEVICES = ("auto", "cuda", "mps", "cpu")


def pick_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cuda``, ``cuda:1``, ``mps`` or ``cpu`` into a device that is there.

    Raises:
        LabError: where the name is unknown or the device is not there.
    """
    kind, _, number = name.partition(":")
    if kind not in DEVICES or (number and not (kind == "cuda" and number.isdigit())):
        raise LabError(f"Unknown device {name!r}: choose auto, cuda, mps or cpu.")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(kind)
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise LabError(f"There is no device {name!r}: torch sees {torch.cuda.device_count()} CUDA devices; use auto or cpu.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise LabError("There is no device 'mps' on this machine: use auto or cpu.")
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """A name a person recognises: the GPU's model, or the number of CPU threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return "Apple GPU" if device.type == "mps" else f"CPU, {threads} thread{'s' if threads > 1 else ''}"
