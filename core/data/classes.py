"""Do a data set and a classifier speak of the same classes? By their numbers, their names, and the classifier's answers."""

import re
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.models.formats.foreign import import_library
from core.smoothing.certificate import model_labels, model_record
from core.smoothing.sampling import ClassifierLike

FALSE_ALARMS = 0.001
"""The chance of :func:`check_label_order` to warn where the order is right."""
_NO_WORDS = re.compile(r"(label|class)?[ _-]*\d+|n\d{8}", re.IGNORECASE)
"""Numbers, ``LABEL_3`` and WordNet's numbers: names that tell nothing to compare."""
_WORDNET = re.compile(r"n\d{8}")


def spellings(name: str) -> frozenset[str]:
    """The names that a class goes by, in one spelling; ImageNet's have several each, with commas between.

    >>> sorted(spellings("tench, Tinca tinca") | spellings(" Tiger_cat"))
    ['tench', 'tiger cat', 'tinca tinca']
    """
    return frozenset(part.strip().lower().replace("_", " ").replace("-", " ") for part in name.split(","))


def same_classes(names: Sequence[str] | None, labels: Sequence[str] | None) -> bool:
    """Whether two lists surely name the same classes in the same order.

    They must be as long, no class may have another number in the other, and at least half of them must share a name
    (``plane`` and ``airplane`` are one class, and share none).

    >>> same_classes(("airplane", "Cat", "ship"), ("plane", "cat", "ship")), same_classes(("cat", "dog"), ("dog", "cat"))
    (True, False)
    """
    if not (names and labels and _are_words(names) and _are_words(labels)) or len(names) != len(labels):
        return False
    shared = sum(bool(spellings(one) & spellings(other)) for one, other in zip(names, labels, strict=True))
    return _moved(names, labels) is None and 2 * shared >= len(names)


def in_classes_of(classifier: ClassifierLike, data: LabelledImages) -> LabelledImages:
    """A data set with its classes numbered as a classifier numbers them, before the first picture is classified.

    Where each class of the data has a name that one class of the classifier has, names decide: folders are numbered by the
    alphabet and may be some of the classes only. So do WordNet's numbers (``n01440764``) before a classifier of ImageNet's
    classes. Otherwise the numbers stay as they are; they must be among the classifier's, which are counted in the logits of
    one picture where it carries no names, and nothing that both say of the classes may contradict them.
    Raises LabError where data and classifier cannot be brought together.
    """
    labels, names = model_labels(classifier), data.names or ()
    numbers = _numbers_by_name(names, labels)
    if numbers is not None:
        return replace(data, labels=torch.tensor(numbers)[data.labels], names=labels)
    classes = _count(data, classifier) if labels is None else len(labels)
    least, highest = int(data.labels.min()), int(data.labels.max())
    if least < 0 or highest >= classes:
        raise LabError(
            f"The data set has the class number {least if least < 0 else highest}, and the classifier the classes 0 to"
            f" {classes - 1}: choose data of its classes."
        )
    if names and len(names) != classes and all(map(_WORDNET.fullmatch, names)):
        raise LabError(
            f"The data set's classes go by WordNet's numbers ({_some(names)}), and the classifier's are not surely ImageNet's:"
            " say :imagenet behind its reference, or name the folders after its classes."
        )
    if not _are_words(names):
        return data
    own = labels if labels is not None and _are_words(labels) else ()
    if own and not frozenset().union(*map(spellings, names)) & frozenset().union(*map(spellings, own)):
        raise LabError(
            f"The data set's classes ({_some(names)}) are not the classifier's ({_some(own)}): choose data of its classes, or"
            " give the same names to both."
        )
    if len(names) != classes:
        raise LabError(
            f"{model_record(classifier).ref} tells {classes} classes apart and the data set has {len(names)}: choose a"
            " classifier of these classes, or a data set of its own."
        )
    moved = _moved(names, own)
    if moved is not None:
        name, here, there = moved
        raise LabError(
            f"The class {name!r} has the number {here} in the data set and {there} in the classifier, and not every name is in"
            " both: give the same names to both, or choose data that numbers the classes as it does."
        )
    return data


def _numbers_by_name(names: Sequence[str], labels: Sequence[str] | None) -> list[int] | None:
    """The number of each class in ``labels`` by its name; None where a name is in none or in several of them."""
    if not names or not labels:
        return None
    if all(map(_WORDNET.fullmatch, names)) and not all(map(_WORDNET.fullmatch, labels)):
        labels = _wordnet_numbers(labels) or ()
    where = _where(labels)
    found = [frozenset[int]().union(*(where.get(one, ()) for one in spellings(name))) for name in names]
    numbers = [number if number in own else next(iter(own), -1) for number, own in enumerate(found)]
    sure = all(len(own) == 1 or number in own for number, own in enumerate(found)) and len(set(numbers)) == len(numbers)
    return numbers if sure and (_are_words(names) or all(map(_WORDNET.fullmatch, names))) else None


def _wordnet_numbers(labels: Sequence[str]) -> list[str] | None:
    """WordNet's numbers of ImageNet's classes, in the order of these names, by timm's tables; None where they are others."""
    data = import_library("timm.data")
    subset = data.infer_imagenet_subset({"num_classes": len(labels)})
    if subset is None:
        return None
    info = data.ImageNetInfo(subset)
    shared = sum(bool(spellings(one) & spellings(other)) for one, other in zip(info.label_descriptions(), labels, strict=True))
    return info.label_names() if shared >= 0.9 * len(labels) else None  # of the thousand, torchvision spells two otherwise


def _are_words(names: Sequence[str]) -> bool:
    return bool(names) and not any(_NO_WORDS.fullmatch(name.strip()) for name in names)


def _moved(names: Sequence[str], labels: Sequence[str]) -> tuple[str, int, int] | None:
    """A class that stands at another number in the other list, both numbers; None where none does.

    ImageNet has two classes ``crane``: a name that stands at its own number, too, has not moved.
    """
    where = _where(labels)
    for number, name in enumerate(names):
        found = set[int]().union(*(where.get(spelling, ()) for spelling in spellings(name)))
        if found and number not in found:
            return name, number, min(found)
    return None


def _where(labels: Sequence[str]) -> dict[str, set[int]]:
    """The numbers at which each spelling stands."""
    where: dict[str, set[int]] = {}
    for number, label in enumerate(labels):
        for spelling in spellings(label):
            where.setdefault(spelling, set()).add(number)
    return where


@torch.inference_mode()
def _count(data: LabelledImages, classifier: ClassifierLike) -> int:
    weight = next(classifier.parameters(), None) if isinstance(classifier, nn.Module) else None
    pixels = data.images[:1].float() / 255
    return int(classifier(pixels if weight is None else pixels.to(weight.device)).shape[1])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def check_label_order(classifier: ClassifierLike, data: LabelledImages, *, device: torch.device | None = None) -> str | None:
    """A sentence where another order of the labels explains the classifier's predictions for labelled pictures of its size (a
    hundred or more) better than the one given; else None.

    Half of the pictures choose the best one-to-one matching of classes (Hungarian method on the confusion matrix); the
    other half decide, by a one-sided exact sign test on the pictures that only one of the two orders gets right. A right order
    is warned of with a chance of at most :data:`FALSE_ALARMS`.
    """
    from scipy import optimize, stats

    predicted = _predictions(classifier, data, device)
    classes = int(max(predicted.max(), data.labels.max())) + 1
    first, second = slice(0, None, 2), slice(1, None, 2)
    confusion = torch.zeros(classes, classes, dtype=torch.int64)
    confusion.index_put_((predicted[first], data.labels[first]), torch.ones(len(predicted[first]), dtype=torch.int64), True)
    # Ties go to the order given: a class that was never seen stays where it is.
    rows, columns = optimize.linear_sum_assignment(2 * classes * confusion.numpy() + torch.eye(classes).numpy(), maximize=True)
    matched = torch.as_tensor(columns)[torch.as_tensor(rows).argsort()][predicted[second]]
    plain_right, matched_right = predicted[second] == data.labels[second], matched == data.labels[second]
    wins, losses = int((matched_right & ~plain_right).sum()), int((plain_right & ~matched_right).sum())
    if wins + losses == 0 or stats.binomtest(wins, wins + losses, 0.5, alternative="greater").pvalue > FALSE_ALARMS:
        return None
    plain, other = float(plain_right.float().mean()), float(matched_right.float().mean())
    share = f"{plain:.0%} of {len(matched)} pictures right, another order {other:.0%}"
    return f"The labels seem to stand in another order than the data set's: as they are they get {share}."


@torch.inference_mode()
def _predictions(classifier: ClassifierLike, data: LabelledImages, device: torch.device | None) -> Tensor:
    parts = []
    for start in range(0, len(data), 100):
        pixels = data.images[start : start + 100].to(device or torch.device("cpu")).float() / 255
        parts.append(classifier(pixels).argmax(dim=1).cpu())
    return torch.cat(parts)
