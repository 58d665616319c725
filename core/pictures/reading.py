"""Pictures from anywhere: read safely, turned into 8-bit RGB, brought to size. As tensors: core/pictures/pixels.py."""

import base64
import io
import math
import os
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import LONGEST_FILE, LabError, one_line

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 50_000_000
MIN_SIDE = 8
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error)
"""What Pillow raises on damaged files, its own list in ``Image.open`` included."""

_GREYS_SPREAD = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies few-bit greys by, but not the shade that is transparent."""

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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own, lower limit follows
            warnings.simplefilter("ignore", UserWarning)  # of EXIF data that is damaged: the pixels are what counts
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise LabError(_too_many_pixels(name, width, height))
            if min(width, height) < MIN_SIDE:
                raise LabError(f"{name} is {width} x {height} pixels: at least {MIN_SIDE} on each side are needed.")
            return _to_rgb(picture, name)
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


def _to_rgb(picture: Image.Image, name: str) -> Picture:
    stored = _stored_as(picture)  # before it is loaded, which forgets it
    picture.load()
    notes = []
    suffix = Path(name).suffix.lower()
    if picture.format in _SUFFIXES and suffix in {".png", ".jpg", ".jpeg", ".webp"} and suffix not in _SUFFIXES[picture.format]:
        notes.append(f"{name} is really a {picture.format} file; it was read as that.")
    if getattr(picture, "n_frames", 1) > 1:
        notes.append(f"{name} is animated: its first frame is used.")
        picture.seek(0)
    upright = ImageOps.exif_transpose(picture)
    if upright.size != picture.size or picture.getexif().get(0x0112, 1) != 1:
        notes.append(f"{name} was turned upright, as its EXIF data says.")
    picture = upright
    if picture.mode.startswith("I"):
        picture = _grey_of_16_bits(picture)
        notes.append(f"{name} has 16 bits a pixel: they were rounded to 8.")
    elif ";16" in stored:
        notes.append(f"{name} has 16 bits a channel: the upper 8 are used.")
    clear = picture.info.get("transparency")
    if stored == "RGB;16B" and isinstance(clear, tuple):
        # Pillow keeps the pixels' upper bytes, but the transparent colour as it stands in the file.
        picture.info["transparency"] = tuple(value >> 8 for value in clear)
    elif stored in _GREYS_SPREAD and isinstance(clear, int):
        picture.info["transparency"] = clear * _GREYS_SPREAD[stored]
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        white = Image.new("RGBA", with_alpha.size, "white")
        if with_alpha.getchannel("A").getextrema() != (255, 255):
            notes.append(f"{name} is partly transparent: it was laid on white.")
        picture = Image.alpha_composite(white, with_alpha)
    if picture.mode == "CMYK":
        notes.append(f"{name} is in CMYK colours: they were converted to RGB.")
    return Picture(picture.convert("RGB"), name, tuple(notes))


def _stored_as(picture: Image.Image) -> str:
    """How the file keeps its pixels, as Pillow names it (``RGB;16B``); empty for a picture that is loaded already."""
    tiles = getattr(picture, "tile", None)
    return str(tiles[0][3]) if tiles else ""


def _grey_of_16_bits(picture: Image.Image) -> Image.Image:
    """16-bit greys scaled to 8 (Pillow's own conversion would clip at 255), with an alpha channel for a transparent shade."""
    values = np.asarray(picture).astype(np.float64)
    grey = Image.fromarray((values / 257).round().clip(0, 255).astype(np.uint8), "L")
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8), "L"))
    return grey


def fit_to(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale an RGB picture so that it covers (height, width) and cut the middle out; done once, before the noise."""
    height, width = size
    if (image.height, image.width) == size:
        return image
    return ImageOps.fit(image, (width, height), method=Image.Resampling.LANCZOS)


def rgb_of(image: Image.Image) -> Image.Image:
    """An 8-bit RGB copy of a PIL picture, upright, transparency laid on white. Raises LabError where it cannot be decoded."""
    try:
        return _to_rgb(image, "the picture").image
    except _BROKEN as error:
        raise LabError("The picture is damaged or cut short and cannot be read: save or download it again.") from error


def grey_levels_of_radius(radius: float, height: int, width: int, norm: str = "l2") -> float:
    """What a radius means spread evenly: 8-bit grey levels on every channel of every pixel.

    >>> round(grey_levels_of_radius(0.5, 32, 32), 2), round(grey_levels_of_radius(8 / 255, 32, 32, "linf"), 2)
    (2.3, 8.0)
    """
    values = 3 * height * width
    return 255 * radius / {"l2": math.sqrt(values), "linf": 1.0, "l1": float(values)}[norm]


def png_bytes(picture: Image.Image) -> bytes:
    """A picture as a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def data_uri(picture: Image.Image) -> str:
    """A picture as PNG in a ``data:`` address."""
    return f"data:image/png;base64,{base64.b64encode(png_bytes(picture)).decode()}"
