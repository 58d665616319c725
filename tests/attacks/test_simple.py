"""Changes without gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.attacks.records import NORMS
from core.attacks.simple import SIMPLE_KINDS, simple_change
from core.errors import LabError

IMAGE = torch.rand((3, 8, 8), generator=torch.Generator().manual_seed(0))
ORDERS = {"l2": 2, "linf": np.inf, "l1": 1}


@pytest.mark.parametrize("kind", SIMPLE_KINDS)
@pytest.mark.parametrize("norm", NORMS)
def test_exactly_the_radius_and_within_the_box(kind, norm):
    for radius in (0.02, 0.3):
        for seed in range(3):
            picture = simple_change(kind, IMAGE, norm, radius, seed=seed)
            reached = np.linalg.norm((picture.double() - IMAGE.double()).flatten().numpy(), ORDERS[norm])
            assert radius * (1 - 1e-3) <= reached <= radius
            assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
    assert torch.equal(simple_change(kind, IMAGE, norm, 0.3, seed=2), picture)


def changed(picture):
    return ((picture - IMAGE).abs().amax(dim=0) > 0).nonzero()


def test_one_pixel_is_one_pixel_and_the_seed_says_which():
    places = set()
    for seed in range(10):
        where = changed(simple_change("pixel", IMAGE, "l2", 0.6, seed=seed))
        assert len(where) == 1
        places.add(tuple(where[0].tolist()))
    assert len(places) > 3


def test_a_patch_is_a_square_as_small_as_can_be():
    where = changed(simple_change("patch", IMAGE, "l2", 2.0))
    height, width = (where.max(dim=0).values - where.min(dim=0).values + 1).tolist()
    assert height == width == len(where) ** 0.5
    # A square a pixel narrower could not have held it, were all its values to go all the way: 1 is the longest way.
    assert (height - 1) ** 2 * 3 < 2.0**2 / 0.25


def test_grey_is_the_same_step_everywhere():
    change = simple_change("grey", torch.full((3, 8, 8), 0.3), "l2", 0.5) - 0.3
    torch.testing.assert_close(change, torch.full((3, 8, 8), 0.5 / 192**0.5))


def test_no_room_is_told():
    with pytest.raises(LabError, match="One pixel of this picture can change by"):
        simple_change("pixel", IMAGE, "l2", 1.8)
    with pytest.raises(LabError, match="The whole picture can change"):
        simple_change("patch", IMAGE, "l2", 50.0)
    with pytest.raises(LabError, match="Unknown change 'shift'"):
        simple_change("shift", IMAGE, "l2", 0.1)
    with pytest.raises(LabError, match="radius is 0"):
        simple_change("grey", IMAGE, "l2", 0.0)
