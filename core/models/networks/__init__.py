"""The network architectures that the project trains and bundles, by the names that config.json and the command line have.

Every classifier here takes pixels in [0, 1] and normalises them itself, so that noise is always added in pixel space.
Every denoiser takes ``(noisy, sigma)`` and returns pictures of the same shape.
"""

from typing import Any

from torch import nn

from core.errors import LabError, told_as
from core.models.networks.libraries import DRUNet, FFDNet, NoisePredictor
from core.models.networks.own import ConvClassifier, DnCNN, MemNet, UNetDenoiser, WideDnCNN

__all__ = ["CLASSIFIERS", "DENOISERS", "ConvClassifier", "DRUNet", "DnCNN", "FFDNet", "MemNet", "build"]
__all__ += ["NoisePredictor", "UNetDenoiser", "WideDnCNN"]

CLASSIFIERS: dict[str, type[nn.Module]] = {"conv": ConvClassifier}
DENOISERS: dict[str, type[nn.Module]] = {
    "unet": UNetDenoiser,
    "dncnn": DnCNN,
    "dncnn-wide": WideDnCNN,
    "memnet": MemNet,
    "drunet": DRUNet,
    "ffdnet": FFDNet,
    "unet2d": NoisePredictor,
}


def build(kind: str, architecture: str, options: dict[str, Any]) -> nn.Module:
    """Make an untrained network of an architecture in ``CLASSIFIERS`` or ``DENOISERS`` with options as config.json holds them.
    Raises LabError where the architecture is unknown, does not take these options, or its library is not installed."""
    known = CLASSIFIERS if kind == "classifier" else DENOISERS
    if architecture not in known:
        raise LabError(f"Unknown {kind} architecture {architecture!r}: choose one of {', '.join(known)}.")
    with told_as(f"The {kind} architecture {architecture!r} does not take these options"):
        return known[architecture](**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
