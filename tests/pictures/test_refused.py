"""Pictures that are refused: one sentence, whatever is wrong."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from picture_files import NOISE, chunk, encode, jpeg_of_scans, png
from PIL import Image

from core.errors import LabError
from core.pictures.reading import MAX_BYTES, read_picture


def says(data: bytes, name: str = "cat.png") -> str:
    with pytest.raises(LabError) as raised:
        read_picture(data, name)
    message = str(raised.value)
    assert message.startswith(name)
    assert "\n" not in message
    return message


def read_or_message(data: bytes) -> str | None:
    """None where a picture comes out, else the sentence; anything else that is raised fails the test."""
    try:
        assert read_picture(data, "cat.png").image.mode == "RGB"
    except LabError as error:
        return str(error)
    return None


@pytest.mark.parametrize("size", [(1, 1), (1, 4_000), (4_000, 1), (7, 7), (200, 7)])
def test_too_small(size):
    assert (
        says(encode(Image.new("RGB", size))) == f"cat.png is {size[0]} x {size[1]} pixels: at least 8 on each side are needed."
    )


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = png(60_000, 60_000, 8, 2, b"\0" * 1_000)
    assert says(bomb) == "cat.png has 60,000 x 60,000 pixels: at most 50 million are read; make it smaller."


def test_a_real_bomb_is_refused_before_it_is_unpacked():
    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(b"\0" * (1 + 60_000 // 8) * 100) for _ in range(600)) + rows.flush()
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)) + chunk(b"IDAT", body)
    data += chunk(b"IEND", b"")
    assert len(data) < 1_000_000  # that unpack to 3.6 thousand million pixels
    assert "60,000 x 60,000 pixels" in says(data)


@pytest.mark.parametrize("size", [(8_000, 8_000), (10_000, 10_000), (50_000_008 // 8, 8 + 8)])
def test_limits_of_our_own_below_pillows(size):
    # 64 million pixels pass Pillow in silence, 100 million with a warning only.
    assert f"{size[0]:,} x {size[1]:,} pixels" in says(png(*size, 1, 0, b"\0" * 100))


def test_a_bomb_in_another_format():
    data = bytearray(encode(Image.new("L", (64, 64)), "JPEG"))
    at = data.index(b"\xff\xc0") + 5  # height and width in the frame header
    data[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    assert "at most 50 million are read" in says(bytes(data))


@pytest.mark.parametrize("name", ["two\nlines.png", "\x1b[31m.png", "\u202egnp.exe"])
def test_a_name_is_told_in_one_line(name):
    with pytest.raises(LabError) as raised:
        read_picture(b"", name)
    assert str(raised.value).isprintable()
    assert read_picture(encode(Image.fromarray(NOISE)), name).name.isprintable()


def test_scans_and_parts_are_counted_before_they_are_followed():
    assert says(jpeg_of_scans(200, 200, 40_000)).startswith("cat.png is built up in 40,002 scans, which would take too long")
    assert read_or_message(jpeg_of_scans(200, 200, 300)) is None
    whole = encode(Image.fromarray(NOISE), "JPEG")
    segments = whole[:2] + b"\xff\xfe\0\2" * 50_001 + whole[2:]
    assert says(segments) == "cat.png is cut into more than 50,000 parts: save it again."
    assert "50,000 parts" in says(png(8, 8, 8, 0, (b"\0" + bytes(8)) * 8, chunk(b"abCd", b"") * 50_001))


def test_zero_bytes():
    assert says(b"") == "cat.png is empty (0 bytes): choose a PNG, JPEG or WebP picture."


def test_too_many_bytes(tmp_path):
    assert "at most 20 MB" in says(b"\0" * (MAX_BYTES + 1))
    path = tmp_path / "large.png"
    path.write_bytes(b"\0" * (MAX_BYTES + 1))
    with pytest.raises(LabError, match=r"large\.png has 20 MB: at most 20 MB"):
        read_picture(path)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"hello, I am no picture\n", "a text file, not a picture"),
        ("naïve Grüße\n".encode() * 100, "a text file, not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><circle r='9'/></svg>", "an SVG drawing, which has no pixels"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing, which has no pixels"),
        (encode(Image.new("RGB", (9, 9)), "GIF"), "a picture in another format"),
        (encode(Image.new("RGB", (9, 9)), "BMP"), "a picture in another format"),
        (encode(Image.new("RGB", (9, 9)), "TIFF"), "a picture in another format"),
        (b"%PDF-1.7\n\xe2\xe3\xcf\xd3\n", "no picture that can be read"),
        (bytes(np.random.default_rng(0).integers(128, 256, 3_000, dtype=np.uint8)), "no picture that can be read"),
    ],
)
def test_what_is_no_picture(data, what):
    assert says(data) == f"cat.png is {what}: choose a PNG, JPEG or WebP picture."


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_cut_short_anywhere(kind):
    data = encode(Image.fromarray(NOISE), kind)
    refused = 0
    for length in range(1, len(data), max(1, len(data) // 60)):
        message = read_or_message(data[:length])
        assert message is None or message.startswith("cat.png is ")
        refused += message is not None
    assert refused > 50  # only the last bytes may be missed
    assert "damaged or cut short" in says(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_damage_anywhere_is_a_sentence_or_a_picture(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = encode(Image.fromarray(NOISE), kind, exif=exif)
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            data[at] = rng.integers(256)
        message = read_or_message(bytes(data))
        assert message is None or message.startswith("cat.png ")
        refused += message is not None
    assert refused > 0


def test_a_chunk_of_text_that_unpacks_to_gigabytes():
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 80_000_000, 9))
    assert "damaged" in says(png(8, 8, 8, 0, (b"\0" + bytes(8)) * 8, text))


def test_a_folder_or_nothing_instead_of_a_file(tmp_path):
    with pytest.raises(LabError, match=r"There is no file .*: name a PNG, JPEG or WebP picture"):
        read_picture(tmp_path / "missing.png")
    with pytest.raises(LabError, match="cannot be read"):
        read_picture(tmp_path)
