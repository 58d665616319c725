"""The data set that the project draws itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.data.shapes import SHAPES_LABELS, SIDE, _polygon, draw_shape, make_shapes


def test_form_and_labels():
    images, labels = make_shapes(25, seed=3)
    assert images.shape == (25, 3, SIDE, SIDE)
    assert images.dtype == torch.uint8
    assert labels.tolist() == [i % 10 for i in range(25)]
    assert len(SHAPES_LABELS) == len(set(SHAPES_LABELS)) == 10


def test_the_same_seed_draws_the_same_and_any_part_can_be_drawn_alone():
    whole, labels = make_shapes(40, seed=5)
    assert torch.equal(whole, make_shapes(40, seed=5)[0])
    part, part_labels = make_shapes(7, seed=5, start=23)
    assert torch.equal(part, whole[23:30])
    assert torch.equal(part_labels, labels[23:30])


def test_no_two_pictures_are_alike_within_and_between_seeds():
    pictures = torch.cat([make_shapes(100, seed=seed)[0] for seed in (0, 1, 2)])
    assert len(pictures.flatten(1).unique(dim=0)) == 300


def covered(label: int, seed: int) -> np.ndarray:
    """The pixels where a shape was drawn: where two pictures that share all randomness but the shape differ."""
    other = (label + 5) % 10
    first, second = (draw_shape(each, np.random.default_rng(seed)).astype(int) for each in (label, other))
    return np.abs(first - second).max(axis=2) > 25


@pytest.mark.parametrize("label", range(10))
def test_every_class_differs_from_another_in_the_middle_of_the_picture(label):
    areas = [covered(label, seed).mean() for seed in range(20)]
    assert 0.02 < np.mean(areas) < 0.5
    assert min(areas) > 0


def test_shapes_stand_out_from_the_ground():
    # A square's centre against the picture's edge, over many pictures: the colours are kept apart.
    distances = []
    for seed in range(60):
        picture = draw_shape(SHAPES_LABELS.index("square"), np.random.default_rng(seed)).astype(float) / 255
        edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]]).mean(axis=0)
        distances.append(np.abs(picture[12:20, 12:20].mean(axis=(0, 1)) - edge).sum())
    assert np.quantile(distances, 0.1) > 0.3


def test_signed_distances_of_a_square_and_a_concave_shape():
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, 61), np.linspace(-1.5, 1.5, 61))
    square = np.array([[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]])
    dx, dy = np.abs(x) - 0.8, np.abs(y) - 0.8
    expected = np.where(np.maximum(dx, dy) > 0, np.hypot(dx.clip(0), dy.clip(0)), np.maximum(dx, dy))
    assert np.allclose(_polygon(x, y, square), expected)
    # The notch of an L is outside of it, and its inner corner is the nearest point from there.
    corner = np.array([[0.0, 0.0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]])
    points = np.array([[1.5, 1.5], [0.5, 0.5], [1.5, 0.9]])
    assert _polygon(points[:, 0], points[:, 1], corner) == pytest.approx([0.5, -0.5, -0.1])
