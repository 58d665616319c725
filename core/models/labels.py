"""Class names: a model's own, as its config lists them, or the known ones of a data set with as many classes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

CIFAR10_LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""

CIFAR100_LABELS = tuple(_CIFAR100.split())
"""The fine classes of CIFAR-100 (Krizhevsky 2009) in their usual, alphabetical order."""


def known_labels(classes: int) -> tuple[tuple[str, ...], str] | None:
    """The names that a network with so many classes most likely means, and of which data set; None where none fits."""
    if classes == 10:
        return CIFAR10_LABELS, "CIFAR-10"
    if classes == 100:
        return CIFAR100_LABELS, "CIFAR-100"
    if classes == 1000:
        from core.models.formats.foreign import import_library

        categories = import_library("torchvision.models").ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
        return tuple(categories), "ImageNet"
    return None


Names = Sequence[str] | Mapping[Any, str] | None
"""A list, or a mapping of numbers to names."""
_PLACEHOLDER = re.compile(r"(LABEL_|class[_ ]?)?\d+")


def config_labels(config: Mapping[str, Any]) -> Names:
    """Class names in a config of the Lab, of torchvision, of timm (nested or flat) or of transformers, as it lists them."""
    nested = config.get("pretrained_cfg")
    places = (config, nested) if isinstance(nested, dict) else (config,)
    names = next((place[key] for place in places for key in ("labels", "label_names") if _is_list(place.get(key))), None)
    if names is None:
        numbered = config.get("id2label")
        return numbered if isinstance(numbered, dict) else None
    described = next((place["label_descriptions"] for place in places if place.get("label_descriptions")), None)
    return [described.get(str(name), name) for name in names] if isinstance(described, dict) else names


def _is_list(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def in_order(names: Names) -> tuple[str, ...] | None:
    """Listed names in the order of their numbers; None where there are none, or a key is no number."""
    if isinstance(names, Mapping):
        if not all(str(number).isdecimal() for number in names):
            return None
        names = [names[number] for number in sorted(names, key=int)]
    return tuple(str(name) for name in names) if names else None


def labels_for(names: Names, classes: int) -> tuple[tuple[str, ...] | None, str | None]:
    """The names of a network's classes, from what its config lists. Placeholders, and too few or many, count as missing.

    Returns:
        the names, or None; and the data set whose names stand in for missing ones, or None.
    """
    own = in_order(names)
    numbered = own is None or not isinstance(names, Mapping) or {int(number) for number in names} == set(range(classes))
    if own and numbered and len(own) == classes and all(own) and not all(map(_PLACEHOLDER.fullmatch, own)):
        return own, None
    return known_labels(classes) or (None, None)
