"""A classifier in the plane: a small trained network, evaluated with numpy so that figures answer at once."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from core.folders import ASSETS

PLANE_FILE = ASSETS / "plane" / "plane.safetensors"
CLASSES = ("circle", "diamond")
"""Class 0 and class 1, named as they are drawn."""

CELLS = 128
"""Cells of the grid along a side of length 1."""
REACH = 1.5
"""How far the grid goes beyond the unit square on every side: five standard deviations of the widest noise shown."""

Floats = NDArray[np.float64]
Classes = NDArray[np.uint8]


@dataclass(frozen=True)
class PlaneNetwork:
    """Three linear layers, weight (out, in) and bias (out,), with ReLU between, and what they were trained on.
    ``points`` (N, 2) in the unit square, ``shown`` (N,) the moon of each, ``learned`` (N,) its label, one in ten of them wrong.
    """

    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]
    points: Floats
    shown: Classes
    learned: Classes

    def margin(self, points: Floats) -> Floats:
        """(N,) logit of class 1 minus logit of class 0, for (N, 2) points."""
        hidden = points.astype(np.float32)
        for weight, bias in self.layers[:-1]:
            hidden = np.maximum(hidden @ weight.T + bias, 0)
        weight, bias = self.layers[-1]
        return (hidden @ (weight[1] - weight[0]) + (bias[1] - bias[0])).astype(np.float64)

    def classify(self, points: Floats) -> Classes:
        """(N,) the class, 0 or 1, of (N, 2) points."""
        return (self.margin(points) > 0).astype(np.uint8)


@cache
def plane_network() -> PlaneNetwork:
    """The network that comes with the Lab; assets/plane/train.py made it."""
    tensors = load_file(PLANE_FILE)
    layers = tuple((tensors[f"weight{i}"], tensors[f"bias{i}"]) for i in range(3))
    return PlaneNetwork(layers, tensors["points"].astype(np.float64), tensors["shown"], tensors["learned"])


@cache
def centres() -> Floats:
    """(M,) coordinates of the centres of the grid's cells along one axis, rising."""
    count = round((1 + 2 * REACH) * CELLS)
    return (np.arange(count) + 0.5) / CELLS - REACH


@cache
def margins() -> Floats:
    """(M, M) margin of the network at every cell centre; the first index goes up, the second to the right."""
    axis = centres()
    network = plane_network()
    # A row at a time: the hidden layer then stays in the processor's cache.
    return np.stack([network.margin(np.stack([axis, np.full(axis.shape, up)], 1)) for up in axis])


@cache
def decisions() -> NDArray[np.float32]:
    """(M, M) the class, 0 or 1, of every cell."""
    return (margins() > 0).astype(np.float32)


def inside() -> slice:
    """The cells of the unit square along one axis."""
    first = round(REACH * CELLS)
    return slice(first, first + CELLS)
