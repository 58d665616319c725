"""Do a data set and a classifier speak of the same classes? Seen before the first image is certified."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import nn

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.smoothing.certificate import model_labels
from core.smoothing.sampling import ClassifierLike

_NO_WORDS = re.compile(r"(label|class)?[ _-]*\d+|n\d{8}", re.IGNORECASE)
"""Numbers, ``LABEL_3`` and WordNet's numbers: names that tell nothing to compare."""


def check_classes(data: LabelledImages, classifier: ClassifierLike) -> None:
    """See that data and classifier speak of the same classes, as far as they say.

    The numbers of the data's classes must be among the classifier's, which are counted in the logits of one picture where
    it carries no names. Names are compared where both have words for their classes, and the classifier's are its own.

    Raises:
        LabError: where a number is not among them, or no name is the same.
    """
    labels = model_labels(classifier)
    classes = _logits(data, classifier) if labels is None else len(labels)
    least, highest = int(data.labels.min()), int(data.labels.max())
    if least < 0 or highest >= classes:
        raise LabError(
            f"The data set has the class number {least if least < 0 else highest}, and the classifier the classes 0 to"
            f" {classes - 1}: choose data of its classes."
        )
    own = labels is not None and getattr(classifier, "labels_assumed", None) is None
    here, there = (_words(data.names or ()), _words(labels or ())) if own else (set(), set())
    if here and there and not here & there:
        raise LabError(
            f"The data set's classes ({_some(data.names or ())}) are not the classifier's ({_some(labels or ())}): choose data"
            " of its classes, or give the same names to both."
        )


@torch.inference_mode()
def _logits(data: LabelledImages, classifier: ClassifierLike) -> int:
    weight = next(classifier.parameters(), None) if isinstance(classifier, nn.Module) else None
    pixels = data.images[:1].float() / 255
    return int(classifier(pixels if weight is None else pixels.to(weight.device)).shape[1])


def _words(names: Sequence[str]) -> set[str]:
    """The names in one spelling; ImageNet's have several each, with commas between. Empty where some are no words.

    >>> sorted(_words(["tench, Tinca tinca", "Tiger_cat"])), _words(["LABEL_0", "LABEL_1"])
    (['tench', 'tiger cat', 'tinca tinca'], set())
    """
    if any(_NO_WORDS.fullmatch(name.strip()) for name in names):
        return set()
    return {part.strip().lower().replace("_", " ").replace("-", " ") for name in names for part in name.split(",")}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
