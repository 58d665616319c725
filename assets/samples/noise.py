"""Value noise on a lattice, summed over octaves: the grain of fur, grass, water and clouds. No state, no generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def _hash(i: NDArray[np.uint32], j: NDArray[np.uint32], k: NDArray[np.uint32], seed: int) -> Array:
    """A number in [0, 1) for each lattice point; 32-bit arithmetic wraps on purpose."""
    h = i * np.uint32(374761393) + j * np.uint32(668265263) + k * np.uint32(2246822519) + np.uint32(seed * 3266489917 % 2**32)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(1274126177)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(2246822519)
    return ((h ^ (h >> np.uint32(15))) >> np.uint32(8)).astype(np.float32) / np.float32(2**24)


def value_noise(p: Array, seed: int = 0) -> Array:
    """Smooth noise in [0, 1) at (3, N) points; its grain is one unit."""
    cell = np.floor(p)
    f = p - cell
    x, y, z = f * f * (3 - 2 * f)
    i, j, k = cell.astype(np.int32).astype(np.uint32)
    one = np.uint32(1)
    corner = {(a, b, c): _hash(i + one * a, j + one * b, k + one * c, seed) for a in (0, 1) for b in (0, 1) for c in (0, 1)}
    planes = []
    for a in (0, 1):
        rows = [corner[a, b, 0] + (corner[a, b, 1] - corner[a, b, 0]) * z for b in (0, 1)]
        planes.append(rows[0] + (rows[1] - rows[0]) * y)
    return planes[0] + (planes[1] - planes[0]) * x


def fbm(p: Array, octaves: int = 4, seed: int = 0) -> Array:
    """Noise of several grains, each half as coarse and half as strong as the one before; mean 1/2."""
    total, weight, scale = np.zeros(p.shape[1], np.float32), 0.0, np.float32(1)
    for octave in range(octaves):
        total += value_noise(p * scale, seed + 17 * octave) * np.float32(0.5**octave)
        weight += 0.5**octave
        scale *= np.float32(2.03)
    return total / np.float32(weight)
