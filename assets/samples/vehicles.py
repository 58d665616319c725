"""Models of an airliner, a car, trucks and ships. They head along +x; units are about a car's height."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from render import Colour, Part, Pattern
from solids import ball, box, disc, ellipsoid, limb, outline_distance, slab, turned

Array = NDArray[np.float32]

GLASS: Colour = (0.09, 0.12, 0.15)
TYRE: Colour = (0.07, 0.07, 0.08)
STEEL: Colour = (0.68, 0.69, 0.71)
Corners = list[tuple[float, float]]


def _rgb(colour: Colour) -> Array:
    return np.array(colour, np.float32)[:, None]


def _wheel(x: float, z: float, radius: float, half: float = 0.11) -> list[Part]:
    side = np.sign(z)
    return [
        Part(disc((x, radius, z), radius, half, 2, 0.04), TYRE),
        Part(disc((x, radius, z + side * half * 0.75), radius * 0.62, half * 0.35, 2, 0.02), STEEL, gloss=0.5),
        Part(disc((x, radius, z + side * half * 0.85), radius * 0.2, half * 0.35, 2, 0.02), (0.3, 0.3, 0.32), gloss=0.3),
    ]


def _bands(base: Colour, bands: list[tuple[int, float, float, Colour]]) -> Pattern:
    """A base colour with stripes of others: (axis, from, to, colour)."""

    def pattern(p: Array) -> Array:
        colour = np.broadcast_to(_rgb(base), p.shape)
        for axis, low, high, own in bands:
            colour = np.where((p[axis] > low) & (p[axis] < high), _rgb(own), colour)
        return colour

    return pattern


def airliner(
    body: Colour = (0.93, 0.94, 0.95), tail: Colour = (0.12, 0.25, 0.55), belly: Colour = (0.68, 0.71, 0.75)
) -> list[Part]:
    """Two engines under swept wings."""

    def skin(p: Array) -> Array:
        colour = np.where(p[1] < -0.06, _rgb(belly), _rgb(body))
        window = (np.abs(p[1] - 0.05) < 0.022) & (np.abs(p[0]) < 1.45) & ((p[0] * 11) % 1 < 0.5)
        cockpit = (p[0] > 1.72) & (p[0] < 1.84) & (p[1] > 0.03) & (p[1] < 0.1)
        colour = np.where(np.abs(p[1] + 0.045) < 0.018, _rgb(tail), colour)
        return np.where(window | cockpit, _rgb(GLASS), colour)

    wing: Corners = [(0.45, 0.0), (-0.62, 1.85), (-0.86, 1.88), (-0.35, 0.0)]
    small: Corners = [(-1.45, 0.0), (-1.88, 0.68), (-2.04, 0.68), (-1.85, 0.0)]
    fin: Corners = [(-1.25, 0.1), (-1.8, 0.82), (-2.05, 0.82), (-1.85, 0.1)]
    parts = [
        Part(limb((-1.1, 0, 0), (1.6, 0, 0), 0.22), skin, gloss=0.25),
        Part(ellipsoid((1.55, -0.01, 0), (0.45, 0.215, 0.215)), skin, 0.05, 0.25),
    ]
    parts.append(Part(limb((-1.1, 0, 0), (-2.0, 0.1, 0), 0.215, 0.05), skin, 0.05, 0.25))
    grey = tuple(0.86 * c for c in body)
    for side in (1, -1):
        lift = 8 * side  # wings rise outwards
        mirrored: Corners = [(x, side * z) for x, z in wing]
        parts.append(Part(turned(slab(mirrored, 0.028, (0, 2, 1), 0.012), (0, -0.1, 0), x=-lift * 0.6), grey, 0.05, 0.25))
        mirrored = [(x, side * z) for x, z in small]
        parts.append(Part(turned(slab(mirrored, 0.022, (0, 2, 1), 0.01), (0, 0.06, 0), x=-lift * 0.6), grey, 0.03, 0.2))
        parts.append(Part(limb((0.02, -0.24, side * 0.68), (0.42, -0.24, side * 0.68), 0.1, 0.115), body, 0.02, 0.4))
        parts.append(Part(disc((0.52, -0.24, side * 0.68), 0.085, 0.02, 0, 0.01), (0.12, 0.12, 0.13)))
    parts.append(Part(slab(fin, 0.03, (0, 1, 2), 0.015), tail, 0.04, 0.3))
    return parts


def propeller_plane(body: Colour = (0.85, 0.16, 0.13), wing: Colour = (0.95, 0.93, 0.88)) -> list[Part]:
    """A light high-wing aircraft."""
    skin = _bands(body, [(1, -0.06, 0.02, wing)])
    parts = [
        Part(limb((0.55, 0, 0), (-0.35, 0.06, 0), 0.26, 0.24), skin, gloss=0.3),
        Part(limb((-0.35, 0.06, 0), (-1.6, 0.14, 0), 0.23, 0.06), skin, 0.08, 0.3),
        Part(limb((0.55, -0.02, 0), (0.95, -0.03, 0), 0.25, 0.17), body, 0.05, 0.3),
        Part(box((0.15, 0.2, 0), (0.32, 0.16, 0.2), 0.08), GLASS, 0.05, 0.6),
        Part(box((0.1, 0.38, 0), (0.3, 0.035, 1.9), 0.03), wing, 0.02, 0.2),
        Part(box((-1.5, 0.16, 0), (0.17, 0.025, 0.62), 0.02), wing, 0.02, 0.2),
        Part(slab([(-1.3, 0.15), (-1.52, 0.62), (-1.72, 0.62), (-1.68, 0.12)], 0.03), body, 0.03, 0.3),
        Part(ball((1.12, -0.03, 0), 0.07), STEEL, 0.02, 0.4),
        Part(turned(box((0, 0, 0), (0.015, 0.55, 0.05), 0.012), (1.13, -0.03, 0), x=35), (0.2, 0.2, 0.2)),
    ]
    for side in (1, -1):
        parts += [
            Part(limb((0.1, -0.12, side * 0.2), (0.1, 0.36, side * 0.95), 0.02), STEEL),
            Part(limb((0.25, -0.2, side * 0.15), (0.25, -0.48, side * 0.4), 0.03), STEEL),
            Part(disc((0.25, -0.5, side * 0.42), 0.12, 0.05, 2, 0.03), TYRE),
        ]
    return parts


_SALOON: Corners = [(-1.95, 0.3), (-1.98, 0.78), (-1.75, 0.9), (-1.2, 0.93), (0.75, 0.9), (1.7, 0.76), (1.93, 0.6), (1.95, 0.3)]
_SALOON_ROOF: Corners = [(-1.5, 0.86), (-0.85, 1.38), (-0.5, 1.43), (0.15, 1.43), (0.4, 1.36), (1.05, 0.86)]
_HATCH: Corners = [(-1.6, 0.3), (-1.66, 0.8), (-1.55, 0.95), (0.7, 0.95), (1.4, 0.82), (1.62, 0.62), (1.64, 0.3)]
_HATCH_ROOF: Corners = [(-1.58, 0.9), (-1.3, 1.45), (-0.9, 1.52), (0.0, 1.52), (0.3, 1.44), (0.95, 0.9)]
_SPORTS: Corners = [(-1.95, 0.28), (-2.0, 0.72), (-1.8, 0.82), (-1.0, 0.8), (0.7, 0.76), (1.75, 0.58), (2.0, 0.46), (2.0, 0.26)]
_SPORTS_ROOF: Corners = [(-1.55, 0.76), (-0.75, 1.12), (-0.4, 1.16), (0.0, 1.15), (0.2, 1.1), (0.85, 0.74)]
_BODIES = {"saloon": (_SALOON, _SALOON_ROOF), "hatch": (_HATCH, _HATCH_ROOF), "sports": (_SPORTS, _SPORTS_ROOF)}


def car(paint: Colour = (0.72, 0.06, 0.05), body: str = "saloon") -> list[Part]:
    """A car: saloon, hatch or sports."""
    lower, upper = _BODIES[body]
    xs = [x for x, _ in upper]
    belt = max(y for _, y in lower) - 0.02
    top = max(y for _, y in upper)
    front, rear = max(x for x, _ in lower), min(x for x, _ in lower)

    def narrowing(p: Array) -> Array:
        return 0.74 - 0.34 * np.clip(p[1] - belt, 0, 1)

    def cabin(p: Array) -> Array:
        inner = outline_distance(p[0], p[1], upper) < -0.07
        posts = (np.abs(p[0] + 0.25) < 0.035) | (p[1] < belt + 0.03)
        sides = inner & ~posts
        screens = (p[1] < top - 0.07) & (p[1] > belt + 0.03) & (np.abs(p[2]) < narrowing(p) - 0.09) & ~inner
        return np.where(sides | screens, _rgb(GLASS), _rgb(paint))

    def lower_skin(p: Array) -> Array:
        dark = (p[1] < 0.36) | ((p[0] > front - 0.08) & (p[1] < 0.58) & (p[1] > 0.4) & (np.abs(p[2]) < 0.45))
        seam = (np.abs(p[0] + 0.28) < 0.012) | (np.abs(p[0] - 0.62) < 0.012)
        colour = np.where(seam & (p[1] > 0.35), 0.55 * _rgb(paint), _rgb(paint))
        plate = (p[0] > front - 0.05) & (np.abs(p[1] - 0.42) < 0.06) & (np.abs(p[2]) < 0.24)
        colour = np.where(dark, _rgb((0.08, 0.08, 0.09)), colour)
        return np.where(plate, _rgb((0.92, 0.92, 0.88)), colour)

    def sides(p: Array) -> Array:
        return 0.8 - 0.1 * np.clip(np.abs(p[0]) - 1.3, 0, 1) - 0.06 * np.clip((p[1] - 0.6) * 3, 0, 1)

    parts = [
        Part(slab(lower, sides, rounding=0.09), lower_skin, gloss=0.8),
        Part(slab(upper, narrowing, rounding=0.07), cabin, 0.05, 0.9),
    ]
    wheels = (front - 0.68, rear + 0.68)
    for x in wheels:
        for z in (0.72, -0.72):
            parts.append(Part(disc((x, 0.34, z), 0.41, 0.13, 2, 0.02), (0.03, 0.03, 0.03)))
            parts += _wheel(x, z * 1.03, 0.34)
    for z in (0.55, -0.55):
        parts.append(Part(ellipsoid((front - 0.12, lower[-2][1] + 0.02, z), (0.14, 0.08, 0.15)), (0.97, 0.97, 0.9), 0.0, 0.8))
        parts.append(Part(box((rear + 0.05, lower[1][1] - 0.08, z), (0.08, 0.07, 0.14), 0.03), (0.75, 0.03, 0.03), 0.0, 0.5))
        parts.append(Part(ellipsoid((max(xs) - 0.35, belt + 0.1, z * 1.55), (0.07, 0.07, 0.1)), paint, 0.02, 0.6))
    parts.append(Part(box((front - 0.02, 0.34, 0), (0.06, 0.07, 0.66), 0.05), paint, 0.03, 0.6))
    return parts


def lorry(
    cab: Colour = (0.75, 0.1, 0.08), load: Colour = (0.92, 0.92, 0.9), stripe: Colour | None = (0.15, 0.3, 0.6)
) -> list[Part]:
    """A box lorry with its cab over the engine."""
    profile: Corners = [(0.75, 0.4), (0.75, 2.0), (0.95, 2.12), (1.5, 2.08), (1.78, 1.35), (1.84, 0.9), (1.84, 0.4)]

    def face(p: Array) -> Array:
        side = (p[1] > 1.3) & (p[1] < 1.9) & (p[0] > 1.0) & (p[0] < 1.56 - 0.35 * (p[1] - 1.3))
        front = (p[1] > 1.3) & (p[1] < 1.95) & (np.abs(p[2]) < 0.68) & (p[0] > 1.45)
        grille = (p[0] > 1.75) & (p[1] > 0.7) & (p[1] < 1.05) & (np.abs(p[2]) < 0.5) & ((p[1] * 14) % 1 < 0.55)
        colour = np.where(side | front, _rgb(GLASS), _rgb(cab))
        return np.where(grille | (p[1] < 0.5), _rgb((0.1, 0.1, 0.11)), colour)

    bands = [(1, 1.25, 1.5, stripe)] if stripe else []
    ribbed = _bands(load, bands)

    def cargo(p: Array) -> Array:
        return ribbed(p) * np.where((p[0] * 3) % 1 < 0.06, 0.85, 1)

    parts = [
        Part(slab(profile, 0.82, rounding=0.06), face, gloss=0.6),
        Part(box((-0.85, 1.5, 0), (1.5, 0.98, 0.9), 0.04), cargo, 0.0, 0.15),
        Part(box((-0.3, 0.48, 0), (2.0, 0.1, 0.5), 0.03), (0.13, 0.13, 0.14)),
        Part(box((-0.35, 0.5, 0), (0.6, 0.16, 0.8), 0.03), (0.25, 0.25, 0.27)),
        Part(box((1.85, 0.5, 0), (0.06, 0.13, 0.82), 0.04), (0.35, 0.35, 0.37), 0.0, 0.4),
    ]
    for x in (1.25, -1.25, -1.95):
        for z in (0.72, -0.72):
            parts += _wheel(x, z, 0.42, 0.15)
    for z in (0.6, -0.6):
        parts.append(Part(box((1.86, 0.78, z), (0.04, 0.09, 0.14), 0.03), (0.97, 0.96, 0.85), 0.0, 0.6))
        parts.append(Part(box((1.72, 1.6, z * 1.6), (0.05, 0.2, 0.05), 0.03), (0.1, 0.1, 0.1)))
    return parts


def tipper(cab: Colour = (0.93, 0.62, 0.08), bed: Colour = (0.85, 0.5, 0.06)) -> list[Part]:
    """A tipper lorry with a bonnet, loaded with gravel."""
    profile: Corners = [(0.35, 0.5), (0.35, 1.95), (0.55, 2.02), (0.98, 2.0), (1.2, 1.4), (1.9, 1.3), (2.0, 1.15), (2.02, 0.5)]
    trough: Corners = [(-2.1, 1.85), (-1.75, 0.85), (0.2, 0.85), (0.25, 1.85)]

    def face(p: Array) -> Array:
        side = (p[1] > 1.4) & (p[1] < 1.88) & (p[0] > 0.5) & (p[0] < 0.98 - 0.3 * (p[1] - 1.4))
        front = (p[1] > 1.42) & (p[1] < 1.9) & (np.abs(p[2]) < 0.6) & (p[0] > 0.92)
        grille = (p[0] > 1.93) & (p[1] > 0.65) & (p[1] < 1.18) & (np.abs(p[2]) < 0.4)
        return np.where(side | front, _rgb(GLASS), np.where(grille, _rgb((0.25, 0.25, 0.26)), _rgb(cab)))

    parts = [
        Part(slab(profile, lambda p: 0.78 - 0.2 * np.clip((p[0] - 1.1) * 3, 0, 1), rounding=0.07), face, gloss=0.5),
        Part(slab(trough, 0.85, rounding=0.03), lambda p: _rgb(bed) * np.where((p[0] * 2.6) % 1 < 0.12, 0.7, 1), 0.0, 0.3),
        Part(ellipsoid((-0.9, 1.8, 0), (1.05, 0.42, 0.72)), (0.46, 0.4, 0.34), 0.03),
        Part(box((-0.1, 0.6, 0), (1.95, 0.11, 0.45), 0.03), (0.13, 0.13, 0.14)),
        Part(box((2.02, 0.58, 0), (0.07, 0.12, 0.78), 0.04), STEEL, 0.0, 0.6),
        Part(box((0.2, 1.98, 0), (0.45, 0.05, 0.8), 0.03), bed, 0.0, 0.3),
    ]
    for x in (1.45, -0.75, -1.5):
        for z in (0.68, -0.68):
            parts += _wheel(x, z, 0.45, 0.16)
    for z in (0.5, -0.5):
        parts.append(Part(disc((1.98, 0.92, z), 0.11, 0.05, 0, 0.02), (0.97, 0.96, 0.85), 0.0, 0.6))
    return parts


def _hull(length: float, height: float, beam: float, colour: Colour, below: Colour) -> list[Part]:
    corners: Corners = [
        (-length, -0.3),
        (-length * 1.04, height),
        (length * 0.7, height * 1.08),
        (length * 1.1, height * 1.35),
        (length * 0.92, -0.3),
    ]

    def sides(p: Array) -> Array:
        x = np.clip((p[0] / length - 0.15) / 0.9, 0, 1)
        return np.maximum(beam * (1 - x**2) * (0.86 + 0.14 * np.clip(p[1] / height, 0, 1)), 0.03)

    skin = _bands(colour, [(1, -1, height * 0.22, below), (1, height * 0.22, height * 0.28, (0.95, 0.95, 0.95))])
    return [Part(slab(corners, sides, rounding=0.03), skin, gloss=0.25)]


def liner(
    hull: Colour = (0.1, 0.14, 0.28), house: Colour = (0.95, 0.95, 0.94), funnel: Colour = (0.85, 0.2, 0.1)
) -> list[Part]:
    """A passenger ship."""

    def decks(p: Array) -> Array:
        rows = ((p[1] * 5.2) % 1 < 0.42) & ((p[0] * 5) % 1 < 0.62)
        return np.where(rows, _rgb((0.25, 0.32, 0.4)), _rgb(house))

    parts = _hull(2.6, 0.62, 0.62, hull, (0.5, 0.1, 0.08))
    parts += [
        Part(box((-0.35, 0.85, 0), (1.85, 0.22, 0.5), 0.03), decks, 0.0, 0.1),
        Part(box((-0.3, 1.17, 0), (1.55, 0.14, 0.44), 0.03), decks, 0.0, 0.1),
        Part(box((0.85, 1.42, 0), (0.3, 0.14, 0.42), 0.04), decks, 0.0, 0.1),
        Part(limb((1.0, 1.5, 0), (0.95, 2.3, 0), 0.03), (0.8, 0.8, 0.8)),
        Part(limb((1.9, 0.8, 0), (1.88, 1.6, 0), 0.022), (0.8, 0.8, 0.8)),
    ]
    for x in (-0.15, -0.9):
        smoke = _bands(funnel, [(1, 1.82, 3, (0.08, 0.08, 0.09))])
        parts.append(Part(turned(disc((0, 0, 0), 0.2, 0.42, 1, 0.03), (x, 1.6, 0), z=8), smoke, 0.0, 0.2))
    return parts


def freighter(hull: Colour = (0.55, 0.1, 0.08), seed: int = 1) -> list[Part]:
    """A container ship with its house aft."""
    paints = [(0.75, 0.25, 0.12), (0.15, 0.35, 0.6), (0.2, 0.5, 0.3), (0.85, 0.7, 0.25), (0.6, 0.6, 0.62), (0.55, 0.15, 0.15)]
    colours = np.array(paints, np.float32)

    def boxes(p: Array) -> Array:
        column, row = np.floor(p[0] / 0.42).astype(int), np.floor(p[1] / 0.2).astype(int)
        pick = (column * 7 + row * 13 + column * row * 3 + seed) % len(paints)
        gap = ((p[0] / 0.42) % 1 < 0.05) | ((p[1] / 0.2) % 1 < 0.08)
        return colours[pick].T * np.where(gap, 0.45, 1)

    parts = _hull(2.7, 0.62, 0.6, hull, (0.25, 0.06, 0.06))
    heights = (0.3, 0.4, 0.4, 0.3, 0.2)
    parts += [Part(box((-1.05 + 0.68 * i, 0.62 + h, 0), (0.31, h, 0.5), 0.015), boxes) for i, h in enumerate(heights)]
    house = _bands((0.94, 0.94, 0.92), [(1, 1.62, 1.74, (0.12, 0.16, 0.2))])
    parts += [
        Part(box((-2.1, 1.2, 0), (0.33, 0.62, 0.5), 0.03), house, 0.0, 0.1),
        Part(box((-2.0, 1.7, 0), (0.25, 0.14, 0.58), 0.03), house, 0.0, 0.1),
        Part(disc((-2.35, 1.85, 0), 0.13, 0.3, 1, 0.02), (0.15, 0.25, 0.5)),
        Part(limb((-2.0, 1.7, 0), (-2.0, 2.4, 0), 0.025), (0.85, 0.85, 0.85)),
        Part(limb((2.45, 0.8, 0), (2.45, 1.35, 0), 0.025), (0.85, 0.85, 0.85)),
    ]
    return parts


def sailing_boat(hull: Colour = (0.95, 0.95, 0.95), sail: Colour = (0.97, 0.96, 0.92)) -> list[Part]:
    """A sloop under full sail."""

    def belly(p: Array) -> Array:
        return 0.02 + 0 * p[0]

    parts = _hull(1.25, 0.3, 0.36, hull, (0.12, 0.2, 0.45))
    main: Corners = [(-1.05, 0.52), (0.1, 0.52), (0.1, 3.1)]
    jib: Corners = [(0.22, 0.6), (1.3, 0.42), (0.2, 2.7)]
    parts += [
        Part(slab(main, belly, rounding=0.01, offset=0.05), sail),
        Part(slab(jib, belly, rounding=0.01, offset=-0.05), sail),
        Part(limb((0.15, 0.2, 0), (0.13, 3.25, 0), 0.035, 0.02), (0.45, 0.35, 0.25)),
        Part(limb((0.15, 0.48, 0), (-1.15, 0.48, 0.05), 0.03), (0.45, 0.35, 0.25)),
        Part(box((-0.15, 0.36, 0), (0.5, 0.1, 0.2), 0.04), (0.6, 0.42, 0.26)),
    ]
    return parts
