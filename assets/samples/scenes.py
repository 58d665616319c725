"""The sample pictures: which model, in which setting, from where.

Angles, colours and light were found by trying some forty of each class at random and keeping those that the bundled
classifier got right most reliably when the picture was shifted, blurred, darkened, compressed or made noisy.
"""

from __future__ import annotations

from dataclasses import replace

import animals
import vehicles
from render import Part, Scene, Setting

PALE = ((0.5, 0.66, 0.85), (0.85, 0.9, 0.95))
BLUE = ((0.22, 0.46, 0.82), (0.68, 0.82, 0.95))
DEEP_BLUE = ((0.1, 0.3, 0.7), (0.4, 0.62, 0.9))
OVERCAST = ((0.62, 0.66, 0.7), (0.82, 0.84, 0.86))
INDOORS = ((0.55, 0.6, 0.66), (0.45, 0.5, 0.56))

FOREST = ((0.08, 0.16, 0.06), (0.3, 0.44, 0.16))
HEDGE = ((0.14, 0.24, 0.08), (0.42, 0.52, 0.22))
AUTUMN = ((0.25, 0.17, 0.08), (0.6, 0.45, 0.2))
HILLS = ((0.3, 0.36, 0.4), (0.48, 0.53, 0.52))

OPEN_SKY = Setting(ground=None, sky=DEEP_BLUE)
MEADOW = Setting(ground_colours=((0.22, 0.34, 0.08), (0.5, 0.6, 0.22)), sky=BLUE, clouds=0.3, band=0.4, band_colours=FOREST)
LAWN = replace(MEADOW, ground_colours=((0.16, 0.36, 0.07), (0.36, 0.58, 0.16)), sky=OVERCAST, band=0.14)
SAVANNA = replace(MEADOW, ground_colours=((0.5, 0.42, 0.2), (0.72, 0.63, 0.36)), sky=PALE, band=0.14, band_colours=AUTUMN)
SOIL = Setting(ground_colours=((0.2, 0.14, 0.08), (0.45, 0.33, 0.2)), clouds=0)
CONCRETE = Setting(
    ground="road", ground_colours=((0.55, 0.54, 0.52), (0.7, 0.69, 0.66)), clouds=0.3, band=0.3, band_colours=HEDGE
)
TARMAC = replace(CONCRETE, ground_colours=((0.3, 0.3, 0.31), (0.47, 0.46, 0.45)), sky=PALE, band=0.23, band_colours=FOREST)
SEA = Setting(ground="water", ground_colours=((0.1, 0.2, 0.2), (0.16, 0.3, 0.28)), sky=PALE, band=0.03, band_colours=HILLS)
ROOM = Setting(ground="carpet", ground_colours=((0.5, 0.33, 0.2), (0.66, 0.46, 0.28)), sky=INDOORS, clouds=0, sunlight=0.85)

YELLOW, RED, CREAM = (0.85, 0.65, 0.1), (0.72, 0.06, 0.05), (0.95, 0.93, 0.88)


def _scene(
    parts: list[Part],
    setting: Setting,
    view: tuple[float, float, float],
    sun: tuple[float, float, float],
    seed: int,
    roll: float = 0.0,
) -> Scene:
    """``view``: yaw and pitch in degrees, and the share of the picture that is filled."""
    yaw, pitch, fill = view
    return Scene(parts, replace(setting, sun=sun, seed=seed), yaw, pitch, fill, roll=roll)


def scenes() -> dict[str, tuple[Scene, bool]]:
    """Each picture by name: its scene, and whether it is mirrored at the end (so that not all look to the right)."""
    return {
        "light-aircraft": (
            _scene(
                vehicles.propeller_plane(YELLOW, CREAM),
                replace(OPEN_SKY, clouds=0.14),
                (27.9, 15.6, 0.92),
                (0.58, 1.0, 0.89),
                38,
                1.0,
            ),
            True,
        ),
        "airliner": (
            _scene(
                vehicles.airliner(tail=(0.7, 0.1, 0.1)),
                replace(OPEN_SKY, clouds=0.1),
                (-8.1, -1.4, 0.9),
                (-0.38, 0.68, 0.69),
                36,
                -6.4,
            ),
            True,
        ),
        "yellow-car": (
            _scene(vehicles.car(YELLOW, "hatch"), replace(CONCRETE, sky=BLUE), (42.5, 7.2, 0.94), (0.13, 0.7, 0.72), 74),
            True,
        ),
        "red-car": (
            _scene(vehicles.car(RED, "hatch"), replace(CONCRETE, sky=PALE), (33.5, 16.9, 0.89), (0.63, 0.74, 0.43), 5),
            True,
        ),
        "songbird": (
            _scene(
                animals.songbird((0.2, 0.3, 0.5), (0.85, 0.7, 0.25)),
                Setting(ground=None, clouds=0, band=3.0, band_colours=FOREST),
                (41.5, -0.6, 1.4),
                (0.62, 0.74, 0.47),
                69,
            ),
            True,
        ),
        "ostrich": (_scene(animals.ostrich(), SAVANNA, (55.8, 6.7, 0.83), (-0.46, 0.68, 0.54), 88), False),
        "black-cat": (
            _scene(animals.cat((0.2, 0.18, 0.18), (0.25, 0.25, 0.26)), ROOM, (67.2, 14.0, 0.86), (-0.33, 0.68, 0.62), 73),
            True,
        ),
        "stag": (_scene(animals.deer((0.6, 0.4, 0.22)), LAWN, (59.4, 13.3, 0.97), (0.1, 0.69, 0.68), 70), True),
        "stag-in-dry-grass": (
            _scene(animals.deer(stride=0.12), replace(SAVANNA, sky=OVERCAST), (-35.1, 11.2, 0.77), (0.74, 0.96, 0.36), 44),
            False,
        ),
        "white-dog": (
            _scene(
                animals.dog((0.9, 0.87, 0.82), ears=(0.12, 0.09, 0.08), sitting=False),
                MEADOW,
                (58.7, 16.3, 0.95),
                (0.25, 0.6, 0.6),
                57,
            ),
            True,
        ),
        "frog-from-above": (
            _scene(
                animals.frog(spots=(0.2, 0.14, 0.07)),
                replace(SOIL, ground_colours=((0.12, 0.11, 0.1), (0.32, 0.29, 0.24))),
                (-0.8, 36.8, 1.0),
                (-0.49, 0.81, 0.64),
                66,
            ),
            False,
        ),
        "frog": (_scene(animals.frog(belly=(0.7, 0.6, 0.4)), SOIL, (72.3, 35.9, 0.92), (0.22, 0.8, 0.46), 31), True),
        "bay-horse": (
            _scene(
                animals.horse((0.3, 0.15, 0.08), stride=0.07, head=0.3),
                replace(SAVANNA, sky=OVERCAST, band=0.64),
                (-39.7, 8.0, 0.83),
                (0.27, 0.65, 0.42),
                62,
            ),
            True,
        ),
        "black-horse": (
            _scene(
                animals.horse((0.2, 0.13, 0.1), stride=0.08),
                replace(MEADOW, ground="leaves", sky=PALE, band=0.54),
                (-2.2, 8.0, 0.97),
                (0.77, 0.73, 0.58),
                39,
            ),
            True,
        ),
        "ocean-liner": (_scene(vehicles.liner(), SEA, (-7.1, 3.5, 0.76), (0.36, 0.8, 0.69), 70), True),
        "container-ship": (
            _scene(
                vehicles.freighter(seed=5),
                replace(SEA, band=0.08, band_colours=FOREST),
                (32.6, 6.0, 0.84),
                (0.75, 0.81, 0.7),
                81,
            ),
            False,
        ),
        "box-lorry": (
            _scene(
                vehicles.lorry(YELLOW, (0.3, 0.4, 0.6)),
                replace(CONCRETE, sky=BLUE),
                (32.1, 14.5, 0.95),
                (-0.25, 0.75, 0.64),
                78,
            ),
            True,
        ),
        "tipper-lorry": (
            _scene(vehicles.tipper(RED, (0.85, 0.5, 0.06)), TARMAC, (-31.6, 4.3, 0.8), (0.09, 0.63, 0.9), 66),
            True,
        ),
    }
