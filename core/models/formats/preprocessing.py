"""A published classifier's preprocessing, made part of the classifier, so that noise and certificate live in [0, 1] pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALL_SIDE = 64
"""A network that takes no more than this has a size that CIFAR pictures can be certified at."""


@dataclass(frozen=True)
class Fitting:
    """How a library brings a picture to a network's size: it scales it, then cuts the middle out.

    Attributes:
        own_size: (height, width) that the network works at, which is what is cut out.
        scaled_to: (height, width) that the picture is scaled to before that; at least ``own_size``.
        keeps_shape: whether the picture only covers ``scaled_to``, its sides in proportion, or is squeezed into it.
        mode: ``bicubic`` or ``bilinear``; both with antialiasing, as in Pillow.
        floors: whether half of an odd margin is rounded down, as in transformers, or to an even number, as in torchvision.
    """

    own_size: tuple[int, int]
    scaled_to: tuple[int, int]
    keeps_shape: bool = True
    mode: str = "bicubic"
    floors: bool = False

    @property
    def share(self) -> float:
        """How much of a square picture's side the network sees."""
        return min(own / scaled for own, scaled in zip(self.own_size, self.scaled_to, strict=True))

    def __call__(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, *own_size), differentiably. A picture of that size has been cut already: it stays as it is."""
        height, width = int(pixels.shape[-2]), int(pixels.shape[-1])
        if (height, width) == self.own_size:
            return pixels
        to = self.scaled_to
        if self.keeps_shape:
            # Whole numbers: a float may fall just short of the side that is meant.
            wide = to[0] * width >= to[1] * height
            to = (to[0], to[0] * width // height) if wide else (to[1] * height // width, to[1])
        if to != (height, width):
            pixels = F.interpolate(pixels, to, mode=self.mode, align_corners=False, antialias=True)
        half = int if self.floors else round
        top, left = half((to[0] - self.own_size[0]) / 2), half((to[1] - self.own_size[1]) / 2)
        return pixels[..., top : top + self.own_size[0], left : left + self.own_size[1]]


class Prepared(nn.Module):
    """Pixels in [0, 1] -> brought to the network's own size -> normalised -> logits. Differentiable.

    Args:
        network: (B, 3, H, W) normalised -> (B, C) logits, or an object with ``logits``.
        mean, std: three numbers each, of [0, 1] pixels.
        fitting: how pictures of another size are brought to the network's.
        blue_first: whether the network takes blue, green, red; mean and std are in its order.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, mean: Sequence[float], std: Sequence[float], fitting: Fitting, *, blue_first: bool = False
    ) -> None:
        super().__init__()
        self.network, self.fitting, self.blue_first = network, fitting, blue_first
        self.register_buffer("mean", torch.tensor(list(mean), dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(list(std), dtype=torch.float32).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C)."""
        pixels = self.fitting(pixels)
        if self.blue_first:
            pixels = pixels.flip(1)
        out = self.network((pixels - self.mean) / self.std)
        logits: Tensor = getattr(out, "logits", out)
        return logits


def three(values: object, what: str) -> tuple[float, float, float]:
    """Mean or std as three finite numbers; a single one counts for every channel.

    Raises:
        LabError: where they are not that, or a std is not above 0.
    """
    listed = [values] * 3 if isinstance(values, int | float) else values
    if (
        not isinstance(listed, list | tuple)
        or len(listed) != 3
        or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in listed)
    ):
        raise LabError(f"The model's {what} is {values!r}: expected three numbers, one a colour.")
    if not all(abs(value) < 1e6 for value in listed) or (what == "std" and min(listed) <= 0):
        raise LabError(f"The model's {what} is {values!r}: expected usable numbers for [0, 1] pixels.")
    return float(listed[0]), float(listed[1]), float(listed[2])


def certification_size(
    fitting: Fitting, classes: int, assumed: str | None, labels: Sequence[str] | None, asked: tuple[int, int] | None
) -> tuple[tuple[int, int], list[str]]:
    """Where the noise goes: as asked; 32 x 32 for a CIFAR classifier that scales up inside (as in Carlini et al. 2022,
    section 4); else the network's own size. With a sentence where it is not simply its own.
    """
    own = fitting.own_size
    if asked is not None:
        return asked, [] if asked == own else [_scaled(asked, fitting, "as asked")]
    if max(own) > SMALL_SIDE and classes in (10, 100) and _of_cifar(classes, assumed, labels):
        return (32, 32), [_scaled((32, 32), fitting, "since its classes are CIFAR's")]
    return own, []


def _of_cifar(classes: int, assumed: str | None, labels: Sequence[str] | None) -> bool:
    """Whether the classes are CIFAR's; a few may be spelt in another way, such as car for automobile."""
    from core.models.labels import known_labels

    if assumed in ("CIFAR-10", "CIFAR-100"):
        return True
    known = known_labels(classes)
    if known is None or labels is None:
        return False
    named = {label.casefold().replace(" ", "_") for label in labels}
    return len(named & {label.casefold() for label in known[0]}) >= 0.8 * classes


def _scaled(size: tuple[int, int], fitting: Fitting, why: str) -> str:
    own = fitting.own_size
    seen = (
        "" if fitting.share >= 1 else f", of which it sees the middle {fitting.share:.0%} of each side, as its library does it"
    )
    return (
        f"Noise is added at {size[0]} x {size[1]} pixels, {why}, and the certificate holds there; the network itself works at"
        f" {own[0]} x {own[1]}, to which it scales inside{seen}."
    )
