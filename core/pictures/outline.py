"""A picture's file before any pixel of it is decoded: its parts and scans, which way is up, what decoding will hold.

Pillow looks at each part in turn, and older versions of it read all that an EXIF block claims, which may be gigabytes. So parts
are counted first, EXIF and XMP are looked into here for the one number that matters, and of a JPEG Pillow sees only what
decoding takes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from PIL import Image

MOST_PARTS = 50_000
"""Chunks or segments of a file; one of 20 MB has some 2,500 as it is usually written."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How each orientation other than 1 is turned upright."""

_BYTES_HELD = {"1": 1, "L": 1, "P": 1, "I;16": 2}
"""What Pillow keeps a pixel in, where it is not 4 bytes."""
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""Of a segment, in the pixels' data or not: there 0xff stands before 0 or one of the marks to restart from."""
_START, _END, _SCAN, _EXIF, _ADOBE, _COMMENT = 0xD8, 0xD9, 0xDA, 0xE1, 0xEE, 0xFE
_DESCRIBING = {*range(0xE1, 0xF0), _COMMENT} - {_ADOBE}
"""Segments that no decoder needs; Adobe's says how colours are stored."""
_RAW = "Raw profile type exif"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
_ORIENTATION, _SHORT = 0x0112, 3


@dataclass(frozen=True)
class Outline:
    """A file as it goes to the decoder: its ``data``, how many parts and scans those have, and what ``described`` them."""

    data: bytes
    parts: int = 1
    scans: int = 1
    described: dict[str, bytes] = field(default_factory=dict)


def outline_of(data: bytes) -> Outline:
    """Count the parts of a PNG or JPEG, at most one more than :data:`MOST_PARTS`; take out of a JPEG what only describes it."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Outline(data, sum(1 for _ in islice(_chunks(data), MOST_PARTS + 1)))
    if not data.startswith(b"\xff\xd8"):
        return Outline(data)
    kept, described, parts, scans, first = [data[:2]], dict[str, bytes](), 0, 0, len(data)
    for kind, begin, end in islice(_segments(data), MOST_PARTS + 1):
        parts += 1
        if kind == _SCAN:
            scans, first = scans + 1, min(first, begin)
        elif not scans and kind not in _DESCRIBING:
            kept.append(data[begin:end])
        elif not scans and kind == _EXIF:
            described.setdefault("xmp" if data.startswith(_XMP, begin + 4) else "exif", data[begin + 4 : end])
    return Outline(b"".join([*kept, data[first:]]), parts, scans, described)


def _chunks(data: bytes) -> Iterator[int]:
    """Where each chunk of a PNG begins."""
    at = 8
    while at < len(data):
        yield at
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of each segment of a JPEG that its decoder comes to; of a scan the end of its head."""
    at = 2
    while (found := _MARKER.search(data, at)) is not None:
        kind, at = data[found.start() + 1], found.end()
        if kind in (_START, _END):
            return
        at += max(2, int.from_bytes(data[at : at + 2], "big")) if kind > 1 else 0
        yield kind, found.start(), at


def orientation_of(described: Mapping[Any, Any]) -> int:
    """The EXIF orientation, 1 to 8 (CIPA DC-008, 4.6.4), of EXIF or else XMP data under Pillow's names; 1 where none says."""
    exif, xmp = described.get("exif", b""), described.get("xmp", described.get("XML:com.adobe.xmp", b""))
    if not exif and _RAW in described:  # ImageMagick's way: three lines, then bytes in hex
        digits = "".join(str(described[_RAW]).split("\n")[3:])
        exif = bytes.fromhex(digits) if re.fullmatch(r"(?:[0-9a-fA-F]{2})*", digits) else b""
    found = _in_exif(exif)
    if found is None:
        said = _IN_XMP.search(xmp.encode("utf-8", "replace") if isinstance(xmp, str) else xmp)
        found = int(said[1]) if said else 1
    return found if 1 <= found <= 8 else 1


def _in_exif(exif: bytes) -> int | None:
    tiff = re.sub(rb"^(?:Exif\0\0){1,2}", b"", exif)
    if tiff[:2] not in (b"II", b"MM"):
        return None
    order: Literal["little", "big"] = "little" if tiff.startswith(b"I") else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    first = number(4, 4)
    for entry in range(first + 2, first + 2 + 12 * number(first, 2), 12):
        if number(entry, 2) == _ORIENTATION:
            return number(entry + 8, 2 if number(entry + 2, 2) == _SHORT else 4)
    return None


def stored_as(picture: Image.Image) -> str:
    """How the file keeps its pixels, as Pillow names it (``RGB;16B``); empty for a picture that is loaded already."""
    tiles = getattr(picture, "tile", None)
    return str(tiles[0][3]) if tiles else ""


def bytes_held(picture: Image.Image, size: tuple[int, int], scans: int, orientation: int) -> float:
    """Bytes that decoding and converting a picture of that size take at once; ``picture`` may come out smaller."""
    held, pixels = _BYTES_HELD.get(picture.mode, 4), picture.width * picture.height
    decoding = 0.0
    if picture.format == "WEBP":
        decoding = 12.0  # two canvases, the frame, and the bytes that are handed over
    elif scans > 1:
        layers = [(across, down) for _, across, down, _ in getattr(picture, "layer", ())]
        most = max(a for a, _ in layers) * max(d for _, d in layers) if layers else 1
        decoding = 2 * sum(a * d for a, d in layers) / max(1, most)
    elif (picture.format, held) == ("PNG", 4) and ";16" in stored_as(picture):
        decoding = 2.0 * len(picture.getbands())  # not held, but unpacked: these would take longest
    turning = held * (1 + (orientation in UPRIGHT))
    converting = held + (4 if picture.mode != "RGB" or "transparency" in picture.info else 0)
    return max(size[0] * size[1] * decoding + pixels * held, pixels * max(turning, converting))
