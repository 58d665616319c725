"""A small renderer for the sample pictures: solids given by distance, found by sphere tracing, lit by one sun and a sky.

Distances and their smooth unions follow Hart (1996, "Sphere tracing"). Points are (3, N) float32 arrays:
x to the right (the way a model looks), y up, z towards the viewer. Colours are sRGB in [0, 1] wherever they are written down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from noise import fbm
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
Distance = Callable[[Array], Array]
Colour = tuple[float, float, float]
Pattern = Callable[[Array], Array]


@dataclass(frozen=True)
class Part:
    """A solid: its distance, its colour (or a pattern of points), how softly it melts into the parts before it, its gloss."""

    distance: Distance
    colour: Colour | Pattern
    melt: float = 0.0
    gloss: float = 0.0


@dataclass(frozen=True)
class Setting:
    """Where the model stands: sky, ground, the band of trees or hills at the horizon, and the sun."""

    ground: str | None = "grass"  # one of _GRAIN; None for the open sky
    ground_colours: tuple[Colour, Colour] = ((0.25, 0.36, 0.12), (0.52, 0.58, 0.25))
    sky: tuple[Colour, Colour] = ((0.32, 0.55, 0.86), (0.80, 0.88, 0.95))  # zenith, horizon
    clouds: float = 0.5
    band: float = 0.0  # height of the trees, as a slope
    band_colours: tuple[Colour, Colour] = ((0.10, 0.20, 0.08), (0.30, 0.42, 0.18))
    sun: tuple[float, float, float] = (0.5, 0.8, 0.6)
    sunlight: float = 1.0
    fog: float = 0.12
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """A model in its setting, as the camera sees it."""

    parts: list[Part]
    setting: Setting = field(default_factory=Setting)
    yaw: float = 20.0  # degrees; 0 is the side view, 90 looks it in the face
    pitch: float = 10.0  # degrees above the ground
    fill: float = 0.85  # share of the picture that the model fills
    shift: tuple[float, float] = (0.0, 0.0)  # of the model in the picture, in half sides
    distance: float = 5.0  # of the camera, in sizes of the model
    roll: float = 0.0


def _unit(v: Array) -> Array:
    return v / np.sqrt(np.einsum("i...,i...->...", v, v) + 1e-12)


def _linear(colour: Array) -> Array:
    return np.clip(colour, 0, 1) ** 2.2


class _Solid:
    """All parts of a scene as one distance field."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts

    def __call__(self, p: Array) -> Array:
        total = self.parts[0].distance(p)
        for part in self.parts[1:]:
            d = part.distance(p)
            if part.melt:
                h = np.clip(0.5 + 0.5 * (total - d) / part.melt, 0, 1)
                total = total + (d - total) * h - part.melt * h * (1 - h)
            else:
                total = np.minimum(total, d)
        return total

    def material(self, p: Array) -> tuple[Array, Array]:
        """Linear (3, N) colour and (N,) gloss at the surface."""
        total, colour, gloss = None, None, None
        for part in self.parts:
            d = part.distance(p)
            own = part.colour(p) if callable(part.colour) else np.array(part.colour, np.float32)[:, None]
            if total is None:
                total, colour, gloss = d, np.broadcast_to(own, p.shape), np.full(d.shape, part.gloss, np.float32)
                continue
            soft = max(part.melt, 1e-4)
            h = np.clip(0.5 + 0.5 * (total - d) / soft, 0, 1)
            if part.melt:
                total = total + (d - total) * h - part.melt * h * (1 - h)
                h = np.clip((h - 0.5) * 2.5 + 0.5, 0, 1)  # colours melt over a shorter way than shapes
            else:
                total = np.minimum(total, d)
            colour, gloss = colour + (own - colour) * h, gloss + (part.gloss - gloss) * h
        return _linear(colour), gloss

    def normal(self, p: Array, step: float = 0.004) -> Array:
        corners = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32)
        return _unit(sum(corner[:, None] * self(p + step * corner[:, None]) for corner in corners))

    def trace(self, origin: Array, way: Array, near: Array, far: Array, steps: int = 72) -> Array:
        """Way to the surface along each ray, inf where there is none."""
        t = near.copy()
        hit = np.full(t.shape, np.inf, np.float32)
        live = np.flatnonzero(near < far)
        for _ in range(steps):
            if not live.size:
                break
            d = self(origin[:, live] + t[live] * way[:, live])
            done = d < 0.0015
            hit[live[done]] = t[live[done]]
            t[live] += 0.85 * d
            live = live[~done & (t[live] < far[live])]
        return hit

    def shadow(self, p: Array, sun: Array, far: float, steps: int = 22) -> Array:
        """Share of the sun that reaches each point: soft shadows from the narrowest pass of the ray."""
        lit = np.ones(p.shape[1], np.float32)
        t = np.full(p.shape[1], 0.03, np.float32)
        live = np.arange(p.shape[1])
        for _ in range(steps):
            if not live.size:
                break
            d = self(p[:, live] + t[live] * sun[:, None])
            lit[live] = np.minimum(lit[live], np.clip(9 * d / t[live], 0, 1))
            t[live] += np.clip(d, 0.02, 0.5)
            live = live[(lit[live] > 0.01) & (t[live] < far)]
        return lit * lit * (3 - 2 * lit)


def _bounds(solid: _Solid) -> tuple[Array, float]:
    """Centre and radius of a sphere round the model, found on a coarse lattice."""
    ticks = np.arange(-4, 4.01, 0.25, np.float32)
    p = np.stack([axis.ravel() for axis in np.meshgrid(ticks, ticks, ticks, indexing="ij")])
    inside = p[:, solid(p) < 0.2]
    centre = (inside.min(1) + inside.max(1)) / 2
    return centre, float(np.sqrt(((inside - centre[:, None]) ** 2).sum(0)).max()) + 0.05


def _sphere_span(origin: Array, way: Array, centre: Array, radius: float) -> tuple[Array, Array]:
    b = np.einsum("ij,ij->j", centre[:, None] - origin, way)
    rest = ((centre[:, None] - origin) ** 2).sum(0) - b * b
    half = np.sqrt(np.clip(radius * radius - rest, 0, None))
    return np.where(half > 0, np.maximum(b - half, 0), np.inf).astype(np.float32), (b + half).astype(np.float32)


def _sky(way: Array, setting: Setting) -> Array:
    """Linear colour of the sky, and of what stands at the horizon, along each ray."""
    up = np.clip(way[1], 0, 1)
    top, low = (np.array(c, np.float32)[:, None] for c in setting.sky)
    colour = low + (top - low) * np.clip(1.6 * up, 0, 1) ** 0.6
    if setting.clouds:
        q = np.stack([way[0] * 1.6, way[1] * 3.2, way[2] * 1.6]).astype(np.float32)
        cover = np.clip((fbm(q * 1.7 + 3, 5, setting.seed) - 0.62 + 0.3 * setting.clouds) * 4, 0, 1)
        colour = colour + (np.array([[0.97], [0.97], [0.98]], np.float32) - colour) * cover * 0.9
    if setting.band:
        azimuth = np.arctan2(way[0], -way[2])
        line = np.stack([azimuth * 5, np.zeros_like(azimuth), np.zeros_like(azimuth)]).astype(np.float32)
        height = setting.band * (0.55 + 0.9 * fbm(line, 4, setting.seed + 5))
        q = np.stack([azimuth * 13, way[1] * 16, np.zeros_like(azimuth)]).astype(np.float32)
        dark, light = (np.array(c, np.float32)[:, None] for c in setting.band_colours)
        leaf = np.clip((fbm(q, 3, setting.seed + 9) - 0.5) * 2.6 + 0.5, 0, 1)
        inside = np.clip((height - way[1]) * 25, 0, 1)
        colour = colour + (dark + (light - dark) * leaf - colour) * inside
    return _linear(colour)


_GRAIN = {  # (scale along x and z, octaves, contrast) of each kind of ground
    "grass": (7.0, 5, 1.9),
    "sand": (6.0, 4, 0.7),
    "road": (14.0, 3, 0.6),
    "carpet": (14.0, 3, 0.6),
    "leaves": (3.2, 4, 1.6),
    "floor": (1.3, 3, 0.8),
    "water": (1.0, 3, 1.0),
}


def _ground(p: Array, setting: Setting) -> Array:
    scale, octaves, contrast = _GRAIN[str(setting.ground)]
    zero = np.zeros_like(p[0])
    fine = fbm(np.stack([p[0] * scale, zero, p[2] * scale]), octaves, setting.seed + 2)
    broad = fbm(np.stack([p[0] * 0.7, zero, p[2] * 0.7]), 3, setting.seed + 3)
    mix = np.clip((0.6 * fine + 0.4 * broad - 0.5) * 1.7 * contrast + 0.5, 0, 1)
    a, b = (np.array(c, np.float32)[:, None] for c in setting.ground_colours)
    colour = a + (b - a) * mix
    if setting.ground == "floor":
        plank = np.floor(p[2] / 0.55)
        colour = colour * (0.88 + 0.2 * ((plank * 0.618) % 1))
        colour = colour * np.where(np.abs(p[2] / 0.55 - plank - 0.5) > 0.47, 0.7, 1)
    if setting.ground == "road":  # it runs along x: a dashed line before the verge, and the verge
        line = (np.abs(p[2] + 1.75) < 0.06) & ((p[0] / 1.9) % 1 < 0.55)
        verge = np.clip((-3.1 - p[2] + 0.5 * (broad - 0.5)) * 8, 0, 1)
        green = np.array([[0.24], [0.33], [0.12]], np.float32) + np.array([[0.24], [0.24], [0.12]], np.float32) * mix
        colour = np.where(line, 0.82, colour)
        colour = colour + (green - colour) * verge
    return _linear(colour)


def _shade(solid: _Solid, p: Array, way: Array, setting: Setting, sun: Array, far: float) -> Array:
    """Linear light that surface points send back along their rays."""
    if not p.shape[1]:
        return p
    normal = solid.normal(p)
    albedo, gloss = solid.material(p)
    facing = np.clip(np.einsum("ij,i->j", normal, sun), 0, 1)
    lit = facing * solid.shadow(p + 0.02 * normal, sun, far)
    open_sky = np.ones_like(lit)
    for reach in (0.06, 0.16, 0.36):
        open_sky -= np.clip(reach - solid(p + reach * normal), 0, None) / reach * 0.25
    sky, low = (_linear(np.array(c, np.float32))[:, None] for c in setting.sky)
    upward = 0.5 + 0.5 * normal[1]
    ground = _linear(np.mean(np.array(setting.ground_colours, np.float32), axis=0))[:, None] if setting.ground else low * 0.6
    ambient = 0.55 * (0.5 * sky + 0.5 * low) * upward + 0.45 * ground * (1 - upward)
    warm = np.array([[1.0], [0.95], [0.86]], np.float32) * 1.15 * setting.sunlight
    light = albedo * (warm * lit + ambient * np.clip(open_sky, 0.15, 1) * 1.1)
    if gloss.any():
        mirror = way - 2 * np.einsum("ij,ij->j", way, normal) * normal
        fresnel = gloss * (0.08 + 0.92 * np.clip(1 + np.einsum("ij,ij->j", way, normal), 0, 1) ** 4)
        seen = np.where(mirror[1] > 0, _sky(mirror, setting), ground)
        spark = np.clip(np.einsum("ij,i->j", mirror, sun), 0, 1) ** 60 * lit
        light = light * (1 - fresnel) + seen * fresnel + gloss * spark * 0.9
    return light


def _ripples(p: Array, far: Array, seed: int) -> Array:
    """Normals of the water: the slope of its noise, calmer far away."""
    q = np.stack([p[0] * 1.6, np.zeros_like(p[0]), p[2] * 3.2])
    step = 0.05
    here = fbm(q, 4, seed)
    dx = fbm(q + np.array([[step], [0], [0]], np.float32), 4, seed) - here
    dz = fbm(q + np.array([[0], [0], [step]], np.float32), 4, seed) - here
    calm = 0.22 / (1 + 0.04 * far)
    return _unit(np.stack([-dx / step * calm, np.ones_like(here), -dz / step * calm]))


def render(scene: Scene, side: int = 256, oversample: int = 3) -> Image.Image:
    """Render a scene as a square RGB picture.

    Args:
        scene: what to draw.
        side: pixels on each side.
        oversample: rays along each side of a pixel.
    """
    solid, setting = _Solid(scene.parts), scene.setting
    centre, radius = _bounds(solid)
    yaw, pitch, roll = np.radians([scene.yaw, scene.pitch, scene.roll])
    back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], np.float32)
    eye = centre + back * radius * scene.distance
    if setting.ground:
        eye[1] = max(eye[1], 0.12)
    forward = _unit(centre - eye)
    right = _unit(np.cross(forward, np.array([0, 1, 0], np.float32)))
    up = np.cross(right, forward)
    right, up = right * np.cos(roll) + up * np.sin(roll), up * np.cos(roll) - right * np.sin(roll)

    def rays(us: Array, vs: Array) -> Array:
        u, v = np.meshgrid(us, vs)
        return _unit(forward[:, None] + u.ravel() * right[:, None] + v.ravel() * up[:, None]).astype(np.float32)

    # A first, coarse look finds where the model is in the picture; the window is then laid round it.
    wide = np.linspace(-1.1, 1.1, 56, dtype=np.float32) / scene.distance
    way = rays(wide, wide[::-1])
    origin = np.broadcast_to(eye[:, None], way.shape)
    seen = np.isfinite(solid.trace(origin, way, *_sphere_span(origin, way, centre, radius), steps=40)).reshape(56, 56)
    us, vs = wide[seen.any(0)], wide[::-1][seen.any(1)]
    half = max(np.ptp(us), np.ptp(vs)) / 2 / scene.fill
    middle_u = (us.min() + us.max()) / 2 - scene.shift[0] * half
    middle_v = (vs.min() + vs.max()) / 2 - scene.shift[1] * half
    ticks = ((np.arange(side * oversample, dtype=np.float32) + 0.5) / (side * oversample) * 2 - 1) * half
    way = rays(ticks + middle_u, middle_v - ticks)
    origin = np.broadcast_to(eye[:, None], way.shape)

    sun = _unit(np.array(setting.sun, np.float32))
    hit = solid.trace(origin, way, *_sphere_span(origin, way, centre, radius))
    light = _sky(way, setting)
    if setting.ground:
        to_ground = np.where(way[1] < -1e-4, -eye[1] / np.minimum(way[1], -1e-4), np.inf)
        on_ground = np.flatnonzero(to_ground < np.minimum(hit, 400))
        p = origin[:, on_ground] + to_ground[on_ground] * way[:, on_ground]
        light[:, on_ground] = _ground_light(
            solid, p, way[:, on_ground], to_ground[on_ground], setting, sun, eye, centre, radius
        )
        hit = np.where(hit < to_ground, hit, np.inf)
    on = np.flatnonzero(np.isfinite(hit))
    light[:, on] = _shade(solid, origin[:, on] + hit[on] * way[:, on], way[:, on], setting, sun, 2 * radius)
    picture = np.clip(light, 0, 1) ** (1 / 2.2)
    full = (picture.T.reshape(side * oversample, side * oversample, 3) * 255).round().astype(np.uint8)
    return Image.fromarray(full).resize((side, side), Image.Resampling.BOX) if oversample > 1 else Image.fromarray(full)


def _ground_light(
    solid: _Solid, p: Array, way: Array, far: Array, setting: Setting, sun: Array, eye: Array, centre: Array, radius: float
) -> Array:
    low = _linear(np.array(setting.sky[1], np.float32))[:, None]
    if setting.ground == "water":
        normal = _ripples(p, far, setting.seed)
        mirror = _unit(way - 2 * np.einsum("ij,ij->j", way, normal) * normal)
        mirror[1] = np.abs(mirror[1]) + 1e-3
        seen = _sky(mirror, setting)
        start, end = _sphere_span(p, mirror, centre, radius)
        back = solid.trace(p, mirror, np.maximum(start, 0.02), end, steps=40)
        on = np.flatnonzero(np.isfinite(back))
        seen[:, on] = _shade(solid, p[:, on] + back[on] * mirror[:, on], mirror[:, on], setting, sun, 2 * radius)
        fresnel = 0.06 + 0.94 * np.clip(1 + np.einsum("ij,ij->j", way, normal), 0, 1) ** 4
        light = _ground(p, setting) * (1 - fresnel) + seen * fresnel
        lit = np.clip(np.einsum("ij,i->j", mirror, sun), 0, 1) ** 90
        light = light + 0.5 * lit * setting.sunlight
    else:
        lit = np.ones(p.shape[1], np.float32)
        near = np.flatnonzero(_sphere_span(p, np.broadcast_to(sun[:, None], p.shape), centre, radius)[0] < np.inf)
        lit[near] = solid.shadow(p[:, near] + np.array([[0], [0.01], [0]], np.float32), sun, 3 * radius, steps=30)
        around = np.ones_like(lit)
        close = np.flatnonzero(((p - centre[:, None]) ** 2).sum(0) < (1.5 * radius) ** 2)
        for reach in (0.1, 0.3):
            raised = p[:, close] + np.array([[0], [reach], [0]], np.float32)
            around[close] -= np.clip(reach - solid(raised), 0, None) / reach * 0.3
        sky = _linear(np.array(setting.sky[0], np.float32))[:, None]
        light = _ground(p, setting) * (setting.sunlight * 1.05 * sun[1] * lit + 0.5 * (0.4 * sky + 0.6 * low) * around)
    away = np.clip(far / np.linalg.norm(eye - centre) - 1, 0, None)  # in distances of the model: 0 where it stands
    return light + (low * 0.8 - light) * (1 - np.exp(-setting.fog * away)) * 0.75
