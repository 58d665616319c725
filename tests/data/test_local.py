"""Which labelled pictures a picture is compared with, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.attacks.at_radius import nearest_of_another_class
from core.data import local
from core.data.local import local_pictures
from core.data.samples import samples
from core.data.shapes import SHAPES_LABELS
from core.errors import LabError
from core.models.labels import CIFAR10_LABELS


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    local_pictures.cache_clear()


def without_data(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("LAB_DATA", str(folder))
    monkeypatch.setattr(local, "repository_folder", lambda name, kind: folder)

    def none_cached(*args: object, **options: object) -> None:
        raise LabError("not cached")

    monkeypatch.setattr(local, "from_cache", none_cached)


def test_shapes_are_made_on_the_fly() -> None:
    found = local_pictures(SHAPES_LABELS, (32, 32))
    assert len(found.data) == 1_000
    assert "shapes" in found.what


def test_without_a_data_set_the_samples_stand_in_and_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_data(monkeypatch, tmp_path)
    assert local.cifar10_folder() is None
    found = local_pictures(CIFAR10_LABELS, (32, 32))
    here = [sample for sample in samples() if sample.label in CIFAR10_LABELS]
    assert len(found.data) == len(here) > 2
    assert "sample pictures" in found.what
    assert "no data set" in found.what
    assert [CIFAR10_LABELS[label] for label in found.data.labels.tolist()] == [sample.label for sample in here]


def test_samples_are_brought_to_the_size_of_the_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_data(monkeypatch, tmp_path)
    found = local_pictures(CIFAR10_LABELS, (48, 64))
    assert tuple(found.data.images.shape[1:]) == (3, 48, 64)
    near = nearest_of_another_class(found.data.images[0].float() / 255, int(found.data.labels[0]), found.data)
    assert near.label != int(found.data.labels[0])
    assert near.distance > 0


def test_classes_of_which_nothing_is_here_are_refused() -> None:
    with pytest.raises(LabError, match="nothing to compare with"):
        local_pictures(("tench", "goldfish"), (32, 32))


def test_cifar10_is_found_where_the_environment_says(cifar10_folder: Path) -> None:
    assert local.cifar10_folder() == cifar10_folder
    found = local_pictures(CIFAR10_LABELS, (32, 32))
    assert len(found.data) > 1_000
    assert "CIFAR-10" in found.what
    short = ("plane", "car", *CIFAR10_LABELS[2:9], "Truck")
    assert local_pictures(short, (32, 32)).what == found.what, "the same classes, whose names are spelt otherwise"
