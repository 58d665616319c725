"""Balls of a norm around a picture, cut off at [0, 1]: lengths, projections, and changes of exactly a given length.

Pictures are (3, H, W) in [0, 1]; lengths are in the same units and taken in float64.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.attacks.request import check_norm, check_radius
from core.errors import LabError

ORDERS = {"l2": 2.0, "linf": math.inf, "l1": 1.0}  # of the norms, as torch.linalg takes them
_HALVINGS = 60


def length(change: Tensor, norm: str) -> float:
    """Length of a change of any shape, in float64."""
    check_norm(norm)
    return float(torch.linalg.vector_norm(_double(change), ORDERS[norm]))


def distance(picture: Tensor, image: Tensor, norm: str) -> float:
    """Length of the change from ``image`` to ``picture``; the difference, too, is taken in float64."""
    return length(_double(picture) - _double(image), norm)


def gaussian_like(picture: Tensor, rng: np.random.Generator) -> Tensor:
    """Standard Gaussian numbers of a picture's shape and type, on its device."""
    return torch.from_numpy(rng.standard_normal(tuple(picture.shape)).astype(np.float32)).to(picture)


def farthest(image: Tensor, norm: str) -> float:
    """How far the farthest picture in [0, 1] lies."""
    return length(torch.maximum(image, 1 - image), norm)


@dataclass(frozen=True, eq=False)
class Ball:
    """The pictures in [0, 1] that are at most ``radius``, above 0, from ``image``, (3, H, W), in one of :data:`NORMS`.

    Raises LabError where there is no such norm or radius.
    """

    image: Tensor
    norm: str
    radius: float

    def __post_init__(self) -> None:
        check_norm(self.norm)
        check_radius(self.radius)

    def project(self, change: Tensor) -> Tensor:
        """The nearest change (in l2) to a picture within, (3, H, W) like ``change``.

        Exact on the intersection of ball and box, not one after the other. By the Karush-Kuhn-Tucker conditions it is the
        change clipped to the ball (linf), scaled (l2) or soft-thresholded (l1) by one number, from bisection, and to the box.
        """
        wide = _double(change)
        low, high = self._room
        if self.norm == "linf":
            near = wide.clamp(-self.radius, self.radius).clamp(low, high)
        elif length(wide.clamp(low, high), self.norm) <= self.radius:
            near = wide.clamp(low, high)
        elif self.norm == "l2":
            near = self._longest(lambda scale: (wide * scale).clamp(low, high), 1.0)
        else:
            most = float(wide.abs().max())
            signs, sizes = wide.sign(), wide.abs()
            near = self._longest(lambda left: (signs * (sizes - most + left).clamp_min(0)).clamp(low, high), most)
        return near.to(change)

    def stretched(self, direction: Tensor) -> Tensor:
        """The change along a direction, ``radius`` long once clipped to [0, 1]. Raises LabError where that has no room."""
        wide = _double(direction)
        low, high = self._room
        greatest = float(wide.abs().max())
        room = length(torch.where(wide > 0, high, torch.where(wide < 0, low, torch.zeros_like(wide))), self.norm)
        if room < self.radius:
            raise LabError(
                f"A change of {self.norm} length {self.radius:g} has no room in [0, 1] here: at most {room:.4g} fits;"
                " choose a smaller radius."
            )
        wide = wide / greatest
        scale = 1.0
        while length((wide * scale).clamp(low, high), self.norm) < self.radius and scale < 2.0**40:
            scale *= 2
        return self._longest(lambda t: (wide * t).clamp(low, high), scale).to(direction)

    def to_border(self, change: Tensor) -> Tensor:
        """A change scaled to ``radius``, then put into ball and box: shorter where [0, 1] has no room for more."""
        size = distance(self.image + change, self.image, self.norm)
        return self.project(torch.mul(change, self.radius / size if size else 1.0))

    def picture(self, change: Tensor) -> Tensor:
        """The changed picture, (3, H, W) float32 in [0, 1], never farther than ``radius`` away after all rounding."""
        wide, base = _double(change), _double(self.image)
        shrink = 1.0
        for doubling in range(40):
            picture = (base + wide * shrink).clamp(0, 1).float().to(self.image.device)
            reached = distance(picture, self.image, self.norm)
            if reached <= self.radius:
                return picture
            shrink *= self.radius / reached * (1 - 1e-8 * 2**doubling)
        return self.image.clone()

    @property
    def _room(self) -> tuple[Tensor, Tensor]:
        return -_double(self.image), 1 - _double(self.image)

    def _longest(self, change: Callable[[float], Tensor], high: float) -> Tensor:
        """The change with the greatest number in [0, high] at which it is within; it is longer the greater the number is."""
        low = 0.0
        if length(change(high), self.norm) <= self.radius:
            return change(high)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if not low < middle < high:
                break
            if length(change(middle), self.norm) <= self.radius:
                low = middle
            else:
                high = middle
        return change(low)


def _double(values: Tensor) -> Tensor:
    # Apple's GPUs have no float64.
    return values.detach().cpu().double() if values.device.type == "mps" else values.detach().double()
