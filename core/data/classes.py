"""Do a data set and a classifier speak of the same classes? By their numbers, their names, and the classifier's answers."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.smoothing.certificate import model_labels, model_record
from core.smoothing.sampling import ClassifierLike

FALSE_ALARMS = 0.001
"""The chance of :func:`check_label_order` to warn where the order is right."""
_NO_WORDS = re.compile(r"(label|class)?[ _-]*\d+|n\d{8}", re.IGNORECASE)
"""Numbers, ``LABEL_3`` and WordNet's numbers: names that tell nothing to compare."""


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


def check_classes(data: LabelledImages, classifier: ClassifierLike) -> None:
    """See that data and classifier speak of the same classes, as far as they say: before the first picture is classified.

    The numbers of the data's classes must be among the classifier's, which are counted in the logits of one picture where
    it carries no names. Where the data set has words for its classes the classifier must have as many; where its own names
    are words, too, some must be the same, and none may stand at another number.

    Raises:
        LabError: where this is not so.
    """
    labels, names = model_labels(classifier), data.names or ()
    classes = _count(data, classifier) if labels is None else len(labels)
    least, highest = int(data.labels.min()), int(data.labels.max())
    if least < 0 or highest >= classes:
        raise LabError(
            f"The data set has the class number {least if least < 0 else highest}, and the classifier the classes 0 to"
            f" {classes - 1}: choose data of its classes."
        )
    if not _are_words(names):
        return
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
            f"The class {name!r} has the number {here} in the data set and {there} in the classifier: choose data that numbers"
            " the classes as it does."
        )


def _are_words(names: Sequence[str]) -> bool:
    return bool(names) and not any(_NO_WORDS.fullmatch(name.strip()) for name in names)


def _moved(names: Sequence[str], labels: Sequence[str]) -> tuple[str, int, int] | None:
    """A class that stands at another number in the other list, both numbers; None where none does.

    ImageNet has two classes ``crane``: a name that stands at its own number, too, has not moved.
    """
    where: dict[str, set[int]] = {}
    for number, label in enumerate(labels):
        for spelling in spellings(label):
            where.setdefault(spelling, set()).add(number)
    for number, name in enumerate(names):
        found = set[int]().union(*(where.get(spelling, ()) for spelling in spellings(name)))
        if found and number not in found:
            return name, number, min(found)
    return None


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
