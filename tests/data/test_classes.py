"""Data and classifiers that do not fit each other are refused before anything is certified."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from core.data.classes import check_classes
from core.data.datasets import LabelledImages
from core.errors import LabError


class Three(nn.Module):
    """A classifier of three classes, with or without names."""

    def __init__(self, labels: Sequence[str] | None = None, assumed: str | None = None) -> None:
        super().__init__()
        self.labels, self.labels_assumed = labels, assumed
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.weight.expand(len(pixels), 3)


def data(labels: Sequence[int], names: tuple[str, ...] | None = None) -> LabelledImages:
    count = len(labels)
    return LabelledImages(torch.zeros(count, 3, 4, 4, dtype=torch.uint8), torch.tensor(labels), torch.arange(count), names)


@pytest.mark.parametrize("names", [None, ("cat", "dog", "ship")])
@pytest.mark.parametrize("wrong", [[0, 3, 7], [1, -1]])
def test_numbers_beyond_the_classes_are_refused_with_and_without_names(wrong: list[int], names: tuple[str, ...] | None) -> None:
    number = min(wrong) if min(wrong) < 0 else max(wrong)
    with pytest.raises(LabError, match=rf"class number {number}, and the classifier the classes 0 to 2"):
        check_classes(data(wrong), Three(names))


def test_a_function_without_weights_is_counted_too() -> None:
    check_classes(data([0, 4]), lambda pixels: torch.zeros(len(pixels), 5))
    with pytest.raises(LabError, match="class number 5"):
        check_classes(data([5]), lambda pixels: torch.zeros(len(pixels), 5))


def test_other_names_are_refused_where_both_have_words() -> None:
    with pytest.raises(LabError, match=r"classes \(circle, disc, ring\) are not the classifier's \(cat, dog, ship\)"):
        check_classes(data([0, 1], ("circle", "disc", "ring")), Three(("cat", "dog", "ship")))


@pytest.mark.parametrize(
    ("here", "there", "assumed"),
    [
        (("Cat", "dogs", "boat"), ("cat", "dog", "ship"), None),
        (("tench", "goldfish", "tiger_shark"), ("tench, Tinca tinca", "goldfish, Carassius auratus", "tiger shark"), None),
        (("n01440764", "n01443537", "n01484850"), ("tench", "goldfish", "shark"), None),
        (("0", "1", "2"), ("tench", "goldfish", "shark"), None),
        (("cat", "dog", "ship"), ("LABEL_0", "LABEL_1", "LABEL_2"), None),
        (("circle", "disc", "ring"), ("cat", "dog", "ship"), "CIFAR-10"),
        (None, ("cat", "dog", "ship"), None),
        (("circle", "disc", "ring"), None, None),
    ],
)
def test_names_that_tell_nothing_are_no_reason(
    here: tuple[str, ...] | None, there: tuple[str, ...] | None, assumed: str | None
) -> None:
    check_classes(data([0, 2], here), Three(there, assumed))
