"""Balls cut off at [0, 1]: against Dykstra's algorithm, and to the last bit of float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.attacks.balls import Ball, distance, farthest, length
from core.attacks.request import NORMS
from core.errors import LabError

GENERATOR = torch.Generator().manual_seed(3)


def pictures(side=6):
    return torch.rand((3, side, side), generator=GENERATOR)


@pytest.mark.parametrize(("norm", "expected"), [("l2", 5.0), ("linf", 4.0), ("l1", 7.0)])
def test_length(norm, expected):
    assert length(torch.tensor([3.0, -4.0]), norm) == expected


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_a_projection_is_the_nearest_change_in_ball_and_box(norm, scale):
    image, change = pictures(2).double(), scale * torch.randn((3, 2, 2), generator=GENERATOR, dtype=torch.float64)
    radius = {"l2": 0.6, "linf": 0.3, "l1": 1.1}[norm]
    near = Ball(image, norm, radius).project(change)
    assert length(near, norm) <= radius * (1 + 1e-12)
    assert float((image + near).min()) >= -1e-12
    assert float((image + near).max()) <= 1 + 1e-12
    expected = dykstra(change.flatten().numpy(), image.flatten().numpy(), norm, radius)
    np.testing.assert_allclose(near.flatten().numpy(), expected, atol=1e-6)


def dykstra(change, image, norm, radius):
    """The oracle: Dykstra's algorithm, projections onto ball and box by turns with corrections (Boyle and Dykstra 1986)."""

    def onto_ball(v):
        if norm == "linf":
            return np.clip(v, -radius, radius)
        if norm == "l2":
            return v * min(1, radius / np.linalg.norm(v))
        if np.abs(v).sum() <= radius:
            return v
        # Duchi et al. (2008): the threshold from the sorted sizes
        sizes = np.sort(np.abs(v))[::-1]
        over = (np.cumsum(sizes) - radius) / np.arange(1, len(v) + 1)
        threshold = over[np.nonzero(sizes > over)[0][-1]]
        return np.sign(v) * np.maximum(np.abs(v) - threshold, 0)

    x, p, q = change, np.zeros_like(change), np.zeros_like(change)
    for _ in range(20_000):
        y = onto_ball(x + p)
        p = x + p - y
        x = np.clip(y + q, -image, 1 - image)
        q = y + q - x
    return x


@pytest.mark.parametrize("norm", NORMS)
def test_what_lies_within_is_left_alone(norm):
    image, change = torch.full((3, 4, 4), 0.5), torch.full((3, 4, 4), 0.01)
    assert torch.equal(Ball(image, norm, 1.0).project(change), change)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("radius", [1e-5, 0.02, 0.5])
def test_a_picture_within_is_never_a_bit_too_far(norm, radius):
    for _ in range(20):
        image = pictures()
        radius_here = radius if norm != "linf" else radius / 10
        ball = Ball(image, norm, radius_here)
        picture = ball.picture(ball.stretched(torch.randn(image.shape, generator=GENERATOR)))
        assert picture.dtype == torch.float32
        assert float(picture.min()) >= 0
        assert float(picture.max()) <= 1
        reached = np.linalg.norm(
            (picture.double() - image.double()).flatten().numpy(), {"l2": 2, "linf": np.inf, "l1": 1}[norm]
        )
        assert reached <= radius_here
        assert reached >= radius_here * (1 - 1e-3) - 2e-6  # float32 pixels are 6e-8 apart


def test_a_stretched_change_keeps_its_length_where_values_hit_the_wall():
    image = torch.tensor([0.9, 0.5, 0.1]).view(3, 1, 1).expand(3, 4, 4)
    change = Ball(image, "l2", 2.0).stretched(torch.ones(3, 4, 4))
    assert length(change, "l2") == pytest.approx(2.0, abs=1e-6)
    torch.testing.assert_close(change[0], torch.full((4, 4), 0.1))
    with pytest.raises(LabError, match="no room"):
        Ball(image, "l2", 6.0).stretched(torch.ones(3, 4, 4))


def test_the_farthest_picture():
    image = torch.tensor([0.25, 0.5, 1.0]).view(3, 1, 1)
    assert farthest(image, "l1") == pytest.approx(0.75 + 0.5 + 1)
    assert farthest(image, "linf") == 1
    assert distance(image, image, "l2") == 0
    with pytest.raises(LabError, match="Unknown norm 'l3'"):
        length(image, "l3")
