"""Pictures from anywhere: read safely, turned into RGB, brought to size, named by their bytes."""

from __future__ import annotations

import hashlib
import io
import math
import os
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from core.errors import LabError
from core.smoothing.certificate import ImageRecord

ImageSource = str | os.PathLike[str] | Image.Image | Tensor
"""What :func:`core.certify` takes: a path, a PIL picture, or a (3, H, W) tensor in [0, 1]."""

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 50_000_000
MIN_SIDE = 8
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error)
"""What Pillow raises on damaged files, its own list in ``Image.open`` included."""

_SUFFIXES = {"PNG": {".png", ".apng"}, "JPEG": {".jpg", ".jpeg", ".jfif"}, "WEBP": {".webp"}}


@dataclass(frozen=True)
class Picture:
    """A picture that was read.

    Attributes:
        image: RGB, 8 bits, upright.
        name: what to call it.
        notes: a sentence for each thing that was changed on the way, for the user to see.
    """

    image: Image.Image
    name: str
    notes: tuple[str, ...] = ()


def read_picture(source: bytes | str | os.PathLike[str], name: str | None = None) -> Picture:
    """Read a PNG, JPEG or WebP picture.

    Transparency is laid on white, 16-bit and CMYK pictures are brought to 8-bit RGB, EXIF rotation is applied, of an
    animation the first frame is taken; each is said in ``notes``.

    Args:
        source: the file's bytes, or its path.
        name: what to call it in messages; by default the file's name.

    Raises:
        LabError: where it is no such picture, is damaged, too large or too small.
    """
    if isinstance(source, bytes):
        data, name = source, name or "The picture"
    else:
        path = Path(source)
        name = name or path.name
        data = _read_bytes(path)
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
            picture.load()
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
        # 16 bits a pixel. Pillow's own conversion would clip at 255, so scale.
        values = np.asarray(picture).astype(np.float64)
        picture = Image.fromarray((values / 257).round().clip(0, 255).astype(np.uint8), "L")
        notes.append(f"{name} has 16 bits a pixel: they were rounded to 8.")
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        white = Image.new("RGBA", with_alpha.size, "white")
        if with_alpha.getchannel("A").getextrema() != (255, 255):
            notes.append(f"{name} is partly transparent: it was laid on white.")
        picture = Image.alpha_composite(white, with_alpha)
    if picture.mode == "CMYK":
        notes.append(f"{name} is in CMYK colours: they were converted to RGB.")
    return Picture(picture.convert("RGB"), name, tuple(notes))


def fit_to(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale an RGB picture so that it covers (height, width) and cut the middle out; done once, before the noise."""
    height, width = size
    if (image.height, image.width) == size:
        return image
    return ImageOps.fit(image, (width, height), method=Image.Resampling.LANCZOS)


def to_pixels(source: ImageSource, size: tuple[int, int] | None = None) -> Tensor:
    """Turn any accepted picture into (3, H, W) float32 pixels in [0, 1], on the CPU.

    Args:
        source: path, PIL picture, or a tensor, which is taken as it is.
        size: (height, width) to bring a picture to; tensors must have it already.

    Raises:
        LabError: where the picture cannot be read, or the tensor's type, shape or range is wrong.
    """
    if isinstance(source, Tensor):
        return _checked(source, size)
    if isinstance(source, Image.Image):
        try:
            image = _to_rgb(source, "the picture").image
        except _BROKEN as error:
            raise LabError("The picture is damaged or cut short and cannot be read: save or download it again.") from error
    elif isinstance(source, str | os.PathLike):
        image = read_picture(source).image
    else:
        raise LabError(f"The image is a {type(source).__name__}: expected a path, a PIL picture or a (3, H, W) tensor.")
    if size is not None:
        image = fit_to(image, size)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(255).contiguous()


def _checked(pixels: Tensor, size: tuple[int, int] | None) -> Tensor:
    if pixels.ndim != 3 or pixels.shape[0] != 3 or not pixels.numel():
        raise LabError(f"The image tensor has shape {tuple(pixels.shape)}: expected (3, height, width).")
    if not pixels.is_floating_point():
        raise LabError(f"The image tensor holds {pixels.dtype}: expected floating point in [0, 1]; divide bytes by 255.")
    pixels = pixels.detach()
    if not bool(pixels.isfinite().all()):
        raise LabError("The image tensor holds NaN or infinite values: expected numbers in [0, 1].")
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        raise LabError(f"The image tensor ranges from {low:g} to {high:g}: expected [0, 1], before any normalisation.")
    if size is not None and tuple(pixels.shape[1:]) != size:
        raise LabError(
            f"The image tensor is {pixels.shape[1]} x {pixels.shape[2]}, but the classifier takes {size[0]} x {size[1]}:"
            " resize it, or pass a path or PIL picture, which is resized once, before the noise."
        )
    return pixels.float().cpu().contiguous()


def to_picture(pixels: Tensor) -> Image.Image:
    """(3, H, W) pixels -> an 8-bit RGB picture; values outside [0, 1] are clipped, for showing only."""
    bytes_ = pixels.detach().float().cpu().clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(bytes_.permute(1, 2, 0).numpy())


def image_record(pixels: Tensor) -> ImageRecord:
    """Name (3, H, W) pixels in [0, 1] by the sha256 of their 8-bit RGB bytes, row by row; float ones by their float bytes."""
    scaled = pixels.mul(255)
    whole = scaled.round()
    # Division by 255 is not exact: a picture of bytes comes back within a few units of the last place.
    data = whole.to(torch.uint8) if bool(torch.allclose(scaled, whole, atol=1e-4, rtol=0)) else pixels
    digest = hashlib.sha256(data.permute(1, 2, 0).contiguous().numpy().tobytes()).hexdigest()
    return ImageRecord(digest, int(pixels.shape[1]), int(pixels.shape[2]))


def grey_levels(radius: float, height: int, width: int) -> float:
    """What an l2 radius means spread evenly: 8-bit grey levels on every channel of every pixel."""
    return 255 * radius / math.sqrt(3 * height * width)
