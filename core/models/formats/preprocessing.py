"""A published classifier's preprocessing, made part of the classifier, so that noise and certificate live in [0, 1] pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError, told_as
from core.models.formats.listing import MAX_OWN_SIDE
from core.models.labels import NAME_LISTS, Names, are_cifars, labels_for
from core.models.network import LoadedNetwork

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
UNNAMED = "Nothing names its"
"""How the note begins that a classifier's classes have no names."""
SMALL_SIDE = 64
"""A network that takes no more than this has a size that CIFAR pictures can be certified at."""


@dataclass(frozen=True)
class Fitting:
    """How a library brings a picture to a network's size: it scales it, then cuts the middle, ``own_size``, out.

    Attributes:
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

    def __post_init__(self) -> None:
        if max(self.own_size) > MAX_OWN_SIDE or max(self.scaled_to) > 2 * MAX_OWN_SIDE:
            large = " x ".join(map(str, max(self.own_size, self.scaled_to)))
            raise LabError(f"The model scales pictures to {large} pixels: expected at most {MAX_OWN_SIDE:,} a side.")

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


@dataclass(frozen=True)
class Preprocessing:
    """What a library does to a picture before its network sees it.

    Attributes:
        mean, std: of [0, 1] pixels, in the order of the channels that the network takes.
        fitting: how a picture of another size is brought to the network's.
        blue_first: whether the network takes blue, green, red.
        notes: a sentence for each thing that was assumed or is not repeated exactly.
        scaling_notes: those that matter only where pictures are scaled inside.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fitting: Fitting
    blue_first: bool = False
    notes: tuple[str, ...] = ()
    scaling_notes: tuple[str, ...] = ()


class Prepared(nn.Module):
    """Pixels in [0, 1] -> brought to the network's own size -> normalised -> (B, C) logits, or an object with ``logits``.
    Differentiable."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network, self.fitting, self.blue_first = network, preprocessing.fitting, preprocessing.blue_first
        self.register_buffer("mean", torch.tensor(preprocessing.mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(preprocessing.std, dtype=torch.float32).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C)."""
        pixels = self.fitting(pixels)
        if self.blue_first:
            pixels = pixels.flip(1)
        out = self.network((pixels - self.mean) / self.std)
        logits: Tensor = getattr(out, "logits", out)
        return logits


def prepared(
    loaded: LoadedNetwork, preprocessing: Preprocessing, names: Names, *, classes: int, size: tuple[int, int] | None
) -> LoadedNetwork:
    """A classifier with its preprocessing inside, names of its ``classes`` from those that its config lists, and the size,
    (height, width), at which it is certified: ``size``, or what suits."""
    labels, said = labels_for(names, classes)
    fitting = preprocessing.fitting
    where, told = certification_size(fitting, labels, size)
    unnamed = [] if labels else [_unnamed(classes)]
    scaled = preprocessing.scaling_notes if where != fitting.own_size else ()
    network = Prepared(loaded.network, preprocessing)
    check_answer(network, where, labels)
    return replace(
        loaded,
        network=network,
        input_size=where,
        own_size=fitting.own_size,
        labels=labels,
        notes=(*preprocessing.notes, *loaded.notes, *said, *unnamed, *told, *scaled),
    )


def _unnamed(classes: int) -> str:
    of = [
        f" If they are {title}'s, say so: :{data} behind its reference."
        for data, (title, n) in NAME_LISTS.items()
        if n == classes
    ]
    return f"{UNNAMED} {classes:,} classes: they are told by number, from 0 on.{''.join(of)}"


def check_answer(network: nn.Module, size: tuple[int, int], labels: Sequence[str] | None) -> None:
    """See that a classifier gives one finite number a class for a picture, before anyone relies on what its files promise.
    Raises LabError where it cannot take a picture of three colours at its size, or what it gives are no logits."""
    picture = torch.linspace(0, 1, 3 * size[0] * size[1]).reshape(1, 3, *size)
    with told_as(f"The model does not take a picture of 3 x {size[0]} x {size[1]}"), torch.inference_mode():
        logits = network(picture)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[0] != 1 or logits.shape[1] < 2:
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise LabError(f"The model gives {shape} for one picture: expected one number a class, of at least two.")
    if not bool(logits.isfinite().all()):
        raise LabError("The model's outputs are not finite numbers, as damaged weights give: expected a finite number a class.")
    if labels is not None and len(labels) != logits.shape[1]:
        raise LabError(f"The model gives {logits.shape[1]} numbers for its {len(labels)} classes: its files contradict.")


def colours(settings: Mapping[str, Any]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std that a config names, else ImageNet's. Raises LabError as :func:`three`."""
    return three(settings.get("mean", IMAGENET_MEAN), "mean"), three(settings.get("std", IMAGENET_STD), "std")


def three(values: object, what: str) -> tuple[float, float, float]:
    """Mean or std as three finite numbers; a single one counts for every channel.
    Raises LabError where they are not that, or a std is not above 0."""
    listed = [values] * 3 if isinstance(values, int | float) else values
    if not isinstance(listed, list | tuple) or len(listed) != 3 or any(type(value) not in (int, float) for value in listed):
        raise LabError(f"The model's {what} is {values!r}: expected three numbers, one a colour.")
    if not all(abs(value) < 1e6 for value in listed) or (what == "std" and min(listed) <= 0):
        raise LabError(f"The model's {what} is {values!r}: expected usable numbers for [0, 1] pixels.")
    return float(listed[0]), float(listed[1]), float(listed[2])


def own_sides(given: int | Sequence[int] | None) -> tuple[int, int] | None:
    """(height, width) that a config's ``input_size`` names: a side, both sides, or channels and sides; None for none.
    Raises LabError where the network takes other pictures than those of three colours."""
    if given is None or isinstance(given, int):
        return None if given is None else (given, given)
    if len(given) == 3 and given[0] != 3:
        raise LabError(f"The model takes {given[0]} colour channels: expected 3.")
    return given[-2], given[-1]


def certification_size(
    fitting: Fitting, labels: Sequence[str] | None, asked: tuple[int, int] | None
) -> tuple[tuple[int, int], list[str]]:
    """Where the noise goes: as asked; 32 x 32 for a CIFAR classifier that scales up inside (as in Carlini et al. 2022,
    section 4); else the network's own size. With a sentence where it is not simply its own.
    """
    own = fitting.own_size
    if asked is not None:
        return asked, [] if asked == own else [_scaled(asked, fitting, "as asked")]
    if max(own) > SMALL_SIDE and are_cifars(labels):
        return (32, 32), [_scaled((32, 32), fitting, "since its classes are CIFAR's")]
    return own, []


def _scaled(size: tuple[int, int], fitting: Fitting, why: str) -> str:
    own = fitting.own_size
    cut = f", of which it sees the middle {fitting.share:.0%} of each side, as its library does it"
    seen = cut if fitting.share < 1 else ""
    return (
        f"Noise is added at {size[0]} x {size[1]} pixels, {why}, and the certificate holds there; the network itself works at"
        f" {own[0]} x {own[1]}, to which it scales inside{seen}."
    )
