"""Uploads that are kept for all sessions: read once, and of so many pixels together."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from picture_files import encode
from PIL import Image

from core.errors import LabError
from core.ui import pictures
from core.ui.pictures import pixels_of, read_upload


def test_an_upload_is_read_once_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 3 * 400)
    files = [encode(Image.new("RGB", (20, 20), (shade, 0, 0))) for shade in range(4)]
    first = read_upload(files[0], "a.png")
    assert read_upload(files[0], "a.png") is first
    assert read_upload(files[0], "b.png").name == "b.png"
    for number in (1, 0, 2, 3):
        read_upload(files[number], "a.png")
    assert sum(map(pixels_of, pictures._read.values())) <= 3 * 400
    assert read_upload(files[0], "a.png") is first  # asked for in between
    assert (hashlib.sha256(files[1]).digest(), "a.png") not in pictures._read


def test_many_threads_share_what_is_kept_and_a_picture_above_all_is_read_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 500)
    files = [encode(Image.new("RGB", (20, 20 + number))) for number in range(4)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda number: read_upload(files[number % 4], "a.png").image.size, range(64)))
    assert found == [(20, 20 + number % 4) for number in range(64)]
    assert read_upload(encode(Image.new("RGB", (50, 50))), "a.png").image.size == (50, 50)
    assert not pictures._read


def test_what_cannot_be_read_is_told_each_time() -> None:
    for _ in range(2):
        with pytest.raises(LabError, match=r"a\.png is a text file"):
            read_upload(b"text", "a.png")
