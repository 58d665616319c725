"""Do a classifier's labels stand in the order of a data set's? A check on labelled pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from core.data.datasets import LabelledImages
from core.smoothing.sampling import ClassifierLike

FALSE_ALARMS = 0.001
"""The chance of a warning where the order is right."""


def check_label_order(classifier: ClassifierLike, data: LabelledImages, *, device: torch.device | None = None) -> str | None:
    """A sentence where another order of the labels explains the predictions better than the one given; else None.

    Half of the pictures choose the best one-to-one matching of classes (Hungarian method on the confusion matrix); the
    other half decide, by a one-sided exact sign test on the pictures that only one of the two orders gets right. A right order
    is warned of with a chance of at most :data:`FALSE_ALARMS`.

    Args:
        classifier: pixels -> logits.
        data: labelled pictures of the classifier's size; a hundred or more.
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
