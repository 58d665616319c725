"""Data and classifiers that do not fit each other are refused before anything is classified, or a wrong order is noticed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from core import load_classifier
from core.data.classes import check_label_order, in_classes_of, same_classes
from core.data.datasets import LabelledImages, load_dataset
from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.labels import CIFAR10_LABELS, names_of
from core.models.references import BUNDLED_FOLDER


class Three(nn.Module):
    """A classifier of three classes, with or without names."""

    def __init__(self, labels: Sequence[str] | None = None) -> None:
        super().__init__()
        self.labels = labels
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
        in_classes_of(Three(names), data(wrong))


def test_a_function_without_weights_is_counted_too() -> None:
    in_classes_of(lambda pixels: torch.zeros(len(pixels), 5), data([0, 4]))
    with pytest.raises(LabError, match="class number 5"):
        in_classes_of(lambda pixels: torch.zeros(len(pixels), 5), data([5]))


def test_other_names_are_refused_where_both_have_words() -> None:
    with pytest.raises(LabError, match=r"classes \(circle, disc, ring\) are not the classifier's \(cat, dog, ship\)"):
        in_classes_of(Three(("cat", "dog", "ship")), data([0, 1], ("circle", "disc", "ring")))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (("Cat", "dogs", "boat"), ("cat", "dog", "ship")),
        (("tench", "goldfish", "tiger_shark"), ("tench, Tinca tinca", "goldfish, Carassius auratus", "tiger shark")),
        (("n01440764", "n01443537", "n01484850"), ("tench", "goldfish", "shark")),
        (("0", "1", "2"), ("tench", "goldfish", "shark")),
        (("cat", "dog", "ship"), ("LABEL_0", "LABEL_1", "LABEL_2")),
        (None, ("cat", "dog", "ship")),
        (("circle", "disc", "ring"), None),
    ],
)
def test_names_that_tell_nothing_are_no_reason(here: tuple[str, ...] | None, there: tuple[str, ...] | None) -> None:
    in_classes_of(Three(there), data([0, 2], here))


PLANES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.mark.parametrize(
    ("names", "labels", "same"),
    [
        (CIFAR10_LABELS, CIFAR10_LABELS, True),
        (
            CIFAR10_LABELS,
            tuple(name.upper() for name in CIFAR10_LABELS),
            True,
        ),  # local pictures were looked for letter by letter
        (CIFAR10_LABELS, PLANES, True),  # ... and the Train page asked for the very words
        (("tench", "tiger-shark"), ("tench, Tinca tinca", "tiger shark, Galeocerdo cuvieri"), True),
        (("crane", "cat", "crane"), ("crane", "cat", "crane"), True),  # ImageNet has two of them
        (("cat", "dog", "ship"), ("dog", "cat", "ship"), False),
        (("cat", "dog"), ("cat", "dog", "ship"), False),
        (("cat", "a", "b"), ("cat", "c", "d"), False),
        (("0", "1"), ("0", "1"), False),
        (("cat", "dog"), None, False),
    ],
)
def test_same_classes_are_known_by_most_of_their_names(
    names: tuple[str, ...], labels: tuple[str, ...] | None, same: bool
) -> None:
    assert same_classes(names, labels) is same


def test_another_count_or_order_of_named_classes_is_refused() -> None:
    """Training asked for the same count and went on where the names differed; evaluation went on where the count differed."""
    with pytest.raises(LabError, match="python/Three tells 3 classes apart and the data set has 2: choose a classifier of"):
        in_classes_of(Three(("cat", "dog", "ship")), data([0, 1], ("cat", "wolf")))
    with pytest.raises(LabError, match="python/Three tells 3 classes apart and the data set has 4"):
        in_classes_of(Three(), data([0, 1], ("cat", "dog", "ship", "frog")))
    with pytest.raises(LabError, match="class 'dog' has the number 0 in the data set and 1 in the classifier"):
        in_classes_of(Three(("cat", "dog", "ship")), data([0, 1], ("dog", "a", "ship")))
    in_classes_of(Three(("cat", "dog", "ship")), data([0, 1], ("0", "1")))  # pictures of the first classes alone


@pytest.mark.parametrize(
    ("names", "labels", "numbers"),
    [
        (("cat", "dog"), ("ship", "dog", "cat"), [2, 1]),  # folders of some of the classes, numbered by the alphabet
        (("Tiger_shark", "tench"), ("tench, Tinca tinca", "goldfish", "tiger shark"), [2, 0]),
        (("crane", "cat", "crane"), ("crane", "cat", "crane"), [0, 1, 2]),
    ],
)
def test_classes_have_the_numbers_of_their_names(names: tuple[str, ...], labels: tuple[str, ...], numbers: list[int]) -> None:
    matched = in_classes_of(Three(labels), data(range(len(names)), names))
    assert matched.labels.tolist() == numbers
    assert matched.names == labels


class Thousand(Three):
    def forward(self, pixels: Tensor) -> Tensor:
        return torch.zeros(len(pixels), 1000)


@pytest.mark.parametrize("places", [[0, 281, 999], [8, 7], list(range(1000))])
def test_folders_of_wordnet_numbers_are_imagenets_classes(places: list[int]) -> None:
    """They were numbered 0, 1, 2, ..., so that every picture of a part of ImageNet was wrong, silently."""
    info = import_library("timm.data").ImageNetInfo()
    folders = tuple(info.label_names()[place] for place in places)
    for labels in (names_of("imagenet"), tuple(info.label_descriptions())):  # torchvision's names, and timm's
        assert in_classes_of(Thousand(labels), data(range(len(places)), folders)).labels.tolist() == places


def test_folders_of_wordnet_numbers_before_other_classes_are_refused() -> None:
    for labels in (None, tuple(f"thing {number}" for number in range(1000))):
        with pytest.raises(LabError, match=r"WordNet's numbers \(n01440764, n01443537\).*say :imagenet behind its reference"):
            in_classes_of(Thousand(labels), data([0, 1], ("n01440764", "n01443537")))
    with pytest.raises(LabError, match="WordNet's numbers"):  # no class of ImageNet's thousand
        in_classes_of(Thousand(names_of("imagenet")), data([0, 1], ("n01440764", "n99999999")))


@pytest.fixture(scope="module")
def shapes() -> LabelledImages:
    data = load_dataset("shapes", "test")
    return data.first(300)


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
