"""Pictures that are read: the right pixels, and a note for each thing that was changed."""

from __future__ import annotations

import io
import pickle
import struct

import numpy as np
import pytest
import torch
from picture_files import NOISE, chunk, encode, png
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from core.errors import LabError
from core.pictures.pixels import to_pixels
from core.pictures.reading import fit_to, grey_levels_of_radius, read_picture, rgb_of


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
    note = "a.png has 16 bits a channel: the upper 8 are used."
    assert read_picture(png(8, 8, 16, 2, (b"\0" + red * 8) * 8), "a.png").notes == (note,)
    half = struct.pack(">4H", 0, 0, 0, 0x8000)  # black, half transparent, on white
    assert np.abs(pixels_of(png(8, 8, 16, 6, (b"\0" + half * 8) * 8))[0, 0].astype(int) - 127).max() <= 1
    grey_alpha = struct.pack(">2H", 0xFFFF, 0xFFFF)
    assert pixels_of(png(8, 8, 16, 4, (b"\0" + grey_alpha * 8) * 8))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("depth", "row", "grey"), [(1, b"\xff", 255), (2, b"\x55\x55", 85), (4, b"\x88" * 4, 136)])
def test_few_bits_a_pixel(depth, row, grey):
    assert np.unique(pixels_of(png(8, 8, depth, 0, (b"\0" + row) * 8))).tolist() == [grey]


def test_16_bit_greys_with_a_transparent_shade_are_compared_at_16_bits():
    row = struct.pack(">8H", 0x4000, 0x4001, *[0x0000] * 6)
    data = png(8, 8, 16, 0, (b"\0" + row) * 8, chunk(b"tRNS", struct.pack(">H", 0x4000)))
    assert pixels_of(data)[0, :3, 0].tolist() == [255, 64, 0]
    assert read_picture(data, "a.png").notes == (
        "a.png has 16 bits a pixel: they were rounded to 8.",
        "a.png is partly transparent: it was laid on white.",
    )


def test_16_bit_colours_with_a_transparent_one():
    colours = ((0x4000, 0x8000, 0xC000), (0x4100, 0x8000, 0xC000), (0, 0, 0))
    row = b"".join(struct.pack(">3H", *colour) for colour in (*colours, *[colours[2]] * 5))
    data = png(8, 8, 16, 2, (b"\0" + row) * 8, chunk(b"tRNS", struct.pack(">3H", *colours[0])))
    assert pixels_of(data)[0, :3].tolist() == [[255, 255, 255], [65, 128, 192], [0, 0, 0]]
    assert read_picture(data, "a.png").notes == (
        "a.png has 16 bits a channel: the upper 8 are used.",
        "a.png is partly transparent: it was laid on white.",
    )


@pytest.mark.parametrize(
    ("depth", "row", "greys"), [(2, b"\x1b\0", [0, 255, 170, 255]), (4, b"\x01\x23\0\0", [0, 255, 34, 51])]
)
def test_few_bits_a_pixel_with_a_transparent_shade(depth, row, greys):
    data = png(8, 8, depth, 0, (b"\0" + row) * 8, chunk(b"tRNS", struct.pack(">H", 1)))
    assert pixels_of(data)[0, :4, 0].tolist() == greys


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


XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def with_xmp(kind: str) -> bytes:
    if kind != "PNG":
        return encode(Image.fromarray(NOISE), kind, xmp=XMP.encode(), **({"lossless": True} if kind == "WEBP" else {}))
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", XMP)
    return encode(Image.fromarray(NOISE), kind, pnginfo=texts)


def with_raw_profile() -> bytes:
    """As ImageMagick keeps the EXIF data of a JPEG in a PNG."""
    exif, texts = Image.Exif(), PngInfo()
    exif[0x0112] = 6
    data = exif.tobytes()
    texts.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n", zip=True)
    return encode(Image.fromarray(NOISE), "PNG", pnginfo=texts)


def moved_behind_the_pixels(data: bytes) -> bytes:
    """The same PNG with its EXIF data as the last chunk before the end."""
    begin = data.index(b"eXIf") - 4
    end = begin + 12 + int.from_bytes(data[begin : begin + 4], "big")
    return data[:begin] + data[end:-12] + data[begin:end] + data[-12:]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG", "raw", "behind", "little"])
def test_which_way_is_up_is_found_wherever_pillow_finds_it(kind):
    exif = Image.Exif()
    exif.endian = "<" if kind == "little" else ">"
    exif[0x010E], exif[0x0112] = "a title that is longer than four letters", 6
    match kind:
        case "raw":
            data = with_raw_profile()
        case "behind":
            data = moved_behind_the_pixels(encode(Image.fromarray(NOISE), exif=exif))
        case "little":
            data = encode(Image.fromarray(NOISE), "WEBP", exif=exif, lossless=True)
        case _:
            data = with_xmp(kind)
    with Image.open(io.BytesIO(data)) as theirs:
        assert np.array_equal(pixels_of(data), np.asarray(ImageOps.exif_transpose(theirs).convert("RGB")))
    assert pixels_of(data).shape == (20, 24, 3)


@pytest.mark.parametrize("orientation", range(9))
def test_what_describes_a_jpeg_is_taken_out_and_its_pixels_stay(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 90, "exif": exif, "comment": b"\xff\xda" * 99, "icc_profile": bytes(7_000), "xmp": XMP.encode()}
    large = Image.fromarray(NOISE).resize((200, 100))
    for image in (large, large.convert("CMYK"), large.convert("L")):
        for progressive in (False, True):
            data = encode(image, "JPEG", progressive=progressive, **options)
            with Image.open(io.BytesIO(data)) as theirs:
                wanted = np.asarray(ImageOps.exif_transpose(theirs).convert("RGB"))
            assert np.array_equal(pixels_of(data, "a.jpg"), wanted)


def test_a_second_picture_in_a_jpeg_is_no_animation():
    data = encode(Image.fromarray(NOISE), "MPO", save_all=True, append_images=[Image.new("RGB", (20, 24))], quality=95)
    assert read_picture(data, "a.jpg").notes == ()
    assert pixels_of(data, "a.jpg").std() > 20


def test_a_picture_is_pixels_alone_that_can_be_pickled():
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("PNG", "JPEG", "WEBP"):
        image = read_picture(encode(Image.fromarray(NOISE), kind, exif=exif, icc_profile=bytes(200))).image
        assert (type(image), image.info, dict(image.getexif())) == (Image.Image, {}, {})
        assert pickle.loads(pickle.dumps(image)).tobytes() == image.tobytes()
        assert rgb_of(image).tobytes() == image.tobytes()  # and not turned again


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"])
def test_pictures_of_pillow_are_converted_as_pillow_does_and_stay_as_they_were(mode, monkeypatch):
    monkeypatch.setattr("core.pictures.reading._STRIP", 100)  # in strips of five rows, the last of four
    image = Image.fromarray(NOISE)
    image = image.convert("L").convert(mode) if mode in ("I;16", "F") else image.convert(mode)
    before = image.tobytes(), dict(image.info)
    values = np.asarray(rgb_of(image))
    assert (image.tobytes(), dict(image.info)) == before
    if mode.startswith("I"):
        assert np.array_equal(values[..., 0], (np.asarray(image).astype(float) / 257).round())
    else:
        assert np.array_equal(values, np.asarray(image.convert("RGBA" if "A" in mode else "RGB").convert("RGB")))


def test_a_jpeg_that_would_hold_too_much_is_read_at_half_its_size_and_this_is_said(monkeypatch):
    smooth = Image.fromarray(NOISE).resize((900, 700), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, upright = (encode(smooth, "JPEG", quality=95, **more) for more in ({"exif": exif}, {}))
    monkeypatch.setattr("core.pictures.reading._LEAST_HALVED", 350)
    monkeypatch.setattr("core.pictures.reading.MAX_HELD", 900 * 700 * 4)
    assert read_picture(upright).notes == ()
    picture = read_picture(turned, "a.jpg")
    assert picture.image.size == (350, 450)
    assert picture.notes == (
        "a.jpg has 900 x 700 pixels: it was read at half its size, 450 x 350.",
        "a.jpg was turned upright, as its EXIF data says.",
    )
    whole = np.asarray(smooth.resize((450, 350), Image.Resampling.BOX).transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert np.abs(np.asarray(picture.image) - whole).mean() < 2
    monkeypatch.setattr("core.pictures.reading._LEAST_HALVED", 351)
    with pytest.raises(LabError, match=r"of JPEG pictures stored as RGB at most 0 million are read"):
        read_picture(turned)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    frames = [Image.new("RGB", (12, 12), colour) for colour in ("red", "lime", "blue")]
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {}))
    name = f"a.{kind.lower()}"
    assert pixels_of(data, name)[6, 6].tolist() == [255, 0, 0]
    assert read_picture(data, name).notes == (f"{name} is animated: its first frame is used.",)


def test_smallest_and_longest_that_are_read():
    assert pixels_of(encode(Image.new("RGB", (8, 8)))).shape == (8, 8, 3)
    assert pixels_of(encode(Image.new("RGB", (8, 4_000)))).shape == (4_000, 8, 3)


def test_a_mislabelled_picture_is_read_as_what_it_is():
    data = encode(Image.fromarray(NOISE))
    assert np.array_equal(pixels_of(data, "a.jpg"), NOISE)
    assert read_picture(data, "a.jpg").notes == ("a.jpg is really a PNG file; it was read as that.",)
    assert read_picture(data, "a").notes == ()


def test_pictures_are_scaled_and_cut_to_size():
    tall = np.zeros((40, 20, 3), dtype=np.uint8)
    tall[10:30] = 255  # the middle square is white
    fitted = np.asarray(fit_to(Image.fromarray(tall), (20, 20)))
    assert fitted.shape == (20, 20, 3)
    assert fitted.min() == 255
    assert to_pixels(Image.fromarray(NOISE), (32, 16)).shape == (3, 32, 16)
    assert np.array_equal(np.asarray(fit_to(Image.fromarray(NOISE), (24, 20))), NOISE)


def test_grey_levels_spread_a_radius_over_the_picture():
    spread = torch.full((3, 32, 32), grey_levels_of_radius(0.5, 32, 32) / 255)
    assert float(spread.norm()) == pytest.approx(0.5, rel=1e-5)
    assert grey_levels_of_radius(0.5, 32, 32) == pytest.approx(2.3004, abs=1e-4)
