"""Pictures from anywhere: the right pixels, or one sentence."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import LabError
from core.images import MAX_BYTES, fit_to, grey_levels, read_picture
from core.pixels import image_record, to_picture, to_pixels

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8)


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG written by hand, after its specification."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def pixels_of(data: bytes, name: str = "a.png") -> np.ndarray:
    picture = read_picture(data, name)
    assert picture.image.mode == "RGB"
    return np.asarray(picture.image)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_pictures_come_back_byte_for_byte(kind, options):
    data = encode(Image.fromarray(NOISE), kind, **options)
    name = f"a.{kind.lower()}"
    assert np.array_equal(pixels_of(data, name), NOISE)
    assert read_picture(data, name).notes == ()


def test_jpeg():
    smooth = np.linspace(0, 255, 24 * 20 * 3).reshape(24, 20, 3).astype(np.uint8)
    smooth[:] = smooth[:, :1, :1]
    data = encode(Image.fromarray(smooth), "JPEG", quality=95)
    assert np.abs(pixels_of(data, "a.jpg").astype(int) - smooth).max() <= 4


def test_pictures_are_read_from_a_path(tmp_path):
    path = tmp_path / "noise.png"
    path.write_bytes(encode(Image.fromarray(NOISE)))
    for source in (path, str(path)):
        picture = read_picture(source)
        assert picture.name == "noise.png"
        assert np.array_equal(np.asarray(picture.image), NOISE)


@pytest.mark.parametrize(
    ("value", "grey"), [(0x0000, 0), (0x8000, 128), (0xFFFF, 255), (0x0101, 1), (0x00FF, 1), (0x4040, 64), (0xC0C0, 192)]
)
def test_16_bit_grey_is_scaled_not_clipped(value, grey):
    data = png(8, 8, 16, 0, (b"\0" + struct.pack(">8H", *[value] * 8)) * 8)
    assert np.unique(pixels_of(data)).tolist() == [grey]
    assert read_picture(data, "a.png").notes == ("a.png has 16 bits a pixel: they were rounded to 8.",)


def test_16_bit_colour_and_alpha():
    red = struct.pack(">3H", 0x8000, 0x0000, 0xFFFF)
    assert pixels_of(png(8, 8, 16, 2, (b"\0" + red * 8) * 8))[0, 0].tolist() == [128, 0, 255]
    half = struct.pack(">4H", 0, 0, 0, 0x8000)  # black, half transparent, on white
    assert np.abs(pixels_of(png(8, 8, 16, 6, (b"\0" + half * 8) * 8))[0, 0].astype(int) - 127).max() <= 1
    grey_alpha = struct.pack(">2H", 0xFFFF, 0xFFFF)
    assert pixels_of(png(8, 8, 16, 4, (b"\0" + grey_alpha * 8) * 8))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("depth", "row", "grey"), [(1, b"\xff", 255), (2, b"\x55\x55", 85), (4, b"\x88" * 4, 136)])
def test_few_bits_a_pixel(depth, row, grey):
    assert np.unique(pixels_of(png(8, 8, depth, 0, (b"\0" + row) * 8))).tolist() == [grey]


def test_cmyk():
    # Cyan, magenta and black ink as fractions of 255: what is left of white light.
    data = encode(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=100, subsampling=0)
    assert np.abs(pixels_of(data, "a.jpg")[8, 8].astype(int) - [0, 255, 255]).max() <= 3
    data = encode(Image.new("CMYK", (16, 16), (0, 128, 0, 51)), "JPEG", quality=100, subsampling=0)
    assert np.abs(pixels_of(data, "a.jpg")[8, 8].astype(int) - [204, 102, 204]).max() <= 4
    assert read_picture(data, "a.jpg").notes == ("a.jpg is in CMYK colours: they were converted to RGB.",)


def test_palette():
    image = Image.new("P", (10, 10), 1)
    image.putpalette([0, 0, 0, 200, 100, 50, 1, 2, 3])
    assert pixels_of(encode(image))[5, 5].tolist() == [200, 100, 50]


def test_palette_with_a_transparent_colour_is_laid_on_white():
    image = Image.new("P", (10, 10), 1)
    image.putpalette([0, 0, 0, 200, 100, 50, 1, 2, 3])
    image.putpixel((0, 0), 2)
    data = encode(image, transparency=1)
    assert pixels_of(data)[5, 5].tolist() == [255, 255, 255]
    assert pixels_of(data)[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize(
    ("rgba", "rgb"),
    [
        ((10, 20, 30, 255), (10, 20, 30)),
        ((10, 20, 30, 0), (255, 255, 255)),  # what lies under full transparency does not show
        ((0, 0, 0, 128), (127, 127, 127)),
        ((255, 0, 0, 51), (255, 204, 204)),
    ],
)
def test_transparency_is_laid_on_white(kind, rgba, rgb):
    data = encode(Image.new("RGBA", (9, 9), rgba), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    name = f"a.{kind.lower()}"
    assert np.abs(pixels_of(data, name)[4, 4].astype(int) - rgb).max() <= 1
    notes = read_picture(data, name).notes
    assert notes == (() if rgba[3] == 255 else (f"{name} is partly transparent: it was laid on white.",))


def test_grey_with_alpha_and_grey_with_a_transparent_shade():
    assert pixels_of(encode(Image.new("LA", (9, 9), (0, 128))))[4, 4].tolist() == [127, 127, 127]
    image = Image.new("L", (9, 9), 7)
    image.putpixel((0, 0), 9)
    transparent = pixels_of(encode(image, transparency=7))
    assert transparent[4, 4].tolist() == [255, 255, 255]
    assert transparent[0, 0].tolist() == [9, 9, 9]


# What each EXIF orientation tells a viewer to do, as NumPy says it.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(NOISE), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    name = f"a.{kind.lower()}"
    assert np.array_equal(pixels_of(data, name), UPRIGHT[orientation](NOISE))
    turned = f"{name} was turned upright, as its EXIF data says."
    assert read_picture(data, name).notes == (() if orientation == 1 else (turned,))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    frames = [Image.new("RGB", (12, 12), colour) for colour in ("red", "lime", "blue")]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {}))
    name = f"a.{kind.lower()}"
    assert pixels_of(data, name)[6, 6].tolist() == [255, 0, 0]
    assert read_picture(data, name).notes == (f"{name} is animated: its first frame is used.",)


def test_a_mislabelled_picture_is_read_as_what_it_is():
    data = encode(Image.fromarray(NOISE))
    assert np.array_equal(pixels_of(data, "a.jpg"), NOISE)
    assert read_picture(data, "a.jpg").notes == ("a.jpg is really a PNG file; it was read as that.",)
    assert read_picture(data, "a").notes == ()


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


def test_smallest_and_longest_that_are_read():
    assert pixels_of(encode(Image.new("RGB", (8, 8)))).shape == (8, 8, 3)
    assert pixels_of(encode(Image.new("RGB", (8, 4_000)))).shape == (4_000, 8, 3)


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
        (bytes(RNG.integers(128, 256, 3_000, dtype=np.uint8)), "no picture that can be read"),
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


def test_pixels_are_bytes_over_255_with_the_channels_first():
    pixels = to_pixels(Image.fromarray(NOISE))
    assert pixels.shape == (3, 24, 20)
    assert pixels.dtype == torch.float32
    assert pixels.is_contiguous()
    assert np.array_equal((pixels * 255).round().permute(1, 2, 0).numpy().astype(np.uint8), NOISE)
    assert pixels[1, 5, 7] == pytest.approx(NOISE[5, 7, 1] / 255)


def test_path_pil_picture_and_tensor_are_one_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    path.write_bytes(encode(Image.fromarray(NOISE), exif=exif))
    from_path = to_pixels(path)
    assert torch.equal(from_path, to_pixels(str(path)))
    with Image.open(path) as opened:
        assert torch.equal(from_path, to_pixels(opened))
    assert torch.equal(from_path, to_pixels(from_path))
    assert from_path.shape == (3, 20, 24)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"])
def test_pil_pictures_of_every_mode(mode):
    assert to_pixels(Image.new(mode, (10, 9))).shape == (3, 9, 10)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_pil_pictures_of_any_format(kind):
    # A user of the library may open what the pages do not take.
    with Image.open(io.BytesIO(encode(Image.new("RGB", (10, 9), (255, 0, 0)), kind))) as image:
        assert to_pixels(image)[:, 4, 4].tolist() == [1, 0, 0]


def test_a_pil_picture_that_is_cut_short():
    with Image.open(io.BytesIO(encode(Image.fromarray(NOISE))[:500])) as image, pytest.raises(LabError, match="cut short"):
        to_pixels(image)


def test_pictures_are_scaled_and_cut_to_size():
    tall = np.zeros((40, 20, 3), dtype=np.uint8)
    tall[10:30] = 255  # the middle square is white
    fitted = np.asarray(fit_to(Image.fromarray(tall), (20, 20)))
    assert fitted.shape == (20, 20, 3)
    assert fitted.min() == 255
    assert to_pixels(Image.fromarray(NOISE), (32, 16)).shape == (3, 32, 16)
    assert np.array_equal(np.asarray(fit_to(Image.fromarray(NOISE), (24, 20))), NOISE)


def test_halves_and_doubles_are_taken_as_float32():
    for dtype in (torch.float16, torch.float64, torch.bfloat16):
        assert to_pixels(torch.full((3, 8, 8), 0.5, dtype=dtype)).dtype == torch.float32


def test_a_tensor_that_needs_gradients_is_let_go():
    assert not to_pixels(torch.full((3, 8, 8), 0.5, requires_grad=True)).requires_grad


def test_to_picture_and_back():
    assert np.array_equal(np.asarray(to_picture(to_pixels(Image.fromarray(NOISE)))), NOISE)
    assert np.asarray(to_picture(torch.tensor([-1.0, 0.5, 2.0]).view(3, 1, 1)))[0, 0].tolist() == [0, 128, 255]


def test_image_record_is_the_hash_of_the_bytes():
    record = image_record(to_pixels(Image.fromarray(NOISE)))
    assert record.sha256 == hashlib.sha256(NOISE.tobytes()).hexdigest()
    assert (record.height, record.width) == (24, 20)
    # Every byte value survives the way through floating point.
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert image_record(to_pixels(Image.fromarray(every))).sha256 == hashlib.sha256(every.tobytes()).hexdigest()


def test_image_record_tells_pictures_apart():
    pixels = to_pixels(Image.fromarray(NOISE))
    changed = pixels.clone()
    changed[0, 0, 0] = (changed[0, 0, 0] + 1 / 255) % 1
    between = (pixels + 0.3 / 255).clamp(0, 1)
    assert len({image_record(each).sha256 for each in (pixels, changed, between, pixels.flip(2))}) == 4


def test_grey_levels_spread_a_radius_over_the_picture():
    spread = torch.full((3, 32, 32), grey_levels(0.5, 32, 32) / 255)
    assert float(spread.norm()) == pytest.approx(0.5, rel=1e-5)
    assert grey_levels(0.5, 32, 32) == pytest.approx(2.3004, abs=1e-4)


def test_published_pictures_are_read(lab_data: Path):
    folder = lab_data / "imagenet" / "images"
    if not folder.is_dir():
        pytest.skip(f"no pictures at {folder}")
    for path in sorted(folder.glob("*.png"))[:3]:
        assert to_pixels(path, (64, 64)).shape == (3, 64, 64)
