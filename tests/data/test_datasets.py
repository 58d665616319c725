"""Data sets by reference: what is read, how it is numbered, and what is refused."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from core.commands.options import skipped_text
from core.data import datasets
from core.data.datasets import LabelledImages, load_dataset, load_photographs
from core.data.shapes import SHAPES_LABELS
from core.errors import LabError
from core.models.labels import CIFAR10_LABELS

RNG = np.random.default_rng(0)


def picture(side: int = 32) -> np.ndarray:
    return RNG.integers(0, 256, (side, side, 3), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def write_parquet(path: Path, pictures: list[bytes], labels: list[int], paths: list[str | None], column: str = "img") -> None:
    cells = [{"bytes": data, "path": name} for data, name in zip(pictures, paths, strict=True)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({column: pa.array(cells, kind), "label": pa.array(labels, pa.int64())}), path)


@pytest.fixture
def few_shapes(monkeypatch):
    """The data set shapes with fewer pictures, which take a while to draw."""
    assert datasets.SHAPES_SIZES == {"train": 10_000, "test": 1_000}
    monkeypatch.setattr(datasets, "SHAPES_SIZES", {"train": 50, "test": 60})


def test_shapes(few_shapes):
    test, train = load_dataset("shapes", "test"), load_dataset("shapes", "train")
    assert test.images.shape == (60, 3, 32, 32)
    assert len(train) == 50
    assert test.names == train.names == SHAPES_LABELS
    assert test.labels.tolist() == [i % 10 for i in range(60)]
    assert torch.equal(test.indices, torch.arange(60))
    both = torch.cat([test.images, train.images]).flatten(1)
    assert len(both.unique(dim=0)) == 110  # no picture to train on is among the test's


def test_parquet_keeps_pixels_labels_and_the_original_numbers(tmp_path):
    pictures = [picture() for _ in range(4)]
    write_parquet(
        tmp_path / "test-00000-of-00001.parquet", [png(p) for p in pictures], [3, 0, 9, 3], ["00007.png", "20.png", None, "x"]
    )
    path = (tmp_path / "cifar10").resolve()
    path.mkdir()
    shutil.copy(tmp_path / "test-00000-of-00001.parquet", path)
    assert load_dataset(f"parquet/{path}", "test").names == CIFAR10_LABELS  # its folder says so
    data = load_dataset(f"parquet/{tmp_path}", "test")
    assert data.names is None  # ten classes at 32 x 32 are nobody's in particular
    assert data.indices.tolist() == [7, 20, 2, 3]  # the number in the name, else the row
    assert data.labels.tolist() == [3, 0, 9, 3]
    assert np.array_equal(data.images.permute(0, 2, 3, 1).numpy(), np.stack(pictures))
    assert torch.equal(load_dataset(f"parquet/{tmp_path}/test-00000-of-00001.parquet").images, data.images)


def test_rows_are_counted_over_all_files(tmp_path):
    for part in range(2):
        write_parquet(tmp_path / f"train-{part}.parquet", [png(picture(16))] * 3, [0, 1, 2], [None] * 3, column="image")
    data = load_dataset(f"parquet/{tmp_path}", "train")
    assert data.indices.tolist() == [0, 1, 2, 3, 4, 5]
    assert data.names is None  # 16 x 16: not CIFAR-10


def test_every_takes_original_numbers():
    numbers = torch.tensor([0, 7, 20, 21, 23, 40, 43])
    data = LabelledImages(torch.arange(7).view(7, 1, 1, 1).repeat(1, 3, 2, 2).byte(), torch.arange(7), numbers, ("a",))
    assert data.every(20).indices.tolist() == [0, 20, 40]
    assert data.every(20).labels.tolist() == [0, 2, 5]
    assert data.every(20).images[:, 0, 0, 0].tolist() == [0, 2, 5]
    assert data.every(20, offset=3).indices.tolist() == [23, 43]
    assert data.every(20).names == ("a",)


def test_folder(tmp_path):
    kept = {}
    for name in ("dog", "cat"):
        (tmp_path / "test" / name).mkdir(parents=True)
        for number in range(2):
            kept[name, number] = picture(16)
            (tmp_path / "test" / name / f"{number}.png").write_bytes(png(kept[name, number]))
    (tmp_path / "test" / "cat" / "notes.txt").write_text("not a picture")
    for reference, split in [(f"folder/{tmp_path}", "test"), (f"folder/{tmp_path}/test", "train")]:
        data = load_dataset(reference, split)
        assert data.names == ("cat", "dog")
        assert data.labels.tolist() == [0, 0, 1, 1]
        assert np.array_equal(data.images[3].permute(1, 2, 0).numpy(), kept["dog", 1])


@pytest.mark.parametrize("reference", ["", "cifar10", "hub", "parquet", "parquet/", "folder/", "sql/table", "Shapes"])
def test_unknown_references_are_told(reference):
    with pytest.raises(LabError, match=r"Unknown data set .*: expected shapes, hub/OWNER/NAME, parquet/PATH or folder/PATH"):
        load_dataset(reference)


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(LabError, match="has no split 'validation': choose train or test"):
        load_dataset("shapes", "validation")
    with pytest.raises(LabError, match="there is no file or folder"):
        load_dataset(f"parquet/{tmp_path}/nothing")
    with pytest.raises(LabError, match=r"No file test-\*\.parquet lies in"):
        load_dataset(f"parquet/{tmp_path}")
    with pytest.raises(LabError, match="has no folders in it: expected one folder of pictures a class"):
        load_dataset(f"folder/{tmp_path}")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(LabError, match="cannot be read as parquet"):
        load_dataset(f"parquet/{tmp_path}/text.parquet")
    pq.write_table(pa.table({"pixels": [1]}), tmp_path / "columns.parquet")
    with pytest.raises(LabError, match=r"has columns \['pixels'\]: expected img \(or image\) and label"):
        load_dataset(f"parquet/{tmp_path}/columns.parquet")
    write_parquet(tmp_path / "empty.parquet", [], [], [])
    with pytest.raises(LabError, match="has no rows"):
        load_dataset(f"parquet/{tmp_path}/empty.parquet")
    write_parquet(tmp_path / "damaged.parquet", [png(picture())[:200]] * 2, [0, 1], [None, None])
    with pytest.raises(LabError, match=r"None of the 2 pictures can .* first: Row 0 of damaged\.parquet is damaged or cut"):
        load_dataset(f"parquet/{tmp_path}/damaged.parquet")
    write_parquet(tmp_path / "mixed.parquet", [png(picture(32)), png(picture(16))], [0, 1], [None, None])
    with pytest.raises(LabError, match=r"have different sizes \(16x16, 32x32\)"):
        load_dataset(f"parquet/{tmp_path}/mixed.parquet")
    (tmp_path / "classes" / "cat").mkdir(parents=True)
    with pytest.raises(LabError, match="No PNG, JPEG or WebP pictures lie in the folders"):
        load_dataset(f"folder/{tmp_path}/classes")
    (tmp_path / "classes" / "cat" / "a.png").write_text("text")
    with pytest.raises(
        LabError, match=r"None of the 1 pictures can be read; the first: .*a\.png' is a text file, not a picture"
    ):
        load_dataset(f"folder/{tmp_path}/classes")


def test_unreadable_pictures_among_good_ones_are_left_out_and_told(tmp_path):
    good, bad = png(picture()), png(picture())[:200]
    write_parquet(tmp_path / "test-0.parquet", [good, bad, good], [0, 1, 2], [None] * 3)
    write_parquet(tmp_path / "test-1.parquet", [b"text", good], [3, 4], [None] * 2)
    data = load_dataset(f"parquet/{tmp_path}")
    assert data.indices.tolist() == data.labels.tolist() == [0, 2, 4]
    assert [clause.partition(" is ")[0] for clause in data.skipped] == ["Row 1 of test-0.parquet", "Row 3 of test-1.parquet"]
    assert data.every(2).skipped == data.skipped
    for name, content in (("cat/1.png", good), ("cat/2.png", bad), ("dog/1.png", good)):
        (tmp_path / "classes" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "classes" / name).write_bytes(content)
    data = load_dataset(f"folder/{tmp_path}/classes")
    assert (data.indices.tolist(), data.labels.tolist()) == ([0, 2], [0, 1])
    assert len(data.skipped) == 1
    assert "2.png' is damaged or cut short" in data.skipped[0]
    assert skipped_text(data).startswith("1 of 3 pictures left out: ")


def test_cifar10(cifar10_folder):
    data = load_dataset(f"parquet/{cifar10_folder}", "test")
    assert data.images.shape[1:] == (3, 32, 32)
    assert data.names == CIFAR10_LABELS
    assert len(data.indices.unique()) == len(data)
    assert int(data.indices.max()) < 5_000
    assert len(data) > 4_900
    assert int(data.labels[data.indices == 0]) == CIFAR10_LABELS.index("cat")  # the first test image is a cat
    assert 200 < len(data.every(20)) <= 250


def test_a_listing_names_pictures_and_classes(tmp_path):
    (tmp_path / "images").mkdir()
    for name, grey in (("a.png", 10), ("b.png", 200)):
        Image.new("RGB", (12, 8), (grey, grey, grey)).save(tmp_path / "images" / name)
    (tmp_path / "labels.tsv").write_text("image\timagenet_class_index\tclass_name\nb.png\t23\tvulture\na.png\t5\tray\n")
    data = load_dataset(f"folder/{tmp_path}")
    assert data.labels.tolist() == [23, 5]
    assert data.images.shape == (2, 3, 8, 12)
    assert int(data.images[0].max()) == 200
    assert data.names is not None
    assert (len(data.names), data.names[5], data.names[6], data.names[23]) == (24, "ray", "class 6", "vulture")


@pytest.mark.parametrize(
    ("listing", "word"),
    [
        ("picture\tlabel\nb.png\t1\n", "expected image and label"),
        ("image\tlabel\nnone.png\t1\n", "Line 2"),
        ("image\tlabel\n../secret.png\t1\n", "which is not in"),
        ("image\tlabel\na.png\tcat\n", "class number 'cat'"),
        ("", "expected image and label"),
    ],
)
def test_a_wrong_listing_is_told(tmp_path, listing, word):
    folder = tmp_path / "data"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    (folder / "labels.tsv").write_text(listing)
    with pytest.raises(LabError, match=word):
        load_dataset(f"folder/{folder}")


def test_photographs_are_cropped_anew_everywhere_and_turned(tmp_path):
    pixels = picture(40)[:20]  # 40 wide, 20 high
    Image.fromarray(pixels).save(tmp_path / "a.png")
    photographs = load_photographs(tmp_path, 18)
    assert photographs.size == (18, 18)
    crops, labels = photographs.batch(torch.zeros(400).long(), torch.Generator().manual_seed(0))
    assert labels.unique().tolist() == [-1]
    whole = torch.from_numpy(pixels).permute(2, 0, 1)
    places = {(top, left): whole[:, top : top + 18, left : left + 18] for top in range(3) for left in range(23)}
    found = [place for crop in crops for place, cut in places.items() if torch.equal(crop, cut)]
    assert len(found) == 400
    assert set(found) == set(places)
    turned, _ = replace(photographs, turned=True).batch(torch.zeros(400).long(), torch.Generator().manual_seed(0))
    ways = [
        next(k for k in range(4) if torch.equal(crop.rot90(k, (1, 2)), one)) for crop, one in zip(crops, turned, strict=True)
    ]
    assert all(60 < ways.count(k) < 140 for k in range(4))


def test_photographs_that_are_measured_on_are_not_learnt_from_and_small_ones_are_scaled_up(tmp_path):
    for number in range(7):
        Image.new("RGB", (30, 9 if number == 3 else 30), (number, 0, 0)).save(tmp_path / f"{number}.png")
    photographs = load_photographs(tmp_path, 18)
    assert {min(one.shape[1:]) for one in photographs.pictures} == {30, 18}
    rest, middles = photographs.part(3, 1)
    assert [int(one[0, 0, 0]) for one in rest.pictures] == [0, 2, 3, 5, 6]
    assert middles.images.shape == (2, 3, 18, 18)
    assert (middles.images[:, 0, 0, 0].tolist(), middles.indices.tolist()) == ([1, 4], [1, 4])


def test_photographs_that_cannot_be_had(tmp_path, monkeypatch):
    with pytest.raises(LabError, match=r"There is no folder .* must name a folder of photographs"):
        load_photographs(tmp_path / "nothing", 18)
    (tmp_path / "a.png").write_text("none")
    with pytest.raises(LabError, match="can be read; the first: "):
        load_photographs(tmp_path, 18)
    for number in range(3):
        Image.fromarray(picture(40)).save(tmp_path / f"b{number}.png")
    monkeypatch.setattr(datasets, "memory_left", lambda: 5_000)
    with pytest.raises(LabError, match="GB of memory while they are read"):
        load_photographs(tmp_path, 18)


def test_folders_that_are_numbers_are_the_numbers_of_their_classes(tmp_path: Path) -> None:
    for name in ("0", "2", "10"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), (int(name), 0, 0)).save(tmp_path / name / "a.png")
    data = load_dataset(f"folder/{tmp_path}")
    assert data.labels.tolist() == data.images[:, 0, 0, 0].tolist() == [0, 10, 2]
    assert data.names is None
