"""Changes that need no gradient, of exactly a given length and within [0, 1]: random, one pixel, a square, grey."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.attacks.balls import check_norm, check_radius, length, settled, stretched
from core.attacks.records import KINDS
from core.errors import LabError
from core.smoothing.noise import derived_seed

SIMPLE_KINDS = tuple(kind for kind in KINDS if kind != "gradient")


def simple_change(kind: str, image: Tensor, norm: str, radius: float, *, seed: int = 0) -> Tensor:
    """A changed picture at exactly ``radius``, as exactly as float32 pixels can be, and never beyond it.

    ``random``: a uniformly random direction (random signs in linf). ``pixel``: all channels of one pixel, which the seed
    chooses among those with room, pushed to the opposite end. ``patch``: the same for a square that the seed places, only as
    large as the radius needs. ``grey``: every value by the same amount, towards the middle grey.

    Args:
        kind: one of :data:`SIMPLE_KINDS`.
        image: (3, H, W) in [0, 1].
        norm, radius: how long the change is to be.
        seed: of the direction or place.

    Returns:
        (3, H, W) float32 on the device of ``image``.

    Raises:
        LabError: where [0, 1] has no room for a change of this kind and length, or an argument is out of range.
    """
    check_norm(norm)
    check_radius(radius)
    rng = np.random.default_rng(derived_seed(seed, "simple", kind))
    match kind:
        case "random":
            direction = _random(image, norm, rng)
        case "pixel":
            direction = _pixel(image, norm, radius, rng)
        case "patch":
            direction = _patch(image, norm, radius, rng)
        case "grey":
            direction = torch.where(image < 0.5, 1.0, -1.0)
        case _:
            raise LabError(f"Unknown change {kind!r}: choose one of {', '.join(SIMPLE_KINDS)}.")
    return settled(stretched(direction, image, norm, radius), image, norm, radius)


def push(image: Tensor) -> Tensor:
    """The longest way that each value can go within [0, 1]: to its opposite end."""
    return torch.where(image < 0.5, 1 - image, -image)


def _random(image: Tensor, norm: str, rng: np.random.Generator) -> Tensor:
    drawn = torch.from_numpy(rng.standard_normal(tuple(image.shape)).astype(np.float32)).to(image)
    return drawn.sign() if norm == "linf" else drawn


def _pixel(image: Tensor, norm: str, radius: float, rng: np.random.Generator) -> Tensor:
    way = push(image)
    _, height, width = image.shape
    for number in rng.permutation(height * width).tolist():
        row, column = divmod(number, width)
        if length(way[:, row, column], norm) >= radius:
            return _only(way, row, column, 1)
    most = max(length(way[:, number // width, number % width], norm) for number in range(height * width))
    raise LabError(
        f"One pixel of this picture can change by {most:.3f} at most in {norm}, and the radius is {radius:.3f}:"
        " choose a smaller radius, or a patch."
    )


def _patch(image: Tensor, norm: str, radius: float, rng: np.random.Generator) -> Tensor:
    way = push(image)
    _, height, width = image.shape
    across, down = float(rng.uniform()), float(rng.uniform())
    for side in range(1, max(height, width) + 1):
        row, column = round(down * max(height - side, 0)), round(across * max(width - side, 0))
        change = _only(way, row, column, side)
        if length(change, norm) >= radius:
            return change
    raise LabError(
        f"The whole picture can change by {length(way, norm):.3f} at most in {norm}, and the radius is {radius:.3f}:"
        " choose a smaller radius."
    )


def _only(way: Tensor, row: int, column: int, side: int) -> Tensor:
    change = torch.zeros_like(way)
    area = (slice(None), slice(row, row + side), slice(column, column + side))
    change[area] = way[area]
    return change
