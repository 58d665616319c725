"""Whether a classifier can be trained through, and whether it knows the data set's classes: asked before training."""

from __future__ import annotations

from collections.abc import Sequence

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


@torch.inference_mode()
def check_classes(
    classifier: nn.Module,
    name: str,
    labels: Sequence[str] | None,
    classes: Sequence[str] | None,
    count: int,
    size: tuple[int, int],
    device: torch.device,
) -> str | None:
    """See that a classifier has as many classes as the data set; a sentence where only their names differ, else None.

    Args:
        classifier: on ``device``.
        name: for the sentence.
        labels: its class names, if it has any.
        classes: the data set's, if it has any.
        count: one more than the greatest label of the data set.
        size: (height, width) of the pictures.
        device: where it computes.

    Raises:
        LabError: where it has another number of classes.
    """
    outputs = classifier(torch.full((1, 3, *size), 0.5, device=device)).shape[-1]
    wanted = count if classes is None else max(count, len(classes))
    if outputs < wanted or (classes is not None and outputs != wanted):
        raise LabError(
            f"{name} tells {outputs} classes apart and the data set has {wanted}: choose a classifier of these classes, or a"
            " data set of its own."
        )
    if labels is not None and classes is not None and _plain(labels) != _plain(classes):
        return f"{name} and the data set do not name the same classes: the one-shot accuracy may mean nothing."
    return None


def _plain(names: Sequence[str]) -> list[str]:
    return [name.strip().lower() for name in names]
