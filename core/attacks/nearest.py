"""The nearest picture of another class in a data set: what a certified radius is measured against."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.attacks.balls import check_norm
from core.errors import LabError

if TYPE_CHECKING:
    from core.data.datasets import LabelledImages

AT_ONCE = 1024


@dataclass(frozen=True)
class Neighbour:
    """The nearest picture of another class.

    Attributes:
        idx, label: its number and class in its data set.
        distance: how far away it is, in ``norm``.
        norm: in which it was looked for.
        searched: how many pictures of other classes there were.
        pixels: (3, H, W) uint8.
    """

    idx: int
    label: int
    distance: float
    norm: str
    searched: int
    pixels: Tensor = field(repr=False, compare=False)

    def share(self, radius: float) -> float:
        """A radius as a share of the distance."""
        return radius / self.distance


def nearest_of_another_class(image: Tensor, label: int, data: LabelledImages, norm: str = "l2") -> Neighbour:
    """Look through a data set.

    Args:
        image: (3, H, W) in [0, 1].
        label: its class, among the labels of the data set.
        data: pictures of the same size.
        norm: of the distance.

    Raises:
        LabError: where the sizes differ, or there is no picture of another class.
    """
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
        away = (others - flat).abs_()
        match norm:
            case "l2":
                distances = away.square_().sum(dim=1).sqrt_()
            case "l1":
                distances = away.sum(dim=1)
            case _:
                distances = away.amax(dim=1)
        least = int(distances.argmin())
        if float(distances[least]) < best:
            best, best_row = float(distances[least]), int(piece[least])
    return Neighbour(
        int(data.indices[best_row]), int(data.labels[best_row]), best, norm, len(rows), data.images[best_row].clone()
    )


def mean_distance_to_another_class(data: LabelledImages, norm: str = "l2", *, count: int = 50) -> float:
    """Mean distance from pictures, spread evenly over a data set, to the nearest of another class in it."""
    chosen = torch.linspace(0, len(data) - 1, min(count, len(data))).long().tolist()
    found = [nearest_of_another_class(data.images[row].float() / 255, int(data.labels[row]), data, norm) for row in chosen]
    return sum(neighbour.distance for neighbour in found) / len(found)
