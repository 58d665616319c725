"""Class names: a model's own, as its config lists them, or those of a data set that the user names. None is ever guessed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import LabError

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


NAME_LISTS = {"cifar10": ("CIFAR-10", 10), "cifar100": ("CIFAR-100", 100), "imagenet": ("ImageNet", 1000)}
"""What a user may say that classes without names are: the data set, and how many it has."""


def names_of(data: str) -> tuple[str, ...]:
    """The class names of one of :data:`NAME_LISTS`, in the order of their numbers."""
    if data == "imagenet":
        from core.models.formats.foreign import import_library

        return tuple(import_library("torchvision.models").ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
    return {"cifar10": CIFAR10_LABELS, "cifar100": CIFAR100_LABELS}[data]


def said_to_be(data: str, labels: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    """The names that the user says a classifier's classes have. Raises LabError where it has its own, or not as many."""
    title, expected = NAME_LISTS[data]
    if labels is not None:
        raise LabError(f"The model names its classes itself ({', '.join(labels[:3])}, ...): leave :{data} out.")
    if classes != expected:
        raise LabError(f"The model tells {classes} classes apart, and {title} has {expected:,}: leave :{data} out.")
    return names_of(data)


Names = Sequence[str] | Mapping[Any, str] | None
"""A list, or a mapping of numbers to names."""
_PLACEHOLDER = re.compile(r"(?:LABEL|class)[_ ]?\d+", re.IGNORECASE)
_SPELT = {"car": "automobile", "plane": "airplane", "aeroplane": "airplane"}


def config_labels(config: Mapping[str, Any]) -> Names:
    """Class names in a config of the Lab, of torchvision, of timm (nested or flat) or of transformers, as it lists them."""
    nested = config.get("pretrained_cfg")
    places = (config, nested) if isinstance(nested, dict) else (config,)
    names = next((place[key] for place in places for key in ("labels", "label_names") if _lists(place.get(key))), None)
    described = next((place["label_descriptions"] for place in places if place.get("label_descriptions")), None)
    if names is not None:
        return [described.get(str(name), name) for name in names] if isinstance(described, dict) else names
    numbered = next((config[key] for key in ("id2label", "label_descriptions") if config.get(key)), described)
    return numbered if isinstance(numbered, list | dict) else None


def _lists(value: object) -> bool:
    return isinstance(value, list) and bool(value)


def labels_for(names: Names, classes: int | None = None) -> tuple[tuple[str, ...] | None, list[str]]:
    """The names of a network's classes, each at the number that the config gives it, as its library reads them.

    Args:
        names: as the config lists them.
        classes: how many the network has; None where it was not looked at, and has as many as the config lists.

    Returns:
        the names, ``class 7`` where class 7 alone has none, or None where none has; and what is to be said of it.
    """
    if not names:
        return None, []
    numbered = dict(enumerate(names)) if not isinstance(names, Mapping) else names
    if not all(str(number).isdecimal() for number in numbered):
        return None, ["The names of its classes in the config have no numbers, so they were left out."]
    own = {int(number): str(name) for number, name in numbered.items() if name}
    classes = len(numbered) if classes is None else classes
    if not isinstance(names, Mapping) and len(names) != classes:
        return None, [f"The config lists {len(names)} names and the network tells {classes} classes apart: they were left out."]
    found = [own.get(number, "") for number in range(classes)]
    if all(not name or _PLACEHOLDER.fullmatch(name) for name in found):
        return None, []
    missing = [number for number, name in enumerate(found) if not name]
    beyond = sorted(set(own) - set(range(classes)))
    said = []
    if missing:
        some = ", ".join(map(str, missing[:3])) + (", ..." if len(missing) > 3 else "")
        said.append(f"Of its {classes} classes, {len(missing)} have no name in the config (number {some}).")
    if beyond:
        said.append(
            f"The config names {len(beyond)} classes beyond the last, which is number {classes - 1} (first: {beyond[0]})."
        )
    return tuple(name or f"class {number}" for number, name in enumerate(found)), said


def are_cifars(labels: Sequence[str] | None) -> bool:
    """Whether these are the class names of CIFAR-10 or CIFAR-100, all of them, in any order or spelling."""
    if labels is None or len(labels) not in (10, 100):
        return False
    folded = (label.casefold().replace(" ", "_") for label in labels)
    return {_SPELT.get(label, label) for label in folded} in (set(CIFAR10_LABELS), set(CIFAR100_LABELS))
