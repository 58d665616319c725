"""Class names in configs of every kind: each at its own number, none guessed."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import LabError
from core.models.labels import CIFAR10_LABELS, are_cifars, config_labels, labels_for, names_of, said_to_be


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"labels": ["a", "b"]}, ("a", "b")),
        ({"pretrained_cfg": {"label_names": ["c"]}}, ("c",)),
        ({"pretrained_cfg": {"labels": ["c", "d"]}}, ("c", "d")),
        ({"id2label": {"10": "k", "2": "c", "0": "a"}}, ("a", "class 1", "c")),
        ({"id2label": ["a", "b"]}, ("a", "b")),
        ({"label_descriptions": {"0": "zero", "1": "one"}}, ("zero", "one")),
        ({"pretrained_cfg": {"label_descriptions": ["zero", "one"]}}, ("zero", "one")),
        ({}, None),
        ({"id2label": {}}, None),
        ({"id2label": {"x": "y"}}, None),
        ({"label_names": None}, None),
    ],
)
def test_labels_in_every_place_a_config_keeps_them(config: dict[str, Any], expected: tuple[str, ...] | None) -> None:
    assert labels_for(config_labels(config))[0] == expected


@pytest.mark.parametrize("nested", [False, True])
def test_names_that_are_described_are_shown_as_described(nested: bool) -> None:
    """Before a download as after it: timm lists WordNet's numbers, and what they stand for beside them."""
    names = {"label_names": ["n01440764", "n01443537"], "label_descriptions": {"n01440764": "tench"}}
    config = {"pretrained_cfg": names} if nested else names
    assert labels_for(config_labels(config), 2) == (("tench", "n01443537"), [])


@pytest.mark.parametrize("classes", [10, 100, 1000, 21_843])
@pytest.mark.parametrize("names", [None, [], "numbered", {"x": "y"}, ["a"]])
def test_no_count_of_classes_names_them(classes: int, names: Any) -> None:
    listed = {str(number): f"LABEL_{number}" for number in range(classes)} if names == "numbered" else names
    assert labels_for(listed, classes)[0] is None


def test_digits_are_names_of_digits() -> None:
    digits = tuple(map(str, range(10)))
    assert labels_for(list(digits), 10) == (digits, [])


def test_one_name_that_is_missing_costs_no_other() -> None:
    labels, said = labels_for({"0": "cat", "1": "", "2": "dog"}, 3)
    assert labels == ("cat", "class 1", "dog")
    assert said == ["Of its 3 classes, 1 have no name in the config (number 1)."]


def test_names_from_1_on_stand_where_the_config_says_and_it_is_told() -> None:
    """As transformers reads them: the answer number 1 is what stands at 1."""
    labels, said = labels_for({str(number): f"thing {number}" for number in range(1, 11)}, 10)
    assert labels is not None
    assert (labels[0], labels[1], labels[9]) == ("class 0", "thing 1", "thing 9")
    assert any("beyond the last" in sentence for sentence in said)
    assert any("have no name" in sentence for sentence in said)


def test_too_few_names_are_left_out_and_it_is_told() -> None:
    assert labels_for(["a", "b"], 3) == (
        None,
        ["The config lists 2 names and the network tells 3 classes apart: they were left out."],
    )


def test_a_data_set_is_known_by_all_of_its_names() -> None:
    assert are_cifars(CIFAR10_LABELS)
    assert are_cifars(("plane", "car", *CIFAR10_LABELS[2:]))
    assert are_cifars(tuple(name.replace("_", " ") for name in names_of("cifar100")))
    stl10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
    assert not are_cifars(stl10)
    assert not are_cifars(None)


def test_whoever_chooses_a_model_may_say_what_its_classes_are() -> None:
    assert said_to_be("cifar10", None, 10) == CIFAR10_LABELS
    assert said_to_be("imagenet", None, 1000)[0] == "tench"
    with pytest.raises(LabError, match=r"tells 7 classes apart, and CIFAR-10 has 10: leave :cifar10 out"):
        said_to_be("cifar10", None, 7)
    with pytest.raises(LabError, match=r"names its classes itself \(a, b, c, ...\): leave :cifar10 out"):
        said_to_be("cifar10", list("abcdefghij"), 10)
