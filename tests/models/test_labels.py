"""Class names in configs of every kind, and the known ones that stand in for missing ones."""

from __future__ import annotations

from typing import Any

import pytest

from core.models.labels import CIFAR10_LABELS, CIFAR100_LABELS, config_labels, in_order, known_labels, labels_for


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"labels": ["a", "b"]}, ("a", "b")),
        ({"pretrained_cfg": {"label_names": ["c"]}}, ("c",)),
        ({"id2label": {"10": "k", "2": "c", "0": "a"}}, ("a", "c", "k")),
        ({}, None),
        ({"id2label": {}}, None),
        ({"id2label": {"x": "y"}}, None),
        ({"label_names": None}, None),
    ],
)
def test_labels_in_every_place_a_config_keeps_them(config: dict[str, Any], expected: tuple[str, ...] | None) -> None:
    assert in_order(config_labels(config)) == expected


@pytest.mark.parametrize("nested", [False, True])
def test_names_that_are_described_are_shown_as_described(nested: bool) -> None:
    """Before a download as after it: timm lists WordNet's numbers, and what they stand for beside them."""
    names = {"label_names": ["n01440764", "n01443537"], "label_descriptions": {"n01440764": "tench"}}
    config = {"pretrained_cfg": names} if nested else names
    assert in_order(config_labels(config)) == ("tench", "n01443537")
    assert labels_for(config_labels(config), 2) == (("tench", "n01443537"), None)


def test_known_names_stand_in_for_missing_ones() -> None:
    assert labels_for(None, 10) == (CIFAR10_LABELS, "CIFAR-10")
    assert labels_for(["a"], 100) == (CIFAR100_LABELS, "CIFAR-100")
    assert labels_for({str(number): f"LABEL_{number}" for number in range(5)}, 5) == (None, None)
    assert labels_for({str(number): f"thing {number}" for number in range(1, 11)}, 10)[1] == "CIFAR-10"  # none is number 0
    assert labels_for({"x": "y"}, 2) == (None, None)
    imagenet = known_labels(1000)
    assert imagenet is not None
    assert (imagenet[0][0], imagenet[1]) == ("tench", "ImageNet")
