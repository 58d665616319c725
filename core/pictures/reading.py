"""Pictures from anywhere: read safely, turned into 8-bit RGB, brought to size. As tensors: core/pictures/pixels.py."""

import base64
import io
import math
import os
import struct
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import LONGEST_FILE, LabError, one_line
from core.pictures.outline import MOST_PARTS, UPRIGHT, Outline, bytes_held, orientation_of, outline_of, stored_as

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 50_000_000
MIN_SIDE = 8
MAX_HELD = 270_000_000
"""Bytes that decoding a picture may hold at once; beyond, a JPEG is decoded at half its size, and others are refused."""
MAX_SCANNED = 1_500_000_000
"""Pixels that the scans of a JPEG may go over, each counted once a scan: about a second."""
_LEAST_HALVED = 1_024
"""Pixels a side that a JPEG decoded at half its size still has: more than any classifier of the Lab takes."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error)
"""What Pillow raises on damaged files, its own list in ``Image.open`` included."""

_GREYS_SPREAD = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies few-bit greys by, but not the shade that is transparent."""

_STRIP = 2**20
"""Pixels that are converted at a time."""
_quiet = threading.Lock()
"""Which warnings are shown is the whole process's."""

_SUFFIXES = {"PNG": {".png", ".apng"}, "JPEG": {".jpg", ".jpeg", ".jfif"}, "WEBP": {".webp"}}


@dataclass(frozen=True)
class Picture:
    """A picture that was read: RGB, 8 bits, upright; ``notes`` say, a sentence each, what was changed on the way."""

    image: Image.Image
    name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageRecord:
    """The picture as the noise saw it: sha256 of its 8-bit RGB bytes, and its size in pixels."""

    sha256: str
    height: int
    width: int


def read_picture(source: bytes | str | os.PathLike[str], name: str | None = None) -> Picture:
    """Read a PNG, JPEG or WebP picture from a file's bytes or its path; ``name`` is what messages call it.

    Transparency is laid on white, 16-bit and CMYK pictures are brought to 8-bit RGB, EXIF rotation is applied, of an
    animation the first frame is taken; each is said in ``notes``.

    Raises LabError where it is no such picture, is damaged, too large or too small.
    """
    if isinstance(source, bytes):
        data, name = source, name or "The picture"
    else:
        path = Path(source)
        name = name or path.name
        data = _read_bytes(path)
    name = one_line(name, LONGEST_FILE)
    if not data:
        raise LabError(f"{name} is empty (0 bytes): choose a PNG, JPEG or WebP picture.")
    if len(data) > MAX_BYTES:
        raise LabError(f"{name} has {len(data) / 2**20:.0f} MB: at most {MAX_BYTES // 2**20} MB are read; make it smaller.")
    try:
        outline = outline_of(data)
        if outline.parts > MOST_PARTS:
            raise LabError(f"{name} is cut into more than {MOST_PARTS:,} parts: save it again.")
        picture = _opened(outline, name)
        return _read(picture, outline, name)
    except Image.DecompressionBombError as error:
        raise LabError(_too_many_pixels(name, *_announced_size(data))) from error
    except UnidentifiedImageError as error:
        raise LabError(f"{name} is {_guess(data)}: choose a PNG, JPEG or WebP picture.") from error
    except LabError:
        raise
    except _BROKEN as error:
        raise LabError(f"{name} is damaged or cut short and cannot be read: save or download it again.") from error


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise LabError(f"There is no file {str(path)!r}: name a PNG, JPEG or WebP picture.") from error
    except OSError as error:
        raise LabError(f"{str(path)!r} cannot be read ({error.strerror}): name a PNG, JPEG or WebP picture.") from error


def _too_many_pixels(name: str, width: int, height: int) -> str:
    size = f"{width:,} x {height:,} pixels" if width else "more pixels than any photograph"
    return f"{name} has {size}: at most {MAX_PIXELS // 1_000_000} million are read; make it smaller."


def _announced_size(data: bytes) -> tuple[int, int]:
    """Width and height as a PNG header announces them; zeros for other formats."""
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return 0, 0


def _guess(data: bytes) -> str:
    start = data[:512].lstrip().lower()
    if start.startswith((b"<svg", b"<?xml")) or b"<svg" in start:
        return "an SVG drawing, which has no pixels"
    if start.startswith((b"gif8", b"bm", b"ii*\x00", b"mm\x00*")):
        return "a picture in another format"
    try:
        data[:512].decode("utf-8")
        return "a text file, not a picture"
    except UnicodeDecodeError:
        return "no picture that can be read"


def _opened(outline: Outline, name: str) -> Image.Image:
    """The picture, of which nothing is decoded yet."""
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of many pixels, whose own limits follow, and of what is damaged beside them
        picture = Image.open(io.BytesIO(outline.data), formats=FORMATS)
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise LabError(_too_many_pixels(name, width, height))
    if min(width, height) < MIN_SIDE:
        raise LabError(f"{name} is {width} x {height} pixels: at least {MIN_SIDE} on each side are needed.")
    if outline.scans * width * height > MAX_SCANNED:
        raise LabError(f"{name} is built up in {outline.scans:,} scans, which would take too long: save it again.")
    return picture


def _read(picture: Image.Image, outline: Outline, name: str) -> Picture:
    notes, size = [], picture.size
    orientation = orientation_of(outline.described | picture.info)
    large = bytes_held(picture, size, outline.scans, orientation) > MAX_HELD
    if large and picture.format == "JPEG" and min(size) // 2 >= _LEAST_HALVED:
        picture.draft(None, (size[0] // 2, size[1] // 2))
        now = f"{picture.width:,} x {picture.height:,}"
        notes.append(f"{name} has {size[0]:,} x {size[1]:,} pixels: it was read at half its size, {now}.")
    _check_held(picture, size, outline.scans, orientation=orientation, name=name)
    stored = stored_as(picture)  # before it is loaded, which forgets it
    picture.load()
    late = orientation_of(outline.described | picture.info)
    _check_held(picture, size, 1, orientation=late, name=name)
    read = _to_rgb(picture, name, late, stored)
    # Plain, and alone with its pixels: what else was in the file is no part of the picture; a copy would take as much again.
    image = read.image._new(read.image.im)
    image.info = {}
    return Picture(image, name, (*notes, *read.notes))


def _check_held(picture: Image.Image, size: tuple[int, int], scans: int, *, orientation: int, name: str) -> None:
    held = bytes_held(picture, size, scans, orientation)
    if held > MAX_HELD:
        most = int(MAX_HELD * size[0] * size[1] / held) // 1_000_000
        raise LabError(
            f"{name} has {size[0]:,} x {size[1]:,} pixels: of {picture.format} pictures stored as {picture.mode} at most"
            f" {most} million are read; make it smaller."
        )


def _to_rgb(picture: Image.Image, name: str, orientation: int, stored: str) -> Picture:
    """A picture that is loaded, in 8-bit RGB and upright; ``stored`` is how its file keeps the pixels."""
    notes = []
    suffix = Path(name).suffix.lower()
    if picture.format in _SUFFIXES and suffix in {".png", ".jpg", ".jpeg", ".webp"} and suffix not in _SUFFIXES[picture.format]:
        notes.append(f"{name} is really a {picture.format} file; it was read as that.")
    if getattr(picture, "n_frames", 1) > 1:
        notes.append(f"{name} is animated: its first frame is used.")
        picture.seek(0)
    if orientation in UPRIGHT:
        picture = picture.transpose(UPRIGHT[orientation])
        notes.append(f"{name} was turned upright, as its EXIF data says.")
    if picture.mode.startswith("I"):
        notes.append(f"{name} has 16 bits a pixel: they were rounded to 8.")
    elif ";16" in stored:
        notes.append(f"{name} has 16 bits a channel: the upper 8 are used.")
    clear = picture.info.get("transparency")
    if stored == "RGB;16B" and isinstance(clear, tuple):
        # Pillow keeps the pixels' upper bytes, but the transparent colour as it stands in the file.
        clear = tuple(value >> 8 for value in clear)
    elif stored in _GREYS_SPREAD and isinstance(clear, int):
        clear *= _GREYS_SPREAD[stored]
    if picture.mode == "CMYK":
        notes.append(f"{name} is in CMYK colours: they were converted to RGB.")
    if picture.mode == "RGB" and clear is None:
        return Picture(picture, name, tuple(notes))
    whole, transparent, rows = Image.new("RGB", picture.size), False, max(1, _STRIP // picture.width)
    for top in range(0, picture.height, rows):
        strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        strip, seen_through = _strip_to_rgb(strip, clear)
        whole.paste(strip, (0, top))
        transparent |= seen_through
    if transparent:
        notes.append(f"{name} is partly transparent: it was laid on white.")
    return Picture(whole, name, tuple(notes))


def _strip_to_rgb(strip: Image.Image, clear: Any) -> tuple[Image.Image, bool]:
    """Some rows of a picture in RGB, laid on white, and whether any of them was transparent; ``clear`` is the shade that is."""
    if strip.mode.startswith("I"):
        grey, seen_through = _grey_of_16_bits(strip, clear)
        return grey.convert("RGB"), seen_through
    if clear is not None:
        strip.info["transparency"] = clear
    if not strip.has_transparency_data:
        return strip.convert("RGB"), False
    with_alpha = strip.convert("RGBA")
    white = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(white, with_alpha).convert("RGB"), with_alpha.getchannel("A").getextrema() != (255, 255)


def _grey_of_16_bits(picture: Image.Image, clear: Any) -> tuple[Image.Image, bool]:
    """16-bit greys scaled to 8 (Pillow's own conversion would clip at 255), white where the shade is the transparent one."""
    values, shades = np.asarray(picture).clip(0, 65_535), ((np.arange(65_536) + 128) // 257).astype(np.uint8)
    if not isinstance(clear, int):
        return Image.fromarray(shades[values]), False
    shades[clear & 0xFFFF] = 255
    return Image.fromarray(shades[values]), bool((values == clear).any())


def fit_to(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale an RGB picture so that it covers (height, width) and cut the middle out; done once, before the noise."""
    height, width = size
    if (image.height, image.width) == size:
        return image
    return ImageOps.fit(image, (width, height), method=Image.Resampling.LANCZOS)


def rgb_of(image: Image.Image) -> Image.Image:
    """An 8-bit RGB copy of a PIL picture, upright, transparency laid on white. Raises LabError where it cannot be decoded."""
    try:
        stored = stored_as(image)
        image.load()
        return _to_rgb(image, "the picture", image.getexif().get(0x0112, 1), stored).image
    except _BROKEN as error:
        raise LabError("The picture is damaged or cut short and cannot be read: save or download it again.") from error


def grey_levels_of_radius(radius: float, height: int, width: int, norm: str = "l2") -> float:
    """What a radius means spread evenly: 8-bit grey levels on every channel of every pixel.

    >>> round(grey_levels_of_radius(0.5, 32, 32), 2), round(grey_levels_of_radius(8 / 255, 32, 32, "linf"), 2)
    (2.3, 8.0)
    """
    values = 3 * height * width
    return 255 * radius / {"l2": math.sqrt(values), "linf": 1.0, "l1": float(values)}[norm]


def png_bytes(picture: Image.Image, form: str = "PNG") -> bytes:
    """A picture as a PNG file, or of another form."""
    file = io.BytesIO()
    picture.save(file, form)
    return file.getvalue()


def data_uri(picture: Image.Image, form: str = "PNG") -> str:
    """An address that holds the picture itself: it comes with a page, where others are each asked for by the browser."""
    return f"data:image/{form.lower()};base64,{base64.b64encode(png_bytes(picture, form)).decode()}"
