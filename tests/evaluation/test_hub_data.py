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

from core.errors import LabError
from core.evaluation.datasets import load_dataset
from core.evaluation.hub_data import fetch_split, sample_pictures

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


@pytest.mark.parametrize("layout", ["plain_text/{}-00000-of-00001.parquet", "data/{}-00000-of-00001-0123456789abcdef.parquet",
                                    "{}-00000-of-00001.parquet"])  # fmt: skip
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
    hub.add("someone/broken", {"test-00000-of-00001.parquet": b"no parquet"}, kind="dataset")
    for reference, word in (
        ("hub/someone/pets", "choose one of train"),
        ("hub/someone/csv", "no parquet files"),
        ("hub/someone/text", "expected img"),
        ("hub/someone/broken", "cannot be read as parquet"),
        ("hub/someone/nothing", "nothing"),
    ):
        with pytest.raises(LabError, match=word) as caught:
            load_dataset(reference)
        assert "\n" not in str(caught.value)
