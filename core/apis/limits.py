"""What an API takes: how large a picture may be, what a query costs, how many a second."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from core.errors import LabError


@dataclass(frozen=True)
class Limits:
    """A provider's limits and price, as its public documentation states them; users may put in their own.

    Attributes:
        price: US dollars a query.
        rate: queries a second.
        concurrency: queries under way at once.
        min_side, max_side: pixels.
        max_bytes: of the encoded picture.
        timeout: seconds to wait for an answer.
    """

    price: float
    rate: float
    concurrency: int = 4
    min_side: int = 1
    max_side: int = 10_000
    max_bytes: int = 4 * 2**20
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if not (self.price >= 0 and self.rate > 0 and self.concurrency >= 1 and self.timeout > 0):
            raise LabError(
                f"price {self.price:g}, rate {self.rate:g}, concurrency {self.concurrency}, timeout {self.timeout:g}: expected"
                " a price of at least 0 and the others above 0."
            )


def encode(picture: Image.Image, limits: Limits) -> bytes:
    """An RGB picture as PNG, which loses nothing; a picture below the least side is enlarged to it, whole pixels repeated.

    Enlarging is part of the base classifier: it happens after the noise, so the certificate stays one for the small picture.

    Raises:
        LabError: where the picture is larger than the API takes.
    """
    least, greatest = min(picture.size), max(picture.size)
    if greatest > limits.max_side:
        raise LabError(
            f"The picture has a side of {greatest} pixels: the API takes at most {limits.max_side}; make it smaller."
        )
    factor = -(-limits.min_side // least)
    if factor > 1:
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=3)
    if buffer.tell() > limits.max_bytes:
        raise LabError(
            f"The noisy picture has {buffer.tell() / 2**20:.1f} MB as PNG: the API takes at most"
            f" {limits.max_bytes / 2**20:.1f}; make it smaller."
        )
    return buffer.getvalue()


def size_note(height: int, width: int, limits: Limits) -> str | None:
    """A sentence where a picture is enlarged for the API; None where it is sent as it is."""
    factor = -(-limits.min_side // min(height, width))
    if factor <= 1:
        return None
    return (
        f"The API takes pictures of at least {limits.min_side} pixels a side: each copy of {width} x {height} is enlarged"
        f" {factor} times before it is sent, after the noise."
    )
