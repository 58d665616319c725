"""Balls of a norm around a picture, cut off at [0, 1]: lengths, projections, and changes of exactly a given length.

Pictures are (3, H, W) in [0, 1]; lengths are in the same units and taken in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from core.attacks.records import NORMS
from core.errors import LabError

_HALVINGS = 60


def check_norm(norm: str) -> None:
    """Raise LabError unless the norm is one of :data:`NORMS`."""
    if norm not in NORMS:
        raise LabError(f"Unknown norm {norm!r} of a change: choose one of {', '.join(NORMS)}.")


def check_radius(radius: float) -> None:
    """Raise LabError unless the radius of an attack is a finite number above 0."""
    if not math.isfinite(radius) or radius <= 0:
        raise LabError(f"The attack's radius is {radius}: expected a number above 0, pixels in [0, 1].")


def length(change: Tensor, norm: str) -> float:
    """Length of a change of any shape, in float64."""
    values = _double(change).flatten()
    match norm:
        case "l2":
            return float(values.norm())
        case "linf":
            return float(values.abs().max())
        case "l1":
            return float(values.abs().sum())
    raise LabError(f"Unknown norm {norm!r} of a change: choose one of {', '.join(NORMS)}.")


def distance(picture: Tensor, image: Tensor, norm: str) -> float:
    """Length of the change from ``image`` to ``picture``; the difference, too, is taken in float64."""
    return length(_double(picture) - _double(image), norm)


def farthest(image: Tensor, norm: str) -> float:
    """How far the farthest picture in [0, 1] lies."""
    return length(torch.maximum(image, 1 - image), norm)


def project_to_ball(change: Tensor, image: Tensor, norm: str, radius: float) -> Tensor:
    """The nearest change (in l2) that is at most ``radius`` long and keeps ``image`` in [0, 1].

    Exact on the intersection of ball and box, not one after the other. By the Karush-Kuhn-Tucker conditions it is the
    change clipped to the ball (linf), scaled (l2) or soft-thresholded (l1) by one number, then clipped to the box; that
    number is found by bisection.

    Returns:
        (3, H, W) of the type of ``change``, on its device.
    """
    check_norm(norm)
    wide = _double(change)
    low, high = -_double(image), 1 - _double(image)
    if norm == "linf":
        near = wide.clamp(-radius, radius).clamp(low, high)
    elif length(wide.clamp(low, high), norm) <= radius:
        near = wide.clamp(low, high)
    elif norm == "l2":
        near = _bisect(lambda scale: (wide * scale).clamp(low, high), 0.0, 1.0, norm, radius)
    else:
        most = float(wide.abs().max())
        signs, sizes = wide.sign(), wide.abs()
        near = _bisect(lambda kept: (signs * (sizes - most + kept).clamp_min(0)).clamp(low, high), 0.0, most, norm, radius)
    return near.to(change)


def stretched(direction: Tensor, image: Tensor, norm: str, radius: float) -> Tensor:
    """The change along a direction that is ``radius`` long after it is clipped to [0, 1].

    Raises:
        LabError: where [0, 1] has no room for so much in this direction.
    """
    check_norm(norm)
    wide = _double(direction)
    low, high = -_double(image), 1 - _double(image)
    greatest = float(wide.abs().max())
    room = length(torch.where(wide > 0, high, torch.where(wide < 0, low, torch.zeros_like(wide))), norm)
    if room < radius:
        raise LabError(
            f"A change of {norm} length {radius:g} has no room in [0, 1] here: at most {room:.4g} fits;"
            " choose a smaller radius."
        )
    wide = wide / greatest
    scale = 1.0
    while length((wide * scale).clamp(low, high), norm) < radius and scale < 2.0**40:
        scale *= 2
    return _bisect(lambda t: (wide * t).clamp(low, high), 0.0, scale, norm, radius).to(direction)


def to_length(change: Tensor, image: Tensor, norm: str, radius: float) -> Tensor:
    """A change scaled to ``radius``, then put into ball and box: shorter where [0, 1] has no room for more."""
    size = distance(image + change, image, norm)
    factor = radius / size if size else 1.0
    return project_to_ball(torch.mul(change, factor), image, norm, radius)


def picture_within(change: Tensor, image: Tensor, norm: str, radius: float) -> Tensor:
    """The changed picture as float32 in [0, 1], never farther than ``radius`` from ``image`` after all rounding.

    Returns:
        (3, H, W) float32 on the device of ``image``.
    """
    wide, base = _double(change), _double(image)
    shrink = 1.0
    for doubling in range(40):
        picture = (base + wide * shrink).clamp(0, 1).float().to(image.device)
        reached = distance(picture, image, norm)
        if reached <= radius:
            return picture
        shrink *= radius / reached * (1 - 1e-8 * 2**doubling)
    return image.clone()


def _bisect(change: Callable[[float], Tensor], low: float, high: float, norm: str, radius: float) -> Tensor:
    """The change with the greatest number in [low, high] at which it is at most ``radius`` long; longer the greater it is."""
    if length(change(high), norm) <= radius:
        return change(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if length(change(middle), norm) <= radius:
            low = middle
        else:
            high = middle
    return change(low)


def _double(values: Tensor) -> Tensor:
    # Apple's GPUs have no float64.
    return values.detach().cpu().double() if values.device.type == "mps" else values.detach().double()
