"""Denoised smoothing: provably robust classification with any pretrained classifier.

>>> from core import load_classifier, load_denoiser, certify
"""

from __future__ import annotations

from importlib import import_module
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


def __getattr__(name: str) -> Any:
    """Import on first use: torch takes seconds, and the app's first page shows a stored result without it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
