"""What a radius means in pictures and grey levels."""

from __future__ import annotations

import pytest
import torch

from core.attacks.at_radius import DIRECTIONS, pictures_at
from core.attacks.balls import distance
from core.errors import LabError
from core.pictures.reading import grey_levels

IMAGE = torch.rand((3, 16, 16), generator=torch.Generator().manual_seed(0))


def test_pictures_at_exactly_the_radius():
    gradient = torch.randn((3, 16, 16), generator=torch.Generator().manual_seed(1))
    found = {at.kind: at for at in pictures_at(IMAGE, 0.5, gradient=gradient)}
    assert tuple(found) == DIRECTIONS
    for at in found.values():
        assert at.missing == ""
        assert at.size == distance(at.pixels, IMAGE, "l2") == pytest.approx(0.5, rel=1e-5)
        assert at.greatest == pytest.approx(255 * float((at.pixels - IMAGE).abs().max()))
    assert found["pixel"].changed == 1
    assert found["grey"].changed == 256
    assert found["grey"].greatest == pytest.approx(grey_levels(0.5, 16, 16), rel=1e-4)
    step = (found["gradient"].pixels - IMAGE).flatten()
    assert float(torch.cosine_similarity(step, gradient.flatten(), dim=0)) > 0.99


def test_what_has_no_room_says_so():
    found = {at.kind: at for at in pictures_at(IMAGE, 2.5)}
    assert found["pixel"].pixels is None
    assert "One pixel" in found["pixel"].missing
    assert found["patch"].pixels is not None
    assert "gradient" not in found
    with pytest.raises(LabError, match="Unknown norm"):
        pictures_at(IMAGE, 0.5, "l9")


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
def test_grey_levels_are_those_of_an_even_step(norm):
    image = torch.full((3, 10, 20), 0.3, dtype=torch.float64)
    assert 255 * distance(image + grey_levels(0.4, 10, 20, norm) / 255, image, norm) == pytest.approx(255 * 0.4, rel=1e-5)
