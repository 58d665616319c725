"""The pictures of a training: parted, labelled; uploads and zips: what is read, left out, refused."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.data.shapes import make_shapes
from core.errors import LabError
from core.training import pictures
from core.training.pictures import Uploaded, has_cifar10, pictures_for, read_uploaded, shapes_pictures, uploaded_pictures


def png(side: int = 16, grey: int = 100, width: int | None = None) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width or side, side), (grey, grey, grey)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes]) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo()
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.filename = name  # whatever it is: given to the class it would be put in order
            with archive.open(entry, "w") as file:
                file.write(content)
    return "mine.zip", buffer.getvalue()


def test_folders_are_classes() -> None:
    found = read_uploaded([zipped({"top/cat/a.png": png(grey=10), "top/dog/b.png": png(grey=20)})], (16, 16))
    assert found.classes == ("cat", "dog")
    assert found.images.shape == (2, 3, 16, 16)
    assert found.images[:, 0, 0, 0].tolist() == [10, 20]
    assert not found.notes


def test_pictures_alone_have_no_classes() -> None:
    assert read_uploaded([("a.png", png()), ("b.png", png())], (16, 16)).classes is None


def test_what_cannot_be_read_is_counted_and_named() -> None:
    files = {
        "cat/a.png": png(),
        "cat/b.png": b"nothing",
        "cat/notes.txt": b"x",
        "__MACOSX/cat/._a.png": b"",
        "cat/.DS_Store": b"",
    }
    found = read_uploaded([zipped(files)], (16, 16))
    assert len(found.images) == 1
    (note,) = found.notes
    assert note.startswith("2 files were left out: ")
    assert "b.png" in note
    assert "notes.txt" in note


def test_mixed_sizes_are_brought_to_one_and_told() -> None:
    found = read_uploaded([("a.png", png(16)), ("b.png", png(32, width=64))], (16, 16))
    assert found.images.shape == (2, 3, 16, 16)
    assert found.notes == ("The pictures are of several sizes: all were brought to 16 x 16.",)


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "cat/../../a.png", "C:\\a.png", "..\\a.png"])
def test_paths_that_lead_outside_are_left_out(name: str) -> None:
    found = read_uploaded([zipped({name: png(), "cat/b.png": png()})], (16, 16))
    assert len(found.images) == 1
    assert "outside" in found.notes[0]


def test_a_bomb_is_refused_though_the_zip_lies_about_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_UNPACKED", 10_000)
    with pytest.raises(LabError, match="unpacks to more than"):
        read_uploaded([zipped({"a.png": bytes(100_000)})], (16, 16))


def test_limits_on_bytes_entries_and_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_ENTRIES", 2)
    with pytest.raises(LabError, match="3 files in it: at most 2"):
        read_uploaded([zipped({f"{i}.png": png() for i in range(3)})], (16, 16))
    monkeypatch.setattr(pictures, "MOST_HELD", 1_000)
    with pytest.raises(LabError, match="at most 1 pictures are taken"):
        read_uploaded([("a.png", png()), ("b.png", png())], (16, 16))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 300)
    with pytest.raises(LabError, match="million pixels"):
        read_uploaded([("a.png", png()), ("b.png", png())], (16, 16))
    monkeypatch.setattr(pictures, "MOST_BYTES", 10)
    with pytest.raises(LabError, match="were uploaded"):
        read_uploaded([("a.png", png())], (16, 16))


@pytest.mark.parametrize("packed", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_unpacks_at_once_is_not_unpacked(packed: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packed) as archive:
        archive.writestr("bomb.png", bytes(30 * 2**20))
    tracemalloc.start()
    with pytest.raises(LabError, match=r"\(bomb\.png is packed in another way than deflate\)"):
        read_uploaded([("mine.zip", buffer.getvalue())], (16, 16))
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_more_entries_than_are_read_are_not_even_listed() -> None:
    listed = b"PK\1\2" + bytes(42)
    tracemalloc.start()
    with pytest.raises(LabError, match="1,000,000 files in it: at most 5,000"):
        read_uploaded([("mine.zip", listed * 1_000_000)], (16, 16))
    assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("name", [".", "/", "a/.", "", "\n", "./", ":", "a:/b.png", "\x00.png", "\u202egnp.exe", "a\r\nb.png"])
def test_names_that_are_none_are_left_out_in_a_line(name: str) -> None:
    try:
        notes = read_uploaded([zipped({"cat/b.png": png(), name: b"nothing"})], (16, 16)).notes
    except LabError as error:
        notes = (str(error),)
    assert all(note.isprintable() for note in notes)


def test_an_entry_that_is_damaged_is_left_out() -> None:
    name, content = zipped({"a.png": np.random.default_rng(0).bytes(4000), "b.png": png()})
    broken = content[:200] + bytes(100) + content[300:]
    found = read_uploaded([(name, broken)], (16, 16))
    assert found.notes == ("1 file was left out: a.png is damaged in the zip.",)


@pytest.mark.parametrize("files", [[("a.zip", b"PK nothing")], [("a.png", b"")], [], [zipped({})]])
def test_nothing_to_read_is_told_in_a_sentence(files: list[tuple[str, bytes]]) -> None:
    with pytest.raises(LabError, match=r"no zip that can be read|No picture could be read"):
        read_uploaded(files, (16, 16))


def test_a_stop_is_felt_between_pictures() -> None:
    with pytest.raises(LabError, match="Stopped"):
        read_uploaded([("a.png", png())], (16, 16), should_stop=lambda: True)


def test_shapes_are_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SHAPES_AT_FIRST", 8)
    monkeypatch.setattr("core.data.datasets.SHAPES_SIZES", {"train": 20, "test": 20})
    found = shapes_pictures(None, 3)
    first = found.pool.clone()
    generator = torch.Generator().manual_seed(0)
    assert found.draw(5, generator).shape == (5, 3, 32, 32)
    found.draw(5, generator)
    assert not any(torch.equal(found.pool[i], first[i]) for i in range(8))
    assert len(found.checked) == 3


def test_folders_must_be_named_after_classes_and_may_come_in_any_order() -> None:
    images, labels = make_shapes(40, seed=1)
    names = [("Circle", "square")[int(label) % 2] for label in labels]
    found = uploaded_pictures(Uploaded(images, tuple(names)), ("square", "circle"), 3)
    assert found.labels is not None
    for picture, label in zip(found.checked, found.labels, strict=True):
        row = next(i for i in range(40) if torch.equal(images[i], picture))
        assert names[row].lower() == ("square", "circle")[int(label)]
    assert len(found.pool) + len(found.watched) == 40
    with pytest.raises(LabError, match="has no class 'Circle'"):
        uploaded_pictures(Uploaded(images, tuple(names)), ("cat", "square"), 3)


def test_folders_are_spelt_as_the_classes_are_anywhere_else() -> None:
    images, _ = make_shapes(40, seed=1)
    found = uploaded_pictures(Uploaded(images, ("Tiger_shark",) * 40), ("tench, Tinca tinca", "tiger shark"), 3)
    assert found.labels is not None
    assert found.labels.tolist() == [1, 1, 1]


def test_too_few_pictures_and_wrong_classes_are_told() -> None:
    images, _ = make_shapes(19)
    with pytest.raises(LabError, match=r"Only 19 pictures .*at least 20"):
        uploaded_pictures(Uploaded(images, None), None, 2)
    with pytest.raises(LabError, match="other classes than shapes"):
        pictures_for("shapes", ("cat", "dog"), 2, None)
    with pytest.raises(LabError, match="Upload pictures first"):
        pictures_for("upload", None, 2, None)


def test_cifar10_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    monkeypatch.setattr(pictures, "cifar10_folder", lambda: None)
    assert not has_cifar10()
    with pytest.raises(LabError, match="CIFAR-10 is not on this machine"):
        pictures_for("cifar10", None, 2, None)


def test_a_training_that_goes_on_draws_the_shapes_that_it_would_have_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SHAPES_AT_FIRST", 50)
    unbroken, resumed = shapes_pictures(None, 2), shapes_pictures(None, 2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):  # more than once around
        unbroken.draw(8, generator)
    resumed.go_on(30)
    assert resumed.endless == unbroken.endless == 50 + 30 * pictures.SHAPES_A_STEP
    assert torch.equal(resumed.pool, unbroken.pool)
    assert torch.equal(resumed.draw(8, torch.Generator().manual_seed(1)), unbroken.draw(8, torch.Generator().manual_seed(1)))
