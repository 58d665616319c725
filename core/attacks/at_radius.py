"""What a radius means: pictures at exactly that distance in several directions."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from core.attacks.balls import check_norm, check_radius, distance, settled, stretched
from core.attacks.simple import SIMPLE_KINDS, simple_change
from core.errors import LabError

DIRECTIONS = (*SIMPLE_KINDS, "gradient")


@dataclass(frozen=True)
class AtRadius:
    """A picture at a radius in one direction.

    Attributes:
        kind: one of :data:`DIRECTIONS`.
        pixels: (3, H, W) float32 in [0, 1], or None where [0, 1] has no room for so much in this direction.
        size: how far away it really is: the radius but for float32 rounding.
        greatest: the greatest change of a value, in grey levels of 255.
        changed: pixels that changed at all.
        missing: one sentence where there is no picture.
    """

    kind: str
    pixels: Tensor | None = field(repr=False, compare=False)
    size: float = 0.0
    greatest: float = 0.0
    changed: int = 0
    missing: str = ""


def pictures_at(
    image: Tensor, radius: float, norm: str = "l2", *, seed: int = 0, gradient: Tensor | None = None
) -> tuple[AtRadius, ...]:
    """Pictures at exactly a radius: random, one pixel, patch, grey and, where a change is given, along it.

    Args:
        image: (3, H, W) in [0, 1].
        radius, norm: how far away.
        seed: of the random ones.
        gradient: (3, H, W), a change or gradient to go along: that of an attack, for instance.

    Raises:
        LabError: where the norm or radius is out of range.
    """
    check_norm(norm)
    check_radius(radius)
    found = []
    for kind in DIRECTIONS:
        if kind == "gradient" and gradient is None:
            continue
        try:
            if kind == "gradient":
                assert gradient is not None
                picture = settled(stretched(gradient, image, norm, radius), image, norm, radius)
            else:
                picture = simple_change(kind, image, norm, radius, seed=seed)
        except LabError as error:
            found.append(AtRadius(kind, None, missing=str(error)))
            continue
        away = (picture - image).abs()
        found.append(
            AtRadius(kind, picture, distance(picture, image, norm), 255 * float(away.max()), int((away.amax(dim=0) > 0).sum()))
        )
    return tuple(found)
