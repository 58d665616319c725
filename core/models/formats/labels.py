"""Class names: a model's own, or the known ones of a data set with as many classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.data.datasets import CIFAR10_LABELS

_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""

CIFAR100_LABELS = tuple(_NAMES.split())
"""The fine classes of CIFAR-100 (Krizhevsky 2009) in their usual, alphabetical order."""


def known_labels(classes: int) -> tuple[tuple[str, ...], str] | None:
    """The names that a network with so many classes most likely means, and of which data set; None where none fits."""
    if classes == 10:
        return CIFAR10_LABELS, "CIFAR-10"
    if classes == 100:
        return CIFAR100_LABELS, "CIFAR-100"
    if classes == 1000:
        from core.models.formats.torchvision_shim import import_library

        categories = import_library("torchvision.models").ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
        return tuple(categories), "ImageNet"
    return None


def labels_of(names: Sequence[str] | Mapping[Any, str] | None, classes: int) -> tuple[tuple[str, ...] | None, str | None]:
    """Class names from what a config says: a list, or a mapping of numbers to names. Placeholders count as missing.

    Returns:
        the names, or None; and the data set whose names stand in for missing ones, or None.
    """
    own = _listed(names, classes)
    if own is not None:
        return own, None
    known = known_labels(classes)
    return (None, None) if known is None else known


def _listed(names: Sequence[str] | Mapping[Any, str] | None, classes: int) -> tuple[str, ...] | None:
    if isinstance(names, Mapping):
        try:
            numbered = {int(key): str(value) for key, value in names.items()}
        except (TypeError, ValueError):
            return None
        names = [numbered.get(index, "") for index in range(classes)]
    if not isinstance(names, Sequence) or isinstance(names, str) or len(names) != classes:
        return None
    texts = tuple(str(name) for name in names)
    if any(not text for text in texts) or all(re.fullmatch(r"(LABEL_|class[_ ]?)?\d+", text) for text in texts):
        return None
    return texts
