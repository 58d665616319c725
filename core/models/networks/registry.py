"""Architectures by name, as config.json and the command line have them."""

from __future__ import annotations

from typing import Any

from torch import nn

from core.errors import LabError
from core.models.networks.conv import ConvClassifier
from core.models.networks.dncnn import DnCNN, WideDnCNN
from core.models.networks.libraries import DRUNet, FFDNet, NoisePredictor
from core.models.networks.memnet import MemNet
from core.models.networks.unet import UNetDenoiser

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
    """Make an untrained network of a registered architecture.

    Args:
        kind: ``classifier`` or ``denoiser``.
        architecture: a name in ``CLASSIFIERS`` or ``DENOISERS``.
        options: keyword arguments of that architecture, as a model's config.json holds them.

    Raises:
        LabError: where the architecture is unknown, does not take these options, or its library is not installed.
    """
    known = CLASSIFIERS if kind == "classifier" else DENOISERS
    if architecture not in known:
        raise LabError(f"Unknown {kind} architecture {architecture!r}: choose one of {', '.join(known)}.")
    try:
        return known[architecture](**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
    except LabError:
        raise
    except (TypeError, ValueError, IndexError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"The {kind} architecture {architecture!r} does not take these options: {first}") from error
