"""Whether a model fits into the memory that is free, asked before it is loaded."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import LabError

COPIES = 2
"""While it is loaded a network is there twice: as read from the file, and as built."""


def free_memory() -> int | None:
    """Bytes that this process may still take, by the machine and by its container; None where the system does not say."""
    found = [_machine(), _container()]
    return min((count for count in found if count is not None), default=None)


def check_memory(name: str, weights_bytes: int) -> None:
    """See that a model of that size can be loaded.

    Raises:
        LabError: with what it needs and what is free.
    """
    free, needed = free_memory(), COPIES * weights_bytes
    if free is not None and needed > free:
        raise LabError(
            f"{name} needs {needed / 1e9:.1f} GB of memory to load and {free / 1e9:.1f} GB are free:"
            " choose a smaller model, or close other programs."
        )


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
