"""A wrong order of labels is noticed, a right one is not."""

from __future__ import annotations

import pytest
import torch

from core import load_classifier
from core.data.datasets import LabelledImages, load_dataset
from core.data.label_order import check_label_order
from core.models.references import BUNDLED_FOLDER


@pytest.fixture(scope="module")
def shapes() -> LabelledImages:
    data = load_dataset("shapes", "test")
    return LabelledImages(data.images[:300], data.labels[:300], data.indices[:300], data.names)


@pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes").exists(), reason="the bundled classifier is not there")
def test_a_permuted_classifier_is_noticed_and_the_right_one_is_not(shapes: LabelledImages) -> None:
    classifier = load_classifier("bundled/shapes")
    assert check_label_order(classifier, shapes) is None
    order = torch.tensor([1, 0, 2, 3, 4, 5, 6, 7, 9, 8])
    warning = check_label_order(lambda pixels: classifier(pixels)[:, order], shapes)
    assert warning is not None
    assert "another order" in warning


def test_guessing_is_warned_of_no_more_often_than_stated() -> None:
    """A classifier that guesses has no order at all: by chance half of the matched orders beat it, a thousandth alarm."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(200, 3, 1, 1, dtype=torch.uint8)
    alarms = 0
    for _ in range(300):
        data = LabelledImages(images, torch.randint(10, (200,), generator=generator), torch.arange(200), None)
        guesses = iter(torch.rand(2, 100, 10, generator=generator))
        alarms += check_label_order(lambda pixels, guesses=guesses: next(guesses), data) is not None
    assert alarms <= 4  # mean 0.3 at most
