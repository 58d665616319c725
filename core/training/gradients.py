"""Whether a classifier can be trained through: asked before training."""

from __future__ import annotations

import torch
from torch import nn

from core.errors import LabError

OTHERWISE = "train with surrogates that stand in for it (--surrogate), or with --objective mse."


def check_gradients(
    classifier: nn.Module, name: str, size: tuple[int, int], device: torch.device, otherwise: str = OTHERWISE
) -> None:
    """See that gradients come back through a classifier to the pixels.

    Args:
        classifier: on ``device``.
        name: for the sentence.
        size: (height, width) of the pictures.
        device: where it computes.
        otherwise: what to do where there are none.

    Raises:
        LabError: where none do, or pictures of this size cannot be classified.
    """
    pixels = torch.rand((2, 3, *size), generator=torch.Generator().manual_seed(0)).to(device).requires_grad_(True)
    try:
        logits = classifier(pixels)
        found = torch.autograd.grad(logits.float().square().sum(), pixels)[0] if logits.requires_grad else None
    except RuntimeError as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"{name} cannot be trained through with pictures of {size[1]} x {size[0]} pixels: {first}") from error
    if found is None or not bool(torch.isfinite(found).all()) or not bool(found.any()):
        raise LabError(f"{name} gives no gradients, which training through it (white-box) needs: {otherwise}")
