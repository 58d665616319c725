"""Denoised smoothing: certified classification with any pretrained classifier.

>>> from core import load_classifier, load_denoiser, certify
"""

from __future__ import annotations

import math
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.errors import LabError
    from core.models.load import load_classifier, load_denoiser
    from core.smoothing.certificate import Certificate, Prediction
    from core.smoothing.certify import certify, predict

__all__ = ["Certificate", "LabError", "Prediction", "certify", "load_classifier", "load_denoiser", "predict"]

_HOMES = {
    "Certificate": "core.smoothing.certificate",
    "LabError": "core.errors",
    "Prediction": "core.smoothing.certificate",
    "certify": "core.smoothing.certify",
    "load_classifier": "core.models.load",
    "load_denoiser": "core.models.load",
    "predict": "core.smoothing.certify",
}

_QUOTA = "/sys/fs/cgroup/cpu.max"


def _before_torch(quota_file: str = _QUOTA) -> None:
    """What torch's threads read as it loads, unless the user says otherwise; this module is what every program loads first.

    Threads that wait sleep. By default they spin, for 50 ms and more, on cores that other programs want, and the one thread
    that has work then waits for a core. And there are no more of them than the container may use cores at a time.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # GNU's threads, of Linux
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # Intel's and LLVM's
    try:
        quota, period = (int(number) for number in Path(quota_file).read_text().split())
    except (OSError, ValueError):  # no such file, or no limit: "max"
        return
    cores = max(1, math.ceil(quota / period))
    if cores < (os.cpu_count() or 1):
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))


_before_torch()


def __getattr__(name: str) -> Any:
    """Import on first use: torch takes seconds, and the app's first page shows a stored result without it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
