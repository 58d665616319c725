"""Data sets of the Hub, from a loopback Hub."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from loopback_hub import LoopbackHub
from PIL import Image

from core.data.datasets import load_dataset
from core.data.parquet import fetch_split, sample_pictures
from core.errors import LabError
from core.models.labels import CIFAR10_LABELS

NAMES = ["cat", "dog", "frog"]


def parquet(
    path: Path, greys: list[int], *, image: str = "img", label: str = "label", named: bool = True, group: int = 4
) -> None:
    """A file whose row i is grey[i] all over and has the label i % 3."""
    cells = []
    for grey in greys:
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), (grey, grey, grey)).save(buffer, "PNG")
        cells.append({"bytes": buffer.getvalue(), "path": None})
    table = pa.table({image: cells, label: [i % 3 for i in range(len(greys))]})
    features = {image: {"_type": "Image"}, label: {"names": NAMES, "_type": "ClassLabel"}}
    if named:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)


def publish(hub: LoopbackHub, folder: Path, **layout: Any) -> None:
    hub.add("someone/pets", folder, kind="dataset")


@pytest.mark.parametrize(
    "layout",
    [
        "plain_text/{}-00000-of-00001.parquet",
        "data/{}-00000-of-00001-0123456789abcdef.parquet",
        "{}-00000-of-00001.parquet",
        "default/{}/0000.parquet",
        "{}/0000.parquet",
        "{}/part.parquet",
        "data/{}.parquet",
    ],
)
def test_both_layouts_are_read_with_their_names(hub: LoopbackHub, tmp_path: Path, layout: str) -> None:
    parquet(tmp_path / "data" / layout.format("test"), [10, 20, 30, 40, 50])
    parquet(tmp_path / "data" / layout.format("train"), [1, 2])
    publish(hub, tmp_path / "data")
    data = load_dataset("hub/someone/pets", "test")
    assert data.images[:, 0, 0, 0].tolist() == [10, 20, 30, 40, 50]
    assert data.labels.tolist() == [0, 1, 2, 0, 1]
    assert data.names == tuple(NAMES)


def test_several_files_make_one_split_with_numbers_that_go_on(hub: LoopbackHub, tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "test-00000-of-00002.parquet", [10, 20, 30])
    parquet(tmp_path / "data" / "test-00001-of-00002.parquet", [40, 50])
    publish(hub, tmp_path / "data")
    data = load_dataset("hub/someone/pets")
    assert data.images[:, 0, 0, 0].tolist() == [10, 20, 30, 40, 50]
    assert data.indices.tolist() == [0, 1, 2, 3, 4]


def test_a_part_of_a_split_is_not_taken_for_the_whole(hub: LoopbackHub, tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "test-00001-of-00002.parquet", [40, 50])
    publish(hub, tmp_path / "data")
    with pytest.raises(LabError, match="1 of its 2 files"):
        load_dataset("hub/someone/pets")


def test_splits_may_have_digits_in_their_names(hub: LoopbackHub, tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "test2-00000-of-00001.parquet", [10])
    publish(hub, tmp_path / "data")
    assert len(load_dataset("hub/someone/pets", "test2")) == 1


def test_offline_the_cached_split_is_read_and_another_is_told(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "test"):
        parquet(tmp_path / "data" / f"{split}-00000-of-00001.parquet", [10, 20])
    publish(hub, tmp_path / "data")
    seen: list[Any] = []
    load_dataset("hub/someone/pets", on_progress=seen.append)
    assert seen
    assert seen[-1].done == seen[-1].total > 0
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert len(load_dataset("hub/someone/pets")) == 2
    with pytest.raises(LabError, match="in the cache, and the Hub was not asked"):
        load_dataset("hub/someone/pets", "train")


def test_names_are_not_guessed_for_a_strangers_ten_classes(hub: LoopbackHub, tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", [10, 20], named=False)
    publish(hub, tmp_path / "data")
    hub.add("someone/cifar10", tmp_path / "data", kind="dataset")
    assert load_dataset("hub/someone/pets").names is None
    assert load_dataset("hub/someone/cifar10").names == CIFAR10_LABELS


def test_different_sizes_make_a_gallery_but_no_evaluation(hub: LoopbackHub, tmp_path: Path) -> None:
    sizes = [(32, 32), (40, 20), (32, 32)]
    cells = []
    for size in sizes:
        buffer = io.BytesIO()
        Image.new("RGB", size).save(buffer, "PNG")
        cells.append({"bytes": buffer.getvalue(), "path": None})
    path = tmp_path / "data" / "test-00000-of-00001.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"image": cells, "label": [0, 1, 0]}), path)
    publish(hub, tmp_path / "data")
    some = sample_pictures(fetch_split("hub/someone/pets"), 10, seed=0)
    assert sorted(one.picture.size for one in some) == sorted(sizes)
    with pytest.raises(LabError, match="different sizes \\(40x20, 32x32\\)"):
        load_dataset("hub/someone/pets")


def test_a_data_set_larger_than_the_memory_is_told(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", [10, 20])
    publish(hub, tmp_path / "data")
    monkeypatch.setattr("core.data.datasets.memory_left", lambda: 2 * 2 * 32 * 32 * 3 - 1)
    with pytest.raises(LabError, match="choose a smaller data set or split"):
        load_dataset("hub/someone/pets")


def test_columns_of_other_names_are_found_by_their_features(hub: LoopbackHub, tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", [10, 20], image="photo", label="species")
    publish(hub, tmp_path / "data")
    assert load_dataset("hub/someone/pets").labels.tolist() == [0, 1]


def test_a_gallery_is_random_by_seed_and_right(hub: LoopbackHub, tmp_path: Path) -> None:
    greys = list(range(0, 240, 6))
    parquet(tmp_path / "data" / "test-00000-of-00002.parquet", greys[:25])
    parquet(tmp_path / "data" / "test-00001-of-00002.parquet", greys[25:])
    publish(hub, tmp_path / "data")
    split = fetch_split("hub/someone/pets")
    some = sample_pictures(split, 10, seed=1)
    assert len({one.number for one in some}) == 10
    for one in some:
        inside = one.number if one.number < 25 else one.number - 25
        assert int(np.asarray(one.picture)[0, 0, 0]) == greys[one.number]
        assert (one.label, one.name) == (inside % 3, NAMES[inside % 3])
    assert [one.number for one in sample_pictures(split, 10, seed=1)] == [one.number for one in some]
    assert [one.number for one in sample_pictures(split, 10, seed=2)] != [one.number for one in some]
    assert len(sample_pictures(split, 100, seed=0)) == 40


def test_row_groups_without_a_wanted_row_are_not_read(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", list(range(40)), group=4)
    publish(hub, tmp_path / "data")
    split = fetch_split("hub/someone/pets")
    read: list[int] = []
    original = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda self, group, **kwargs: read.append(group) or original(self, group, **kwargs)
    )
    sample_pictures(split, 2, seed=0)
    assert len(read) <= 2


def test_mistakes_are_told_in_one_sentence(hub: LoopbackHub, tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "train-00000-of-00001.parquet", [1])
    publish(hub, tmp_path / "data")
    hub.add("someone/csv", {"data.csv": b"a,b"}, kind="dataset")
    parquet(tmp_path / "text" / "test-00000-of-00001.parquet", [1], image="words", label="kind", named=False)
    hub.add("someone/text", tmp_path / "text", kind="dataset")
    parquet(tmp_path / "unlabelled" / "test-00000-of-00001.parquet", [1], label="mood", named=False)
    hub.add("someone/unlabelled", tmp_path / "unlabelled", kind="dataset")
    hub.add("someone/broken", {"test-00000-of-00001.parquet": b"no parquet"}, kind="dataset")
    for reference, word in (
        ("hub/someone/pets", "choose one of train"),
        ("hub/someone/csv", "no parquet files"),
        ("hub/someone/text", "expected img"),
        ("hub/someone/unlabelled", "and label"),
        ("hub/someone/broken", "cannot be read as parquet"),
        ("hub/someone/nothing", "nothing"),
    ):
        with pytest.raises(LabError, match=word) as caught:
            load_dataset(reference)
        assert "\n" not in str(caught.value)
