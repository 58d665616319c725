"""Denoised smoothing: provably robust classification with any pretrained classifier.

>>> from core import load_classifier, load_denoiser, certify
"""

from core.errors import LabError
from core.models.load import load_classifier, load_denoiser
from core.smoothing.certificate import Certificate, Prediction
from core.smoothing.certify import certify, predict

__all__ = ["Certificate", "LabError", "Prediction", "certify", "load_classifier", "load_denoiser", "predict"]
