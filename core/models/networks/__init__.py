"""The network architectures that the project trains and bundles.

Every classifier here takes pixels in [0, 1] and normalises them itself, so that noise is always added in pixel space.
Every denoiser takes ``(noisy, sigma)`` and returns pictures of the same shape.
"""

from core.models.networks.conv import ConvClassifier
from core.models.networks.dncnn import DnCNN, WideDnCNN
from core.models.networks.libraries import DRUNet, FFDNet, NoisePredictor
from core.models.networks.memnet import MemNet
from core.models.networks.registry import CLASSIFIERS, DENOISERS, build
from core.models.networks.unet import UNetDenoiser

__all__ = [
    "CLASSIFIERS",
    "DENOISERS",
    "ConvClassifier",
    "DRUNet",
    "DnCNN",
    "FFDNet",
    "MemNet",
    "NoisePredictor",
    "UNetDenoiser",
    "WideDnCNN",
    "build",
]
