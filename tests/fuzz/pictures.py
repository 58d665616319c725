"""Pictures for the fuzzer: of every mode and format, with data beside the pixels; small files that ask for much work."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import cache, lru_cache
from math import isqrt
from pathlib import Path
from random import Random

from PIL import Image

from core.pictures.reading import MAX_HELD, MAX_PIXELS, MAX_SCANNED, fit_to, read_picture
from tests.fuzz.mutations import NAMES, NUMBERS, damaged
from tests.picture_files import chunk, encode, jpeg_of_scans, png, segment

LARGEST = isqrt(MAX_PIXELS)


def make(random: Random) -> tuple[str, bytes]:
    """A name and the bytes of a file."""
    if random.random() < 0.005:
        return random.choice(NAMES), _bomb(random.choice(list(BOMBS)))
    return random.choice(NAMES), small(random)


def small(random: Random) -> bytes:
    """A small file, most often damaged."""
    data = random.choice(_corpus())
    if data.startswith(b"\x89PNG") and random.random() < 0.7:
        return _damaged_png(data, random)
    return damaged(data, random) if random.random() < 0.95 else data


def use(made: tuple[str, bytes], folder: Path) -> Iterator[str]:
    """Read it as an upload is, and bring it to a size."""
    picture = read_picture(made[1], made[0])
    assert picture.image.mode == "RGB"
    assert fit_to(picture.image, (32, 32)).size == (32, 32)
    yield picture.name
    yield from picture.notes


def exif(entries: int, length: int, orientation: int = 6) -> bytes:
    """An EXIF block whose entries all claim the same ``length`` bytes."""
    listed = [struct.pack(">HHII", 0x0112, 3, 1, orientation << 16)]
    listed += [struct.pack(">HHII", 0x1000 + number, 7, length, 8) for number in range(entries)]
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(listed)) + b"".join(listed) + bytes(4 + max(0, length))


def flat_png(width: int, height: int, depth: int, colour: int, *extra: bytes) -> bytes:
    """A PNG of one shade, whose rows are packed one by one: a few kB for 50 million pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row, packer = b"\4" + (b"\x40\1" * width * channels)[: -(-width * channels * depth // 8)], zlib.compressobj(9)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *extra, chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _small_jpeg(*segments: bytes) -> bytes:
    whole = encode(Image.new("RGB", (16, 16)), "JPEG")
    return whole[:2] + b"".join(segments) + whole[2:]


def _grainy(side: int, mode: str = "RGB") -> Image.Image:
    """A square of the noise that costs most, a tile of it again and again."""
    tile, whole = Image.effect_noise((500, 500), 60).convert(mode), Image.new(mode, (side, side))
    for at in range((-(-side // 500)) ** 2):
        whole.paste(tile, (at % -(-side // 500) * 500, at // -(-side // 500) * 500))
    return whole


def _side(bytes_held: int) -> int:
    """Of the largest square that is read where decoding holds so many bytes a pixel."""
    return isqrt(MAX_HELD // bytes_held)


_ROWS = (b"\0" + bytes(8)) * 8
BOMBS = {
    "scans": lambda: jpeg_of_scans(LARGEST, LARGEST, 6_000),
    "scans that refine nothing": lambda: jpeg_of_scans(LARGEST, LARGEST, 6_000, refining=False),
    "small scans": lambda: jpeg_of_scans(16, 16, 1_000_000),
    "16-bit greys": lambda: flat_png(LARGEST, LARGEST, 16, 0),
    "16-bit greys with a clear one": lambda: flat_png(LARGEST, LARGEST, 16, 0, chunk(b"tRNS", b"\x40\1")),
    "16-bit colours": lambda: flat_png(LARGEST, LARGEST, 16, 2),
    "16-bit colours and alpha": lambda: flat_png(LARGEST, LARGEST, 16, 6),
    "colours and alpha": lambda: flat_png(LARGEST, LARGEST, 8, 6),
    "greys and alpha": lambda: flat_png(LARGEST, LARGEST, 8, 4),
    "colours with a clear one": lambda: flat_png(LARGEST, LARGEST, 8, 2, chunk(b"tRNS", bytes(6))),
    "bits": lambda: flat_png(LARGEST + 40, LARGEST, 1, 0),
    "a palette with clear ones": lambda: flat_png(
        LARGEST, LARGEST, 8, 3, chunk(b"PLTE", bytes(range(256)) * 3), chunk(b"tRNS", bytes(256))
    ),
    "a turned JPEG": lambda: encode(Image.new("RGB", (LARGEST, LARGEST)), "JPEG", exif=exif(0, 0)),
    "a progressive JPEG": lambda: encode(Image.new("RGB", (LARGEST,) * 2), "JPEG", progressive=True, subsampling=0),
    "a CMYK JPEG": lambda: encode(Image.new("CMYK", (LARGEST, LARGEST)), "JPEG", progressive=True),
    "a large WebP": lambda: encode(Image.new("RGB", (LARGEST, LARGEST)), "WEBP", method=0),
    "a large clear WebP": lambda: encode(Image.new("RGBA", (LARGEST, LARGEST)), "WEBP", lossless=True, method=0),
    "the most scans that are read": lambda: jpeg_of_scans(LARGEST, LARGEST, MAX_SCANNED // LARGEST**2 - 3),
    "the largest colours and alpha": lambda: flat_png(_side(12), _side(12), 16, 6),
    "the largest 16-bit colours": lambda: flat_png(_side(10), _side(10), 16, 2),
    "the largest colours with a clear one": lambda: flat_png(_side(8), _side(8), 8, 2, chunk(b"tRNS", bytes(6))),
    "the largest greys with a clear one": lambda: flat_png(_side(6), _side(6), 16, 0, chunk(b"tRNS", b"\x40\1")),
    "the largest JPEG": lambda: encode(_grainy(LARGEST), "JPEG", quality=50),
    "the largest turned JPEG": lambda: encode(_grainy(_side(8)), "JPEG", exif=exif(0, 0)),
    "the largest progressive JPEG": lambda: encode(_grainy(LARGEST), "JPEG", quality=60, progressive=True),
    "the largest WebP": lambda: encode(_grainy(_side(16)), "WEBP", method=0),
    "the largest clear WebP": lambda: encode(_grainy(_side(16), "L").convert("LA"), "WEBP", lossless=True, method=0),
    "long and thin": lambda: flat_png(6_000_000, 8, 8, 2),
    "EXIF in PNG": lambda: png(8, 8, 8, 0, _ROWS, chunk(b"eXIf", exif(4_000, 2_000_000)[6:])),
    "EXIF in JPEG": lambda: _small_jpeg(segment(0xE1, exif(2_000, 40_000))),
    "EXIF of many parts": lambda: _small_jpeg(
        *(segment(0xE1, b"Exif\0\0" + exif(20_000, 1_000_000)[6:][at : at + 60_000]) for at in range(0, 1_200_000, 60_000))
    ),
    "EXIF as text": lambda: png(
        8,
        8,
        8,
        0,
        _ROWS,
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n  99\n" + exif(9_000, 99_000).hex().encode())),
    ),
    "EXIF in WebP": lambda: encode(Image.new("RGB", (16, 16)), "WEBP", exif=exif(4_000, 2_000_000)),
    "segments": lambda: _small_jpeg(segment(0xFE, b"") * 4_000_000),
    "quarter of a million empty thumbnails": lambda: _small_jpeg(segment(0xE2, b"MPF\0") * 250_000),
    "chunks": lambda: png(8, 8, 8, 0, _ROWS, chunk(b"abCd", b"") * 1_500_000),
    "texts": lambda: png(8, 8, 8, 0, _ROWS, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000), 9)) * 15_000),
    "a profile": lambda: png(8, 8, 8, 0, _ROWS, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(500_000_000), 9))),
    "empty data": lambda: (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", LARGEST, LARGEST, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", b"") * 1_500_000
    ),
    "bytes of nothing": lambda: b"\xff\xd8" + b"\xff" * 19_000_000,
    "frames": lambda: encode(
        Image.new("RGB", (900, 900)),
        "WEBP",
        save_all=True,
        append_images=[Image.new("RGB", (900, 900), (n, 0, 0)) for n in range(99)],
    ),
}
"""Files of at most 20 MB that cost seconds or gigabytes where only pixels are counted."""


@lru_cache(8)
def _bomb(name: str) -> bytes:
    return BOMBS[name]()


@cache
def _corpus() -> list[bytes]:
    """Small pictures of every mode and format, with what may lie beside the pixels."""
    noise = Image.effect_noise((24, 20), 80)
    colour = Image.merge("RGB", (noise, noise.transpose(Image.Transpose.FLIP_LEFT_RIGHT), noise.rotate(180)))
    alpha = Image.merge("RGBA", (*colour.split(), noise))
    files = [encode(noise.convert(mode), "PNG", exif=exif(3, 4)[6:]) for mode in ("1", "L", "LA", "P", "I;16")]
    files += [encode(image, "PNG", compress_level=1) for image in (colour, alpha, colour.quantize(16))]
    files += [
        encode(image, "WEBP", lossless=lossless, exif=exif(3, 4)) for image in (colour, alpha) for lossless in (True, False)
    ]
    files += [encode(colour, "JPEG", progressive=progressive, exif=exif(3, 4)) for progressive in (True, False)]
    files += [encode(noise, "JPEG"), encode(colour.convert("CMYK"), "JPEG"), encode(colour, "JPEG", comment=b"x" * 50)]
    files += [encode(colour, kind, save_all=True, append_images=[colour.rotate(90), colour]) for kind in ("PNG", "WEBP", "MPO")]
    files += [flat_png(24, 20, depth, colour) for depth, colour in ((16, 2), (16, 4), (16, 6), (8, 0), (8, 4))]
    return [*files, jpeg_of_scans(24, 20, 3)]


def _damaged_png(data: bytes, random: Random) -> bytes:
    """A PNG whose chunks are damaged and their checksums right, so that what is behind them is reached."""
    chunks, at = list[tuple[bytes, bytes]](), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(chunks))
        kind, inside = chunks[place]
        match random.randrange(5):
            case 0:
                chunks.insert(random.randrange(len(chunks)), chunks[place])
            case 1 if len(chunks) > 1:
                del chunks[place]
            case 2 if kind == b"IHDR":
                size = [random.choice((8, 24, *NUMBERS)) % 2**32 for _ in range(2)]
                depth, colour = random.choice((1, 2, 4, 8, 16)), random.choice((0, 2, 3, 4, 6))
                chunks[place] = kind, struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, random.randrange(2))
            case 3 if kind == b"IDAT":
                try:
                    chunks[place] = kind, zlib.compress(damaged(zlib.decompress(inside), random))
                except zlib.error:
                    continue
            case _:
                chunks[place] = kind, damaged(inside, random)
    return data[:8] + b"".join(chunk(kind, inside) for kind, inside in chunks)
