"""How far the features that a classifier sees in a denoised picture are from those of the clean one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import LabError

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def feature_layers(classifier: nn.Module) -> list[nn.Module]:
    """The layers whose outputs are a classifier's features: all that normalise, or all convolutions where none does.

    Raises:
        LabError: where there are neither.
    """
    for kinds in (_NORMS, _CONVOLUTIONS):
        found: list[nn.Module] = [layer for layer in classifier.modules() if isinstance(layer, kinds)]
        if found:
            return found
    raise LabError(
        f"{type(classifier).__name__} has no layers that normalise or convolve, and so no features to compare: leave features"
        " out, or give them the weight 0."
    )


def answer_with_features(classifier: nn.Module, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The logits (B, classes), and each output of :func:`feature_layers`, (B, ...), in the order of the forward pass.

    Other threads may ask the same classifier meanwhile.
    """
    features: list[Tensor] = []
    here = threading.get_ident()

    def note(layer: nn.Module, args: Any, output: Tensor) -> None:
        if threading.get_ident() == here:
            features.append(output)

    hooks = [layer.register_forward_hook(note) for layer in feature_layers(classifier)]
    try:
        return classifier(pixels), features
    finally:
        for hook in hooks:
            hook.remove()


def feature_distance(denoised: Sequence[Tensor], clean: Sequence[Tensor]) -> Tensor:
    """Mean over layers of the squared difference over the variance of the clean features; 1 is as far as a constant.

    The idea is that of Liao et al. (2018, arXiv 1712.02976, "high-level representation guided denoiser"), who compare the
    last layer, and whose denoisers thereby transferred to other classifiers.

    Args:
        denoised: (draws * B, ...) each, all pictures and then all again ...
        clean: (B, ...) each, without gradients.
    """
    distances = []
    for one, other in zip(denoised, clean, strict=True):
        wanted = other.float()
        error = one.float().unflatten(0, (-1, len(wanted))) - wanted
        distances.append(error.square().mean() / wanted.var().clamp_min(1e-8))
    return torch.stack(distances).mean()
