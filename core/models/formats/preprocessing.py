"""A published classifier's preprocessing, made part of the classifier, so that noise and certificate live in [0, 1] pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL_SIDE = 64
"""A network that takes no more than this has a size that CIFAR pictures can be certified at."""


class Prepared(nn.Module):
    """Pixels in [0, 1] -> resized where they have not the network's own size -> normalised -> logits. Differentiable.

    Args:
        network: (B, 3, H, W) normalised -> (B, C) logits, or an object with ``logits``.
        mean, std: three numbers each, of [0, 1] pixels.
        own_size: (height, width) that the network works at.
        mode: ``bicubic`` or ``bilinear``; both with antialiasing.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, mean: Sequence[float], std: Sequence[float], own_size: tuple[int, int], mode: str = "bicubic"
    ) -> None:
        super().__init__()
        self.network, self.own_size, self.mode = network, own_size, mode
        self.register_buffer("mean", torch.tensor(list(mean), dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(list(std), dtype=torch.float32).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C)."""
        if tuple(pixels.shape[-2:]) != self.own_size:
            pixels = F.interpolate(pixels, self.own_size, mode=self.mode, align_corners=False, antialias=True)
        out = self.network((pixels - self.mean) / self.std)
        logits: Tensor = getattr(out, "logits", out)
        return logits


def three(values: object, what: str) -> tuple[float, float, float]:
    """Mean or std as three finite numbers; a single one counts for every channel.

    Raises:
        LabError: where they are not that, or a std is not above 0.
    """
    listed = [values] * 3 if isinstance(values, int | float) else values
    if not isinstance(listed, list | tuple) or len(listed) != 3:
        raise LabError(f"The model's {what} is {values!r}: expected three numbers, one a colour.")
    numbers = tuple(float(value) for value in listed)
    if not all(abs(number) < 1e6 for number in numbers) or (what == "std" and min(numbers) <= 0):
        raise LabError(f"The model's {what} is {values!r}: expected usable numbers for [0, 1] pixels.")
    return numbers[0], numbers[1], numbers[2]


def certification_size(
    own: tuple[int, int], classes: int, assumed: str | None, labels: Sequence[str] | None, asked: tuple[int, int] | None
) -> tuple[tuple[int, int], str | None]:
    """Where the noise goes: as asked; 32 x 32 for a CIFAR classifier that scales up inside (as in Carlini et al. 2022,
    section 4); else the network's own size. With a sentence where it is not simply its own.
    """
    if asked is not None:
        note = None if asked == own else _scaled(asked, own, "as asked")
        return asked, note
    if max(own) > SMALL_SIDE and classes in (10, 100) and _of_cifar(classes, assumed, labels):
        return (32, 32), _scaled((32, 32), own, "since its classes are CIFAR's")
    return own, None


def _of_cifar(classes: int, assumed: str | None, labels: Sequence[str] | None) -> bool:
    from core.models.formats.labels import known_labels

    if assumed in ("CIFAR-10", "CIFAR-100"):
        return True
    known = known_labels(classes)
    return known is not None and labels is not None and {n.casefold() for n in labels} == {n.casefold() for n in known[0]}


def _scaled(size: tuple[int, int], own: tuple[int, int], why: str) -> str:
    return (
        f"Noise is added at {size[0]} x {size[1]} pixels, {why}, and the certificate holds there; the network itself works at"
        f" {own[0]} x {own[1]}, to which it scales inside."
    )
