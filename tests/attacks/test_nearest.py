"""The nearest picture of another class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.attacks.nearest import mean_distance_to_another_class, nearest_of_another_class
from core.data.datasets import LabelledImages
from core.data.shapes import make_shapes
from core.errors import LabError

IMAGES, LABELS = make_shapes(60, seed=4)
DATA = LabelledImages(IMAGES, LABELS, torch.arange(60) * 3, None)


@pytest.mark.parametrize(("norm", "order"), [("l2", 2), ("linf", np.inf), ("l1", 1)])
def test_it_is_the_nearest(norm, order):
    image, label = IMAGES[13].float() / 255, int(LABELS[13])
    found = nearest_of_another_class(image, label, DATA, norm)
    flat = IMAGES.double().div(255).flatten(1).numpy()
    distances = np.linalg.norm(flat - image.double().flatten().numpy(), order, axis=1)
    distances[LABELS.numpy() == label] = np.inf
    row = int(distances.argmin())
    assert (found.idx, found.label) == (3 * row, int(LABELS[row]))
    assert found.distance == pytest.approx(distances[row], rel=1e-6)
    assert found.searched == 54
    assert found.share(0.5) == pytest.approx(0.5 / distances[row])
    assert torch.equal(found.pixels, IMAGES[row])


def test_the_mean_over_a_data_set():
    each = [nearest_of_another_class(IMAGES[i].float() / 255, int(LABELS[i]), DATA).distance for i in range(60)]
    assert mean_distance_to_another_class(DATA, count=60) == pytest.approx(np.mean(each))


def test_what_cannot_be_compared():
    with pytest.raises(LabError, match="32 x 32 pixels, and this one 8 x 8"):
        nearest_of_another_class(torch.zeros(3, 8, 8), 0, DATA)
    one = LabelledImages(IMAGES[:1], LABELS[:1], torch.arange(1), None)
    with pytest.raises(LabError, match="none of another class"):
        nearest_of_another_class(IMAGES[0].float() / 255, int(LABELS[0]), one)
