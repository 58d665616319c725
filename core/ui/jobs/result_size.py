"""About how many bytes a result holds in memory, so that kept results can be bounded by size."""

from __future__ import annotations

import dataclasses
import sys

from PIL import Image

_WHOLE = (str, bytes, bytearray, int, float, complex, bool, type(None), type)
"""Objects that say their own size."""


def result_size(result: object) -> int:
    """Bytes of everything reached through dataclasses, mappings and sequences; what is reached twice counts once.

    Pictures, arrays and tensors count by their pixels and elements, on whatever device they are.

    >>> result_size({"picture": Image.new("RGB", (1000, 1000))}) > 4_000_000  # Pillow keeps four bytes a pixel
    True
    """
    seen: set[int] = set()
    waiting, total = [result], 0
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        total += _own_size(item)
        waiting += _parts(item)
    return total


def _own_size(item: object) -> int:
    if isinstance(item, Image.Image):
        return item.width * item.height * (1 if item.mode in ("1", "L", "P") else 4)
    elements = getattr(item, "nbytes", None)  # arrays and tensors
    return elements if isinstance(elements, int) else sys.getsizeof(item)


def _parts(item: object) -> list[object]:
    if isinstance(item, _WHOLE):
        return []
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    if isinstance(item, list | tuple | set | frozenset):
        return list(item)
    if dataclasses.is_dataclass(item):
        return [getattr(item, field.name) for field in dataclasses.fields(item)]
    return []
