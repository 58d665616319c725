"""What a radius means: changes without gradients, pictures at a radius, grey levels, the nearest picture of another class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.attacks.at_radius import DIRECTIONS, SIMPLE_KINDS, nearest_of_another_class, pictures_at_radius, simple_change
from core.attacks.balls import Ball, distance
from core.attacks.request import NORMS
from core.data.datasets import LabelledImages
from core.data.shapes import make_shapes
from core.errors import LabError
from core.pictures.reading import grey_levels_of_radius

IMAGE = torch.rand((3, 16, 16), generator=torch.Generator().manual_seed(0))
SMALL = torch.rand((3, 8, 8), generator=torch.Generator().manual_seed(0))
ORDERS = {"l2": 2, "linf": np.inf, "l1": 1}
SHAPES, LABELS = make_shapes(60, seed=4)
DATA = LabelledImages(SHAPES, LABELS, torch.arange(60) * 3, None)


@pytest.mark.parametrize("kind", SIMPLE_KINDS)
@pytest.mark.parametrize("norm", NORMS)
def test_exactly_the_radius_and_within_the_box(kind, norm):
    for radius in (0.02, 0.3):
        for seed in range(3):
            picture = simple_change(kind, Ball(SMALL, norm, radius), seed=seed)
            reached = np.linalg.norm((picture.double() - SMALL.double()).flatten().numpy(), ORDERS[norm])
            assert radius * (1 - 1e-3) <= reached <= radius
            assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
    assert torch.equal(simple_change(kind, Ball(SMALL, norm, 0.3), seed=2), picture)


def changed(picture):
    return ((picture - SMALL).abs().amax(dim=0) > 0).nonzero()


def test_one_pixel_is_one_pixel_and_the_seed_says_which():
    places = set()
    for seed in range(10):
        where = changed(simple_change("pixel", Ball(SMALL, "l2", 0.6), seed=seed))
        assert len(where) == 1
        places.add(tuple(where[0].tolist()))
    assert len(places) > 3


def test_a_patch_is_a_square_as_small_as_can_be():
    where = changed(simple_change("patch", Ball(SMALL, "l2", 2.0)))
    height, width = (where.max(dim=0).values - where.min(dim=0).values + 1).tolist()
    assert height == width == len(where) ** 0.5
    # A square a pixel narrower could not have held it, were all its values to go all the way: 1 is the longest way.
    assert (height - 1) ** 2 * 3 < 2.0**2 / 0.25


def test_grey_is_the_same_step_everywhere():
    change = simple_change("grey", Ball(torch.full((3, 8, 8), 0.3), "l2", 0.5)) - 0.3
    torch.testing.assert_close(change, torch.full((3, 8, 8), 0.5 / 192**0.5))


def test_no_room_is_told():
    with pytest.raises(LabError, match="One pixel of this picture can change by"):
        simple_change("pixel", Ball(SMALL, "l2", 1.8))
    with pytest.raises(LabError, match="The whole picture can change"):
        simple_change("patch", Ball(SMALL, "l2", 50.0))
    with pytest.raises(LabError, match="Unknown change 'shift'"):
        simple_change("shift", Ball(SMALL, "l2", 0.1))
    with pytest.raises(LabError, match="radius is 0"):
        simple_change("grey", Ball(SMALL, "l2", 0.0))


def test_pictures_at_exactly_the_radius():
    gradient = torch.randn((3, 16, 16), generator=torch.Generator().manual_seed(1))
    found = {at.kind: at for at in pictures_at_radius(IMAGE, 0.5, gradient=gradient)}
    assert tuple(found) == DIRECTIONS
    for at in found.values():
        assert at.missing == ""
        assert at.size == distance(at.pixels, IMAGE, "l2") == pytest.approx(0.5, rel=1e-5)
        assert at.greatest == pytest.approx(255 * float((at.pixels - IMAGE).abs().max()))
    assert found["pixel"].changed == 1
    assert found["grey"].changed == 256
    assert found["grey"].greatest == pytest.approx(grey_levels_of_radius(0.5, 16, 16), rel=1e-4)
    step = (found["gradient"].pixels - IMAGE).flatten()
    assert float(torch.cosine_similarity(step, gradient.flatten(), dim=0)) > 0.99


def test_what_has_no_room_says_so():
    found = {at.kind: at for at in pictures_at_radius(IMAGE, 2.5)}
    assert found["pixel"].pixels is None
    assert "One pixel" in found["pixel"].missing
    assert found["patch"].pixels is not None
    assert "gradient" not in found
    with pytest.raises(LabError, match="Unknown norm"):
        pictures_at_radius(IMAGE, 0.5, "l9")


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
def test_grey_levels_are_those_of_an_even_step(norm):
    image = torch.full((3, 10, 20), 0.3, dtype=torch.float64)
    spread = image + grey_levels_of_radius(0.4, 10, 20, norm) / 255
    assert 255 * distance(spread, image, norm) == pytest.approx(255 * 0.4, rel=1e-5)


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("linf", np.inf), ("l1", 1)])
def test_it_is_the_nearest(norm, order):
    image, label = SHAPES[13].float() / 255, int(LABELS[13])
    found = nearest_of_another_class(image, label, DATA, norm)
    flat = SHAPES.double().div(255).flatten(1).numpy()
    distances = np.linalg.norm(flat - image.double().flatten().numpy(), order, axis=1)
    distances[LABELS.numpy() == label] = np.inf
    row = int(distances.argmin())
    assert (found.idx, found.label) == (3 * row, int(LABELS[row]))
    assert found.distance == pytest.approx(distances[row], rel=1e-6)
    assert found.searched == 54
    assert found.share(0.5) == pytest.approx(0.5 / distances[row])
    assert torch.equal(found.pixels, SHAPES[row])


def test_what_cannot_be_compared():
    with pytest.raises(LabError, match="32 x 32 pixels, and this one 8 x 8"):
        nearest_of_another_class(torch.zeros(3, 8, 8), 0, DATA)
    one = LabelledImages(SHAPES[:1], LABELS[:1], torch.arange(1), None)
    with pytest.raises(LabError, match="none of another class"):
        nearest_of_another_class(SHAPES[0].float() / 255, int(LABELS[0]), one)
