"""Models of a horse, a deer, a dog, a cat, a frog and birds. They look along +x; the sides mirror in z."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from noise import fbm
from numpy.typing import NDArray
from render import Colour, Part, Pattern
from solids import ball, box, ellipsoid, limb, slab, turned

Array = NDArray[np.float32]
BLACK: Colour = (0.04, 0.035, 0.03)


def _rgb(colour: Colour) -> Array:
    return np.array(colour, np.float32)[:, None]


def fur(back: Colour, belly: Colour, low: float, high: float, grain: float = 9.0, strength: float = 0.35) -> Pattern:
    """Fur that turns from the belly's colour (below ``low``) to the back's (above ``high``), with strands."""

    def pattern(p: Array) -> Array:
        mix = np.clip((p[1] - low) / (high - low), 0, 1)
        colour = _rgb(belly) + (_rgb(back) - _rgb(belly)) * mix
        strands = fbm(p * np.array([[grain * 0.5], [grain], [grain]], np.float32), 4, 3)
        broad = fbm(p * 2.2, 3, 8)
        return colour * (1 - strength + strength * (1.3 * strands + 0.7 * broad))

    return pattern


def _eyes(centre: tuple[float, float, float], radius: float, iris: Colour = BLACK, look: float = 0.5) -> list[Part]:
    """A pair of eyes with pupils and a glint, at +z and -z of the centre."""
    x, y, z = centre
    parts = []
    for side in (1, -1):
        parts.append(Part(ball((x, y, side * z), radius), iris, 0.0, 0.9))
        if iris != BLACK:
            pupil = (x + radius * look, y, side * (z + radius * (0.85 - look * 0.6)))
            parts.append(Part(ball(pupil, radius * 0.62), BLACK, 0.0, 0.9))
    return parts


def _leg(
    hip: tuple[float, float, float],
    knee: tuple[float, float],
    foot: tuple[float, float],
    thick: float,
    coat: Colour | Pattern,
    hoof: Colour | Pattern,
    sock: Colour | Pattern | None = None,
) -> list[Part]:
    x, y, z = hip
    z2 = z * 0.92
    return [
        Part(limb((x, y, z), (knee[0], knee[1], z2), thick, thick * 0.5), coat, 0.09),
        Part(limb((knee[0], knee[1], z2), (foot[0], foot[1] + 0.08, z2), thick * 0.52, thick * 0.36), sock or coat, 0.03),
        Part(limb((foot[0], foot[1] + 0.09, z2), (foot[0] + 0.04, foot[1] + 0.04, z2), thick * 0.42, thick * 0.5), hoof, 0.02),
    ]


def horse(
    coat: Colour = (0.45, 0.24, 0.11), mane: Colour = (0.08, 0.06, 0.05), stride: float = 0.1, head: float = 0.0
) -> list[Part]:
    """A horse; ``stride`` parts its legs, ``head`` lowers it (1: it grazes)."""
    dark = tuple(0.55 * c for c in coat)
    hair = fur(coat, dark, 0.2, 0.85, 8, 0.3)
    neck = (1.0 - 0.02 * head, 1.75 - 1.05 * head)
    muzzle = (neck[0] + 0.38 - 0.08 * head, neck[1] - 0.34 - 0.12 * head)
    parts = [
        Part(ellipsoid((-0.02, 1.12, 0), (0.78, 0.33, 0.29)), hair),
        Part(ball((-0.56, 1.17, 0), 0.34), hair, 0.15),
        Part(ball((0.52, 1.13, 0), 0.33), hair, 0.15),
        Part(limb((0.52, 1.2, 0), (neck[0] - 0.1, neck[1] - 0.05, 0), 0.27, 0.14), hair, 0.15),
        Part(limb((neck[0] - 0.05, neck[1], 0), (muzzle[0] - 0.06, muzzle[1] + 0.05, 0), 0.145, 0.09), hair, 0.06),
        Part(ball((muzzle[0], muzzle[1], 0), 0.095), dark, 0.06),
    ]
    for side in (1, -1):
        parts += _leg((0.52, 0.95, 0.17 * side), (0.5 + stride * side, 0.5), (0.5 + 1.5 * stride * side, 0), 0.13, hair, BLACK)
        parts += _leg(
            (-0.6, 1.0, 0.18 * side), (-0.68 - stride * side, 0.52), (-0.62 - 1.7 * stride * side, 0), 0.17, hair, BLACK
        )
        parts.append(
            Part(
                limb((neck[0] - 0.1, neck[1] + 0.1, 0.07 * side), (neck[0] - 0.08, neck[1] + 0.27, 0.09 * side), 0.05, 0.015),
                coat,
                0.02,
            )
        )
    parts += _eyes((neck[0] + 0.09, neck[1] - 0.02, 0.115), 0.032)
    for i in range(7):  # the mane, strand by strand
        t = i / 6
        x, y = 0.5 + (neck[0] - 0.62) * t, 1.42 + (neck[1] - 1.27) * t
        parts.append(Part(limb((x, y, 0.02), (x - 0.12, y - 0.16, 0.1), 0.07, 0.035), mane, 0.05))
    parts.append(Part(limb((-0.86, 1.25, 0), (-1.05, 0.95, 0.02), 0.07, 0.1), mane, 0.04))
    parts.append(Part(limb((-1.05, 0.95, 0.02), (-1.08, 0.45, 0.04), 0.1, 0.03), mane, 0.06))
    return parts


def deer(coat: Colour = (0.5, 0.32, 0.17), antlers: float = 1.0, stride: float = 0.06) -> list[Part]:
    """A deer, with antlers of the given size (0: a hind)."""
    pale: Colour = (0.8, 0.72, 0.6)
    hair = fur(coat, tuple(0.5 * a + 0.5 * b for a, b in zip(coat, pale, strict=True)), 0.75, 1.0, 9, 0.3)
    leg = fur(tuple(0.8 * c for c in coat), tuple(0.6 * c for c in coat), 0.1, 0.8)
    bone: Colour = (0.5, 0.4, 0.28)
    parts = [
        Part(ellipsoid((0, 1.05, 0), (0.66, 0.27, 0.22)), hair),
        Part(ball((-0.47, 1.1, 0), 0.26), hair, 0.12),
        Part(ball((0.44, 1.06, 0), 0.26), hair, 0.12),
        Part(limb((0.48, 1.15, 0), (0.78, 1.66, 0), 0.2, 0.11), hair, 0.12),
        Part(limb((0.8, 1.74, 0), (1.1, 1.6, 0), 0.125, 0.06), hair, 0.06),
        Part(ball((1.15, 1.58, 0), 0.05), BLACK, 0.02, 0.4),
        Part(ellipsoid((-0.72, 1.1, 0), (0.06, 0.15, 0.1)), (0.93, 0.9, 0.84), 0.04),
    ]
    for side in (1, -1):
        parts += _leg(
            (0.45, 0.92, 0.12 * side), (0.46 + stride * side, 0.48), (0.46 + 1.5 * stride * side, 0), 0.09, leg, BLACK
        )
        parts += _leg(
            (-0.48, 0.98, 0.13 * side), (-0.58 - stride * side, 0.5), (-0.5 - 1.7 * stride * side, 0), 0.13, leg, BLACK
        )
        ear = turned(ellipsoid((0, 0, 0), (0.05, 0.055, 0.17)), (0.72, 1.84, 0.2 * side), x=-28 * side)
        parts.append(Part(ear, tuple(0.9 * c for c in coat), 0.02))
        if antlers:
            a = antlers
            points = [(0.77, 1.84, 0.06), (0.66, 2.05, 0.22), (0.72, 2.32, 0.36), (0.88, 2.55, 0.34)]
            points = [
                (0.77 + (x - 0.77) * a, 1.84 + (y - 1.84) * a, z if z < 0.1 else 0.06 + (z - 0.06) * a) for x, y, z in points
            ]
            for (x0, y0, z0), (x1, y1, z1) in pairwise(points):
                parts.append(Part(limb((x0, y0, z0 * side), (x1, y1, z1 * side), 0.035, 0.026), bone, 0.01))
            for (x, y, z), dx, dy in ((points[1], 0.22, 0.16), (points[2], 0.24, 0.2), (points[2], -0.14, 0.26)):
                parts.append(Part(limb((x, y, z * side), (x + dx * a, y + dy * a, (z + 0.05) * side), 0.03, 0.012), bone, 0.01))
    parts += _eyes((0.87, 1.77, 0.105), 0.03)
    return parts


def dog(
    coat: Colour = (0.72, 0.5, 0.27), belly: Colour = (0.9, 0.78, 0.6), ears: Colour = (0.45, 0.27, 0.12), sitting: bool = True
) -> list[Part]:
    """A dog with hanging ears, sitting or standing."""
    hair = fur(coat, belly, 0.05, 0.75 if sitting else 0.9, 7, 0.35)
    if sitting:
        hx, hy = 0.42, 1.5
        parts = [
            Part(limb((-0.25, 0.42, 0), (0.22, 1.02, 0), 0.38, 0.27), hair),
            Part(limb((0.22, 1.0, 0), (0.36, 1.36, 0), 0.24, 0.19), hair, 0.12),
            Part(ellipsoid((0.34, 0.85, 0), (0.14, 0.26, 0.17)), belly, 0.12),
            Part(limb((-0.5, 0.15, 0.05), (-0.95, 0.25, 0.2), 0.09, 0.04), hair, 0.06),
        ]
        for side in (1, -1):
            parts.append(Part(limb((0.28, 0.85, 0.19 * side), (0.36, 0.12, 0.2 * side), 0.13, 0.085), hair, 0.07))
            parts.append(Part(ellipsoid((0.45, 0.08, 0.2 * side), (0.15, 0.08, 0.1)), belly, 0.05))
            parts.append(Part(ellipsoid((-0.2, 0.32, 0.28 * side), (0.3, 0.28, 0.16)), hair, 0.06))
            parts.append(Part(ellipsoid((0.1, 0.08, 0.36 * side), (0.2, 0.08, 0.1)), hair, 0.05))
    else:
        hx, hy = 0.95, 1.32
        parts = [
            Part(limb((-0.55, 0.88, 0), (0.5, 0.9, 0), 0.25, 0.29), hair),
            Part(limb((0.5, 0.98, 0), (0.85, 1.28, 0), 0.22, 0.18), hair, 0.1),
            Part(limb((-0.75, 0.98, 0), (-1.15, 1.35, 0), 0.08, 0.04), hair, 0.05),
        ]
        for side in (1, -1):
            parts += _leg((0.48, 0.8, 0.16 * side), (0.5 + 0.08 * side, 0.42), (0.52 + 0.12 * side, 0), 0.13, hair, belly)
            parts += _leg((-0.55, 0.82, 0.16 * side), (-0.66 - 0.05 * side, 0.42), (-0.6 - 0.12 * side, 0), 0.15, hair, belly)
    parts += [
        Part(ellipsoid((hx, hy + 0.05, 0), (0.27, 0.25, 0.25)), hair, 0.08),
        Part(limb((hx + 0.15, hy - 0.03, 0), (hx + 0.42, hy - 0.1, 0), 0.15, 0.105), belly, 0.06),
        Part(ellipsoid((hx + 0.52, hy - 0.04, 0), (0.06, 0.05, 0.07)), BLACK, 0.01, 0.8),
        Part(limb((hx + 0.3, hy - 0.21, 0), (hx + 0.42, hy - 0.2, 0), 0.05), (0.2, 0.1, 0.08), 0.02),
    ]
    for side in (1, -1):
        ear = turned(ellipsoid((0, 0, 0), (0.13, 0.25, 0.055)), (hx - 0.07, hy + 0.02, 0.26 * side), x=-14 * side)
        parts.append(Part(ear, fur(ears, ears, 0, 1, 8), 0.03))
    parts += _eyes((hx + 0.21, hy + 0.1, 0.115), 0.045)
    return parts


def cat(coat: Colour = (0.5, 0.44, 0.38), stripe: Colour = (0.17, 0.14, 0.12), iris: Colour = (0.65, 0.7, 0.2)) -> list[Part]:
    """A tabby, sitting."""
    pale: Colour = (0.88, 0.84, 0.78)
    plain = fur(coat, coat, 0, 1, 9, 0.35)

    def tabby(p: Array) -> Array:
        wave = np.sin(p[1] * 21 + 5 * fbm(p * 3, 3, 4) + np.abs(p[2]) * 6)
        mix = np.clip(wave * 1.4 - 0.35, 0, 1) * (p[1] > 0.15)
        return plain(p) * (1 - mix) + _rgb(stripe) * mix

    def face(p: Array) -> Array:
        wave = np.sin(np.abs(p[2]) * 46 + 2 * fbm(p * 4, 2, 4))
        mix = np.clip(wave * 2, 0, 1) * (p[1] > 1.46)
        return plain(p) * (1 - mix) + _rgb(stripe) * mix

    parts = [
        Part(limb((-0.2, 0.38, 0), (0.12, 0.9, 0), 0.37, 0.23), tabby),
        Part(ellipsoid((0.22, 0.75, 0), (0.14, 0.28, 0.17)), pale, 0.12),
        Part(ellipsoid((0.26, 1.32, 0), (0.29, 0.27, 0.31)), face, 0.1),
        Part(ellipsoid((0.5, 1.22, 0.075), (0.1, 0.085, 0.1)), pale, 0.04),
        Part(ellipsoid((0.5, 1.22, -0.075), (0.1, 0.085, 0.1)), pale, 0.04),
        Part(ellipsoid((0.48, 1.12, 0), (0.08, 0.06, 0.09)), pale, 0.04),
        Part(ellipsoid((0.595, 1.275, 0), (0.03, 0.028, 0.045)), (0.8, 0.45, 0.42), 0.01, 0.3),
        Part(limb((-0.5, 0.1, 0.1), (-0.2, 0.09, 0.52), 0.085), tabby, 0.05),
        Part(limb((-0.2, 0.09, 0.52), (0.25, 0.08, 0.5), 0.085, 0.06), tabby, 0.05),
    ]
    for side in (1, -1):
        ear = [(-0.15, 0.0), (0.15, 0.0), (0.02, 0.3)]
        parts.append(
            Part(turned(slab(ear, 0.035, (2, 1, 0), 0.03), (0.22, 1.5, 0.19 * side), x=12 * side, y=-12 * side), plain, 0.04)
        )
        inner = [(-0.09, 0.03), (0.09, 0.03), (0.015, 0.21)]
        parts.append(
            Part(
                turned(slab(inner, 0.035, (2, 1, 0), 0.02), (0.245, 1.5, 0.19 * side), x=12 * side, y=-12 * side),
                (0.75, 0.52, 0.47),
            )
        )
        parts.append(Part(limb((0.2, 0.75, 0.14 * side), (0.3, 0.1, 0.13 * side), 0.11, 0.08), tabby, 0.06))
        parts.append(Part(ellipsoid((0.37, 0.07, 0.13 * side), (0.13, 0.07, 0.085)), pale, 0.04))
        parts.append(Part(ellipsoid((-0.15, 0.28, 0.26 * side), (0.28, 0.25, 0.15)), tabby, 0.06))
        parts.append(Part(ellipsoid((0.478, 1.37, 0.125 * side), (0.05, 0.06, 0.066)), iris, 0.0, 0.9))
        parts.append(Part(ellipsoid((0.515, 1.37, 0.133 * side), (0.025, 0.045, 0.024)), BLACK, 0.0, 0.9))
        for i in (-1, 0, 1):
            start, end = (0.55, 1.22 + 0.02 * i, 0.1 * side), (0.55, 1.2 + 0.09 * i, 0.5 * side)
            parts.append(Part(limb(start, end, 0.007, 0.004), (0.95, 0.95, 0.95)))
    return parts


def frog(skin: Colour = (0.3, 0.5, 0.12), spots: Colour = (0.16, 0.26, 0.07), belly: Colour = (0.85, 0.85, 0.6)) -> list[Part]:
    """A frog, squatting."""

    def back(p: Array) -> Array:
        blot = np.clip((fbm(p * 4.2, 3, 6) - 0.53) * 9, 0, 1)
        fine = 0.75 + 0.5 * fbm(p * 16, 3, 2)
        upper = np.clip((p[1] - 0.16) / 0.14, 0, 1)
        colour = _rgb(skin) * (1 - blot) + _rgb(spots) * blot
        return (_rgb(belly) + (colour - _rgb(belly)) * upper) * fine

    parts = [
        Part(limb((-0.42, 0.3, 0), (0.12, 0.42, 0), 0.27, 0.33), back, gloss=0.35),
        Part(ellipsoid((0.36, 0.52, 0), (0.36, 0.21, 0.36)), back, 0.12, 0.35),
        Part(ellipsoid((0.42, 0.4, 0), (0.3, 0.13, 0.32)), back, 0.05, 0.35),
    ]
    for side in (1, -1):
        parts.append(Part(ball((0.36, 0.7, 0.21 * side), 0.125), back, 0.05, 0.4))
        parts.append(Part(ball((0.4, 0.73, 0.25 * side), 0.095), (0.72, 0.58, 0.12), 0.0, 0.9))
        parts.append(Part(ellipsoid((0.44, 0.735, 0.295 * side), (0.062, 0.045, 0.052)), BLACK, 0.0, 0.9))
        parts.append(Part(limb((-0.5, 0.28, 0.25 * side), (0.02, 0.36, 0.47 * side), 0.17, 0.15), back, 0.05, 0.3))
        parts.append(Part(limb((0.02, 0.33, 0.5 * side), (-0.42, 0.08, 0.52 * side), 0.13, 0.075), back, 0.04, 0.3))
        parts.append(Part(limb((-0.42, 0.06, 0.52 * side), (0.05, 0.05, 0.66 * side), 0.065, 0.05), back, 0.04, 0.3))
        parts.append(Part(limb((0.22, 0.34, 0.3 * side), (0.3, 0.12, 0.46 * side), 0.11, 0.075), back, 0.06, 0.3))
        parts.append(Part(limb((0.3, 0.12, 0.46 * side), (0.5, 0.04, 0.4 * side), 0.07, 0.05), back, 0.04, 0.3))
        for toe in (-0.12, 0.0, 0.12):
            end = (0.68 - abs(toe) * 0.4, 0.03, 0.42 * side + toe)
            parts.append(Part(limb((0.5, 0.04, 0.41 * side), end, 0.028), back, 0.02, 0.3))
            end = (0.28 - abs(toe) * 0.4, 0.03, 0.7 * side + toe)
            parts.append(Part(limb((0.05, 0.04, 0.66 * side), end, 0.028), back, 0.02, 0.3))
    return parts


def songbird(
    back: Colour = (0.35, 0.27, 0.2),
    breast: Colour = (0.8, 0.4, 0.18),
    wing: Colour = (0.25, 0.2, 0.16),
    beak: Colour = (0.2, 0.17, 0.12),
) -> list[Part]:
    """A small bird on a branch."""

    def plumage(p: Array) -> Array:
        mix = np.clip((p[1] - 0.62 - 0.35 * (0.35 - p[0])) / -0.16, 0, 1) * np.clip((p[0] + 0.25) / 0.2, 0, 1)
        fine = 0.72 + 0.55 * fbm(p * np.array([[8], [14], [14]], np.float32), 4, 2)
        return (_rgb(back) + (_rgb(breast) - _rgb(back)) * mix) * fine

    def quills(p: Array) -> Array:
        lines = 0.75 + 0.35 * np.sin((p[1] * 1.2 + p[0] * 0.5) * 60)
        return _rgb(wing) * lines * (0.7 + 0.6 * fbm(p * 8, 3, 5))

    parts = [
        Part(turned(ellipsoid((0, 0, 0), (0.56, 0.34, 0.32)), (0, 0.55, 0), z=28), plumage),
        Part(ball((0.4, 0.95, 0), 0.25), plumage, 0.12),
        Part(limb((0.6, 0.95, 0), (0.82, 0.92, 0), 0.065, 0.012), beak, 0.02, 0.3),
        Part(turned(box((-0.35, 0, 0), (0.42, 0.03, 0.12), 0.03), (-0.4, 0.3, 0), z=24), quills, 0.05),
        Part(
            limb((-1.5, -0.12, -0.25), (1.6, -0.06, 0.2), 0.1, 0.075),
            fur((0.35, 0.27, 0.2), (0.25, 0.19, 0.14), -0.2, 0.1, 7, 0.6),
        ),
    ]
    for side in (1, -1):
        wing_solid = turned(ellipsoid((0, 0, 0), (0.5, 0.2, 0.06)), (-0.14, 0.56, 0.28 * side), x=-8 * side, y=6 * side, z=30)
        parts.append(Part(wing_solid, quills, 0.03))
        parts.append(Part(limb((0.05, 0.3, 0.1 * side), (0.1, -0.02, 0.12 * side), 0.035, 0.022), (0.35, 0.25, 0.2)))
    parts += _eyes((0.51, 1.0, 0.18), 0.05)
    return parts


def ostrich(body: Colour = (0.1, 0.09, 0.09), bare: Colour = (0.72, 0.58, 0.5)) -> list[Part]:
    """An ostrich, standing."""
    plume = fur(body, body, 0, 1, 7, 0.5)
    parts = [
        Part(ellipsoid((0, 1.3, 0), (0.62, 0.4, 0.38)), plume),
        Part(ellipsoid((-0.55, 1.35, 0), (0.32, 0.22, 0.2)), (0.9, 0.88, 0.84), 0.1),
        Part(ellipsoid((-0.2, 1.2, 0), (0.35, 0.2, 0.42)), (0.2, 0.18, 0.17), 0.1),
        Part(limb((0.5, 1.4, 0), (0.72, 1.75, 0), 0.13, 0.075), bare, 0.1),
        Part(limb((0.72, 1.75, 0), (0.7, 2.5, 0), 0.075, 0.06), bare, 0.05),
        Part(ellipsoid((0.76, 2.56, 0), (0.15, 0.1, 0.09)), bare, 0.04),
        Part(limb((0.87, 2.55, 0), (1.05, 2.5, 0), 0.055, 0.03), (0.55, 0.4, 0.3), 0.02),
    ]
    for side in (1, -1):
        parts += _leg((-0.05, 1.05, 0.17 * side), (-0.02 + 0.1 * side, 0.6), (-0.02 - 0.05 * side, 0), 0.15, bare, bare)
        parts.append(
            Part(limb((0.02 - 0.05 * side, 0.05, 0.155 * side), (0.25 - 0.05 * side, 0.03, 0.155 * side), 0.05), bare, 0.03)
        )
    parts += _eyes((0.8, 2.59, 0.07), 0.03)
    return parts
