"""The pictures behind a log: only those of data sets that are known, wherever they are on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.data.datasets import SHAPES_LABELS, load_dataset
from core.evaluation.log import HEADER, LogLine, Outcomes
from core.evaluation.log_pictures import classes_of, dataset_of, images_behind, pictures_at
from core.evaluation.recorded import RecordedEvaluation, recorded_from
from core.models.labels import CIFAR10_LABELS

LINES = [
    LogLine(0, 1, 1, 0.5, True, 0.1),
    LogLine(1, 1, 2, 0.9, False, 0.1),
    LogLine(2, 1, -1, 0.0, False, 0.1),
    LogLine(3, 0, 0, 0.25, True, 0.1),
]
LOG = ("\t".join(HEADER) + "\n0\t3\t3\t0.1\t1\t1\n").encode()


def made(name: str = "log.tsv", **side: str) -> RecordedEvaluation:
    return recorded_from(name, LOG, json.dumps(side).encode() if side else None)


@pytest.mark.parametrize(
    ("log", "dataset"),
    [
        (made(dataset="hub/uoft-cs/cifar10", split="test"), "CIFAR-10"),
        (made(dataset="parquet/data/cifar-10", split="test"), "CIFAR-10"),
        (made(dataset="hub/uoft-cs/cifar10", split="train"), None),
        (made(dataset="hub/uoft-cs/cifar100"), None),
        (made(dataset="shapes", split="test"), "shapes"),
        (made(dataset="folder/etc"), None),
        (made("cifar10_resnet110_noise_0.25_test_sigma_0.25.tsv"), "CIFAR-10"),
        (made("imagenet_resnet50_noise_0.50_test_sigma_0.50.tsv"), None),
    ],
)
def test_the_data_set_is_told_by_what_a_log_says(log: RecordedEvaluation, dataset: str | None) -> None:
    assert dataset_of(log) == dataset


def test_class_names_are_those_of_the_data_set() -> None:
    assert classes_of("CIFAR-10") == CIFAR10_LABELS
    assert classes_of("shapes") == SHAPES_LABELS
    assert classes_of(None) is None


def test_pictures_of_shapes_are_those_of_the_data_set() -> None:
    data = load_dataset("shapes", "test")
    found = pictures_at("shapes", [7, 999, 100_000])
    assert sorted(found) == [7, 999]
    assert found[7].label == int(data.labels[7])
    assert found[7].picture.getpixel((3, 5)) == tuple(data.images[7, :, 5, 3].tolist())


def test_pictures_of_cifar10_have_the_labels_of_published_logs(cifar10_folder: Path, published_logs: Path) -> None:
    from core.evaluation.recorded import read_recorded

    outcomes = read_recorded(published_logs / "cifar10_resnet110_noise_0.25_test_sigma_0.25.tsv").outcomes
    found = pictures_at("CIFAR-10", outcomes.idx.tolist())
    assert found
    assert all(found[i].label == label for i, label in zip(outcomes.idx, outcomes.label, strict=True) if int(i) in found)
    assert next(iter(found.values())).picture.size == (32, 32)


def test_no_other_data_set_is_looked_for() -> None:
    assert pictures_at(None, [0]) == {}
    assert pictures_at("ImageNet", [0]) == {}


def test_every_image_is_behind_a_point_in_one_way() -> None:
    log = Outcomes.of(LINES)
    behind = images_behind(log, 0.4)
    assert [behind.kept.tolist(), behind.lost.tolist(), behind.wrong.tolist(), behind.abstained.tolist()] == [
        [0],
        [3],
        [1],
        [2],
    ]
    assert images_behind(log, 0.4, 0.3).lost.tolist() == []
    assert images_behind(log, 0.6, 0.1).lost.tolist() == [0, 3]  # the last one lost first
