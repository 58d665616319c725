"""What a radius means: pictures at exactly that distance, without a gradient, and the nearest picture of another class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.attacks.balls import ORDERS, Ball, distance, gaussian_like, length
from core.attacks.request import KINDS, check_norm
from core.errors import LabError
from core.smoothing.noise import derived_seed

if TYPE_CHECKING:
    from core.data.datasets import LabelledImages

SIMPLE_KINDS = tuple(kind for kind in KINDS if kind != "gradient")
DIRECTIONS = (*SIMPLE_KINDS, "gradient")

AT_ONCE = 1024  # pictures of a data set that are compared at once


def simple_change(kind: str, ball: Ball, *, seed: int = 0) -> Tensor:
    """A changed picture, (3, H, W) float32, at exactly the ball's radius, as exactly as float32 can be, and never beyond it.

    ``random``: a uniformly random direction (random signs in linf). ``pixel``: all channels of one pixel, which the seed
    chooses among those with room, pushed to the opposite end. ``patch``: the same for a square that the seed places, only as
    large as the radius needs. ``grey``: every value by the same amount, towards the middle grey. Raises LabError where [0, 1]
    has no room for it, or there is no such kind.
    """
    image = ball.image
    rng = np.random.default_rng(derived_seed(seed, "simple", kind))
    match kind:
        case "random":
            drawn = gaussian_like(image, rng)
            direction = drawn.sign() if ball.norm == "linf" else drawn
        case "pixel":
            direction = _pixel(ball, rng)
        case "patch":
            direction = _patch(ball, rng)
        case "grey":
            direction = torch.where(image < 0.5, 1.0, -1.0)
        case _:
            raise LabError(f"Unknown change {kind!r}: choose one of {', '.join(SIMPLE_KINDS)}.")
    return ball.picture(ball.stretched(direction))


def push(image: Tensor) -> Tensor:
    """The longest way that each value can go within [0, 1]: to its opposite end."""
    return torch.where(image < 0.5, 1 - image, -image)


def _pixel(ball: Ball, rng: np.random.Generator) -> Tensor:
    way, norm, radius = push(ball.image), ball.norm, ball.radius
    _, height, width = way.shape
    for number in rng.permutation(height * width).tolist():
        row, column = divmod(number, width)
        if length(way[:, row, column], norm) >= radius:
            return _only(way, row, column, 1)
    most = max(length(way[:, number // width, number % width], norm) for number in range(height * width))
    raise LabError(
        f"One pixel of this picture can change by {most:.3f} at most in {norm}, and the radius is {radius:.3f}:"
        " choose a smaller radius, or a patch."
    )


def _patch(ball: Ball, rng: np.random.Generator) -> Tensor:
    way, norm, radius = push(ball.image), ball.norm, ball.radius
    _, height, width = way.shape
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


@dataclass(frozen=True)
class AtRadius:
    """A picture at a radius in one direction."""

    kind: str  # one of DIRECTIONS
    pixels: Tensor | None = field(repr=False, compare=False)  # (3, H, W); None: [0, 1] has no room in this direction
    size: float = 0.0  # how far away it really is: the radius but for rounding
    greatest: float = 0.0  # the greatest change of a value, in grey levels of 255
    changed: int = 0  # pixels that changed at all
    missing: str = ""  # one sentence where there is no picture


def pictures_at_radius(
    image: Tensor, radius: float, norm: str = "l2", *, seed: int = 0, gradient: Tensor | None = None
) -> tuple[AtRadius, ...]:
    """(3, H, W) pictures at exactly a radius, one of each kind, and along ``gradient``. Raises LabError for a wrong norm."""
    ball, found = Ball(image, norm, radius), []
    for kind in DIRECTIONS:
        try:
            if kind != "gradient":
                picture = simple_change(kind, ball, seed=seed)
            elif gradient is not None:
                picture = ball.picture(ball.stretched(gradient))
            else:
                continue
        except LabError as error:
            found.append(AtRadius(kind, None, missing=str(error)))
            continue
        away = (picture - image).abs()
        greatest, changed = 255 * float(away.max()), int((away.amax(dim=0) > 0).sum())
        found.append(AtRadius(kind, picture, distance(picture, image, norm), greatest, changed=changed))
    return tuple(found)


@dataclass(frozen=True)
class Neighbour:
    """The nearest picture of another class: its number and class in its data set, and its (3, H, W) uint8 pixels."""

    idx: int
    label: int
    distance: float  # in ``norm``
    norm: str
    searched: int  # pictures of other classes that there were
    pixels: Tensor = field(repr=False, compare=False)

    def share(self, radius: float) -> float:
        """A radius as a share of the distance."""
        return radius / self.distance


def nearest_of_another_class(image: Tensor, label: int, data: LabelledImages, norm: str = "l2") -> Neighbour:
    """The picture of another class nearest to (3, H, W) ``image``. Raises LabError where sizes differ, or there is none."""
    check_norm(norm)
    if data.images.shape[1:] != image.shape:
        have, got = tuple(data.images.shape[2:]), tuple(image.shape[1:])
        raise LabError(f"The pictures of the data set have {have[0]} x {have[1]} pixels, and this one {got[0]} x {got[1]}.")
    rows = (data.labels != label).nonzero().flatten()
    if not len(rows):
        raise LabError(f"All pictures of the data set are of class {label}: there is none of another class to compare with.")
    flat = image.detach().cpu().double().flatten()  # (3 H W,)
    best, best_row = float("inf"), -1
    for piece in rows.split(AT_ONCE):
        others = data.images[piece].double().div_(255).flatten(1)  # (piece, 3 H W)
        distances = torch.linalg.vector_norm(others.sub_(flat), ORDERS[norm], dim=1)
        least = int(distances.argmin())
        if float(distances[least]) < best:
            best, best_row = float(distances[least]), int(piece[least])
    index, label, pixels = int(data.indices[best_row]), int(data.labels[best_row]), data.images[best_row].clone()
    return Neighbour(index, label, best, norm, searched=len(rows), pixels=pixels)
