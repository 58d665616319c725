"""What a training is given: pictures, classifiers to train through, and whether they fit each other."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from core.commands.inputs import fetched_dataset, load_classifier_remarking
from core.data.classes import check_classes
from core.data.datasets import LabelledImages
from core.errors import LabError
from core.models.load import Classifier
from core.models.references import parse_reference
from core.models.storage import ModelConfig
from core.training.checkpoint import weights_fingerprint
from core.training.pretrained import check_gradients


def training_splits(args: argparse.Namespace) -> tuple[LabelledImages, LabelledImages]:
    """The pictures to train on and those to measure on, both before training, so that a missing split is found at once.

    Raises:
        LabError: where there are none, or both are the same pictures.
    """
    train, test = fetched_dataset(args.dataset, "train"), fetched_dataset(args.dataset, "test")
    if train.images.shape == test.images.shape and torch.equal(train.images, test.images):
        raise LabError(
            f"{args.dataset!r} has no test pictures of its own, so nothing would say what the model is worth:"
            " expected train-*.parquet and test-*.parquet, or folders train and test."
        )
    if train.images.shape[1:] != test.images.shape[1:]:
        raise LabError(f"The splits of {args.dataset!r} have pictures of different sizes: bring them to one size first.")
    if args.limit is None:
        return train, test
    if args.limit < 100:
        raise LabError(f"--limit is {args.limit}: at least 100 pictures are needed.")
    return train.first(args.limit), test.first(args.limit)


def data_name(args: argparse.Namespace, train: LabelledImages) -> str:
    """The data set as a card names it, without folders that are nobody's business."""
    kind, _, path = args.dataset.partition("/")
    name = "/".join([kind, *Path(path).parts[-2:]]) if path else kind
    return f"{name}, split train, {len(train):,} pictures"


def check_start(args: argparse.Namespace, config: ModelConfig, options: Mapping[str, Any]) -> None:
    """Raise LabError where the options ask for another network than the start is."""
    own = {name: list(value) if isinstance(value, tuple) else value for name, value in config.options.items()}
    if args.architecture not in (None, config.architecture) or any(own.get(name) != value for name, value in options.items()):
        told = ", ".join(f"{name}={value}" for name, value in own.items()) or "default options"
        raise LabError(f"{args.start} is a {config.architecture} with {told}: leave out --arch, --widths and --option.")


def check_crop(args: argparse.Namespace, side: int) -> None:
    """Raise LabError where pictures would be shifted out of themselves."""
    if args.crop >= side:
        raise LabError(f"--crop is {args.crop}: pictures of {side} pixels can be shifted by at most {side - 1}.")


def check_reference(reference: str | None) -> None:
    """Raise LabError where a reference can name no classifier to train with: asked before data are read."""
    if reference is None:
        return
    if reference.startswith("api/"):
        raise LabError(
            f"{reference!r} answers with labels and gives no gradients: train with surrogates that stand in for it"
            " (--surrogate), or with --objective mse."
        )
    parse_reference(reference)


def classifier_for(reference: str, data: LabelledImages, device: torch.device) -> Classifier:
    """A classifier for pictures of the data set's size, with its classes.

    Raises:
        LabError: where it cannot be loaded, or has other classes.
    """
    height, width = data.images.shape[2:]
    classifier = load_classifier_remarking(reference, (height, width)).to(device)
    check_classes(data, classifier)
    return classifier


def check_through(
    args: argparse.Namespace,
    classifier: Classifier | None,
    surrogates: list[Classifier],
    *,
    data: LabelledImages,
    device: torch.device,
) -> None:
    """See that what is to be trained through gives gradients, and is not at once the target and its own surrogate.

    Raises:
        LabError: where not.
    """
    stand_ins = list(zip(args.surrogate, surrogates, strict=True))
    for reference, surrogate in stand_ins:
        if classifier is not None and weights_fingerprint(surrogate) == weights_fingerprint(classifier):
            raise LabError(
                f"{reference} is the classifier itself, which black-box training never looks into: name another surrogate,"
                " or leave out --surrogate to train through the classifier."
            )
    height, width = data.images.shape[2:]
    for reference, through in stand_ins or ([] if classifier is None else [(args.classifier, classifier)]):
        check_gradients(through, reference, (height, width), device)
