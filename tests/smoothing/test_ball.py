"""Pictures at exactly a given l2 distance."""

from __future__ import annotations

import pytest
import torch

from core.smoothing.ball import nearest_patch_side, patch, random_direction, spread_evenly


@pytest.mark.parametrize("radius", [0.01, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("make", [spread_evenly, patch, random_direction])
def test_distance_is_exactly_the_radius(make, radius: float) -> None:
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert float((make(image, radius) - image).norm()) == pytest.approx(radius, rel=1e-5)


@pytest.mark.parametrize("radius", [0.01, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("make", [spread_evenly, patch])
def test_values_stay_in_range(make, radius: float) -> None:
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(2))
    changed = make(image, radius)
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1


def test_patch_is_as_small_as_the_radius_allows() -> None:
    image = torch.zeros(3, 8, 8)
    # One black pixel can move by sqrt(3) at most, so 1.7 fits in one and 1.8 needs a square of two.
    assert nearest_patch_side(image, 1.7) == 1
    assert nearest_patch_side(image, 1.8) == 2


def test_a_radius_beyond_the_picture_is_spread() -> None:
    image = torch.full((3, 4, 4), 0.5)
    assert float((patch(image, 10.0) - image).norm()) == pytest.approx(10.0, rel=1e-5)
