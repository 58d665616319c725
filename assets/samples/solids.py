"""Signed distances of simple solids, as functions of (3, N) points (after Inigo Quilez, "3D SDFs", formulas only)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Distance = Callable[[Array], Array]
Point = Sequence[float]


def _col(point: Point) -> Array:
    return np.array(point, np.float32)[:, None]


def turned(distance: Distance, centre: Point, x: float = 0, y: float = 0, z: float = 0) -> Distance:
    """A solid made round the origin, turned by degrees about x, then y, then z, and moved to ``centre``."""
    a, b, c = np.radians([x, y, z])
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    back = (rz @ ry @ rx).T.astype(np.float32)
    middle = _col(centre)
    return lambda p: distance(back @ (p - middle))


def ellipsoid(centre: Point, radii: Point) -> Distance:
    """Ellipsoid along the axes; the distance is a close bound."""
    middle, r = _col(centre), _col(radii)

    def distance(p: Array) -> Array:
        q = (p - middle) / r
        k0 = np.sqrt(np.einsum("ij,ij->j", q, q))
        q = q / r
        return k0 * (k0 - 1) / np.sqrt(np.einsum("ij,ij->j", q, q) + 1e-9)

    return distance


def ball(centre: Point, radius: float) -> Distance:
    """Sphere."""
    middle = _col(centre)

    def distance(p: Array) -> Array:
        q = p - middle
        return np.sqrt(np.einsum("ij,ij->j", q, q)) - np.float32(radius)

    return distance


def limb(start: Point, end: Point, r0: float, r1: float | None = None) -> Distance:
    """Rod with round ends from ``start`` (radius r0) to ``end`` (radius r1)."""
    a = _col(start)
    ba = _col(end) - a
    square = np.float32((ba**2).sum())
    r1 = r0 if r1 is None else r1

    def distance(p: Array) -> Array:
        pa = p - a
        t = np.clip(np.einsum("ij,ik->j", pa, ba) / square, 0, 1)
        q = pa - ba * t
        return np.sqrt(np.einsum("ij,ij->j", q, q)) - (np.float32(r0) + np.float32(r1 - r0) * t)

    return distance


def box(centre: Point, half: Point, rounding: float = 0.02) -> Distance:
    """Box along the axes with rounded edges."""
    middle, inner = _col(centre), _col(half) - np.float32(rounding)

    def distance(p: Array) -> Array:
        q = np.abs(p - middle) - inner
        out = np.maximum(q, 0)
        return np.sqrt(np.einsum("ij,ij->j", out, out)) + np.minimum(q.max(0), 0) - np.float32(rounding)

    return distance


def disc(centre: Point, radius: float, half: float, axis: int = 2, rounding: float = 0.02) -> Distance:
    """Cylinder along an axis (0, 1 or 2), half as long as ``half`` says to each side."""
    middle = _col(centre)
    i, j = (k for k in range(3) if k != axis)

    def distance(p: Array) -> Array:
        q = p - middle
        across = np.hypot(q[i], q[j]) - np.float32(radius - rounding)
        along = np.abs(q[axis]) - np.float32(half - rounding)
        outside = np.hypot(np.maximum(across, 0), np.maximum(along, 0))
        return outside + np.minimum(np.maximum(across, along), 0) - np.float32(rounding)

    return distance


def outline_distance(x: Array, y: Array, corners: Sequence[tuple[float, float]]) -> Array:
    """Signed distance in the plane to a closed polygon."""
    nearest = np.full(x.shape, np.inf, np.float32)
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        ex, ey = np.float32(bx - ax), np.float32(by - ay)
        px, py = x - np.float32(ax), y - np.float32(ay)
        t = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1)
        nearest = np.minimum(nearest, (px - ex * t) ** 2 + (py - ey * t) ** 2)
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (px < ex * py / ey)
    return np.where(inside, -1, 1).astype(np.float32) * np.sqrt(nearest)


def slab(
    corners: Sequence[tuple[float, float]],
    half: float | Callable[[Array], Array],
    axes: tuple[int, int, int] = (0, 1, 2),
    rounding: float = 0.02,
    offset: float = 0.0,
) -> Distance:
    """A polygon drawn in two axes and made thick along the third.

    Args:
        corners: in the first two of ``axes``.
        half: half its thickness; or a function of the points, for solids that narrow somewhere.
        axes: which axes the corners lie in, and the one it is thick along.
        rounding: of the edges.
        offset: where along the third axis its middle lies.
    """
    u, v, w = axes

    def distance(p: Array) -> Array:
        thick = half(p) if callable(half) else np.float32(half)
        across = outline_distance(p[u], p[v], corners) + np.float32(rounding)
        along = np.abs(p[w] - np.float32(offset)) - thick + np.float32(rounding)
        outside = np.hypot(np.maximum(across, 0), np.maximum(along, 0))
        return outside + np.minimum(np.maximum(across, along), 0) - np.float32(rounding)

    return distance
