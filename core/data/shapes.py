"""`shapes`: ten classes of coloured shapes on textured grounds, 32x32, endless, by seed.

Made for tests and the classroom: no file is needed, and a small network learns it in a minute on a CPU. Shapes are drawn
from their signed distance, four-fold oversampled in effect by a soft edge one pixel wide.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

SHAPES_LABELS = ("circle", "square", "triangle", "star", "cross", "ring", "crescent", "heart", "arrow", "hourglass")
SIDE = 32


def _polygon(x: Array, y: Array, corners: Array) -> Array:
    """Signed distance (negative inside) from points to a closed polygon with (K, 2) corners; any simple polygon."""
    inside = np.zeros(x.shape, dtype=bool)
    nearest = np.full(x.shape, np.inf)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        ex, ey = bx - ax, by - ay
        t = np.clip(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - ax - t * ex, y - ay - t * ey))
        crosses = (ay > y) != (by > y)
        slope = np.where(by == ay, 1.0, by - ay)
        inside ^= crosses & (x < ax + ex * (y - ay) / slope)
    return np.where(inside, -nearest, nearest)


def _ngon(radii: list[float]) -> Array:
    turn = np.linspace(0, 2 * np.pi, len(radii), endpoint=False) - np.pi / 2
    return np.stack([np.array(radii) * np.cos(turn), np.array(radii) * np.sin(turn)], axis=1)


_w, _l = 0.32, 0.98
_QUARTER, _RIGHT_ANGLE = np.array([[-_w, -_w], [-_w, -_l], [_w, -_l]]), np.array([[0, 1], [-1, 0]])
_turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_lobes = -(13 * np.cos(_turn) - 5 * np.cos(2 * _turn) - 2 * np.cos(3 * _turn) - np.cos(4 * _turn)) / 17 - 0.1
_CORNERS = {
    "square": np.array([[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]], dtype=float),
    "triangle": _ngon([1.05, 1.05, 1.05]),
    "star": _ngon([1.05, 0.45] * 5),
    "cross": np.concatenate([_QUARTER @ np.linalg.matrix_power(_RIGHT_ANGLE, turns) for turns in range(4)]),
    "heart": np.stack([16 * np.sin(_turn) ** 3 / 17, _lobes], axis=1),
    "arrow": np.array([[0, -1], [0.8, -0.1], [0.3, -0.1], [0.3, 0.95], [-0.3, 0.95], [-0.3, -0.1], [-0.8, -0.1]], dtype=float),
    "hourglass": np.array([[-0.8, -0.95], [0.8, -0.95], [0.12, 0], [0.8, 0.95], [-0.8, 0.95], [-0.12, 0]], dtype=float),
}


def _distance(label: int, x: Array, y: Array) -> Array:
    """Signed distance to the unit-sized shape of this class, negative inside."""
    r = np.hypot(x, y)
    match SHAPES_LABELS[label]:
        case "circle":
            return r - 0.9
        case "ring":
            return np.abs(r - 0.75) - 0.2
        case "crescent":
            return np.maximum(r - 0.95, 0.75 - np.hypot(x - 0.45, y))
        case name:
            return _polygon(x, y, _CORNERS[name])


def _ground(rng: np.random.Generator, grid_x: Array, grid_y: Array) -> Array:
    """(32, 32, 3) textured ground: a colour ramp with stripes or checks, and a little grain."""
    first, second = rng.uniform(0, 1, 3), rng.uniform(0, 1, 3)
    angle, wave = rng.uniform(0, np.pi), rng.uniform(2, 7)
    along = grid_x * np.cos(angle) + grid_y * np.sin(angle)
    across = grid_y * np.cos(angle) - grid_x * np.sin(angle)
    kind = rng.integers(3)
    if kind == 0:
        mix = 0.5 + 0.5 * along / 1.5
    elif kind == 1:
        mix = 0.5 + 0.5 * np.sin(wave * along + rng.uniform(0, 6))
    else:
        mix = 0.5 + 0.5 * np.sin(wave * along) * np.sin(wave * across)
    contrast = rng.uniform(0.1, 0.6)
    mix = 0.5 + contrast * (mix - 0.5)
    return mix[..., None] * first + (1 - mix[..., None]) * second


def draw_shape(label: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one picture of class ``label``: (32, 32, 3) bytes."""
    ticks = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    grid_x, grid_y = np.meshgrid(ticks, ticks)
    ground = _ground(rng, grid_x, grid_y)
    scale = rng.uniform(0.5, 0.85)
    shift = rng.uniform(-1, 1, 2) * (1 - scale) * 0.8
    angle = rng.uniform(-0.4, 0.4)
    u, v = (grid_x - shift[0]) / scale, (grid_y - shift[1]) / scale
    x, y = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    cover = np.clip(0.5 - _distance(label, x, y) * scale * SIDE / 2, 0, 1)[..., None]
    mean_ground = ground.mean(axis=(0, 1))
    for _ in range(100):  # a colour that stands out from the ground; random colours do nearly always
        colour = rng.uniform(0, 1, 3)
        if np.abs(colour - mean_ground).sum() > 0.9:
            break
    shade = 1 + rng.uniform(-0.2, 0.2) * grid_y[..., None]
    picture = cover * np.clip(colour * shade, 0, 1) + (1 - cover) * ground + rng.normal(0, 0.02, (SIDE, SIDE, 3))
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)


def make_shapes(count: int, seed: int = 0, start: int = 0) -> tuple[Tensor, Tensor]:
    """Pictures number ``start`` to ``start + count`` of the endless series that ``seed`` names.

    Picture i depends on (seed, i) alone, so any part of the series can be made again by itself. Classes alternate.

    Returns:
        (count, 3, 32, 32) uint8 pictures and (count,) int64 labels.
    """
    pictures = np.empty((count, SIDE, SIDE, 3), dtype=np.uint8)
    for row in range(count):
        index = start + row
        pictures[row] = draw_shape(index % len(SHAPES_LABELS), np.random.default_rng([seed, index]))
    labels = (torch.arange(start, start + count)) % len(SHAPES_LABELS)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(), labels
