"""A program run with a disk of its own, so small that it is soon full, or one that cannot be written to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run_on_disk(folder: Path, code: str, kilobytes: int, *, before: str = "pass", read_only: bool = False) -> str:
    """What Python prints for ``code``, with LAB_HOME on a disk of so many kilobytes.

    Args:
        folder: where it is mounted, for this program alone.
        before: code that runs first, while the disk can be written to.
        read_only: whether it cannot be written to after that.

    The test is skipped where a user may not mount anything in a namespace of their own.
    """
    isolated = ["unshare", "--map-root-user", "--mount"]
    try:
        allowed = subprocess.run([*isolated, "mount", "-t", "tmpfs", "none", str(folder)], capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if allowed.returncode:
        pytest.skip("no disk can be mounted here for one program alone")
    steps = [f"mount -t tmpfs -o size={kilobytes}k none '{folder}'", f"'{sys.executable}' -c \"$BEFORE\""]
    steps += [f"mount -o remount,ro '{folder}'"] if read_only else []
    steps += [f"exec '{sys.executable}' -W error::ResourceWarning -c \"$CODE\""]
    environment = {**os.environ, "LAB_HOME": str(folder), "BEFORE": before, "CODE": code, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("LAB_STORE", None)
    done = subprocess.run(
        [*isolated, "sh", "-c", " && ".join(steps)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
