"""Which device computes, and how much memory there is for it."""

import os
from pathlib import Path

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


def memory_left() -> int | None:
    """Bytes that this process may still take, by the machine and by its container; None where the system does not say."""
    found = [_machine(), _container()]
    return min((count for count in found if count is not None), default=None)


def _machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):  # not Linux
        return None


def _container() -> int | None:
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
        statistics = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    # What files left in the page cache is given back when it is needed.
    return None if limit == "max" else max(int(limit) - used + int(statistics.get("inactive_file", 0)), 0)
