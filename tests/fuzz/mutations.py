"""Damage to bytes, texts and JSON documents, drawn from a seed."""

from __future__ import annotations

import json
import re
from random import Random
from typing import Any

NUMBERS = (0, 1, -1, 2, 3, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 2**64, 10**8, 10**30, -(2**63))
WORDS = (
    "",
    " ",
    "-1",
    "1e999",
    "-1e-999",
    "nan",
    "Infinity",
    "9" * 5_000,
    "0x10",
    "1_000",
    "٣",
    "½",
    "true",
    "null",
    "../../etc/passwd",
    "a\r\nb",
    "two\nlines",
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "\x00",
    "line\u2028and\u2029paragraph",
    "![x](http://192.0.2.1/p.png)<script>alert(1)</script>",
    '=HYPERLINK("http://192.0.2.1")',
    "$\\frac{1}{0}$",
    "\ud800",
    "猫" * 2_000,
    "e\u0301" * 50,
)
"""What text of strangers may be: numbers that are none, line breaks, codes of terminals, marks that turn the direction."""
NAMES = ("cat.png", "cat.jpg", "a", "", *(word[:200] for word in WORDS))


def damaged(data: bytes, random: Random, *, most: int = 6) -> bytes:
    """A few changes of bytes: flipped, set, cut out, doubled, moved, written over by an extreme number."""
    out = bytearray(data)
    for _ in range(random.randint(1, most)):
        at = random.randrange(len(out) + 1)
        length = min(random.choice((1, 1, 2, 4, 16, 256)), len(out) - at)
        match random.randrange(7):
            case 0 if length:
                out[at] ^= 1 << random.randrange(8)
            case 1:
                out[at : at + length] = random.randbytes(length)
            case 2:
                del out[at : at + length]
            case 3:
                out[at:at] = out[at : at + length] * random.choice((1, 2, 50))
            case 4:
                other = random.randrange(len(out) + 1)
                out[at : at + length] = out[other : other + length]
            case 5:
                size = random.choice((1, 2, 4))
                number = random.choice(NUMBERS) % 256**size
                out[at : at + size] = number.to_bytes(size, random.choice(("big", "little")))
            case 6 if random.random() < 0.2:
                del out[at:]
    return bytes(out)


def reworded(text: str, random: Random) -> str:
    """A text with some of its words, numbers, separators or lines replaced, repeated or left out."""
    parts = re.split(r"(\W)", text)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(parts))
        match random.randrange(4):
            case 0:
                parts[at] = random.choice(WORDS)
            case 1:
                parts[at] = str(random.choice(NUMBERS))
            case 2:
                parts[at] = ""
            case 3:
                parts[at] = parts[at] * random.choice((2, 3, 1_000))
    return "".join(parts)


def encoded(text: str, random: Random) -> bytes:
    """A text as bytes, most often right; halves of characters are written as they stand."""
    data = text.encode(random.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16")), "surrogatepass")
    return damaged(data, random) if random.random() < 0.1 else data


def altered(document: Any, random: Random) -> Any:
    """A JSON document with a few of its values or keys replaced, renamed, left out, or put where others belong."""
    document = json.loads(json.dumps(document))
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(document))
        if not places:
            break
        holder, key = random.choice(places)
        if random.random() < 0.6:
            holder[key] = _nearly(holder[key], random)
            continue
        match random.randrange(6):
            case 0 if isinstance(holder, dict):
                holder[random.choice(WORDS)] = holder.pop(key)
            case 1:
                del holder[key]
            case 2:
                other, from_there = random.choice(places)
                if from_there in other if isinstance(other, dict) else from_there < len(other):
                    # A copy: what holds itself is no JSON.
                    holder[key] = json.loads(json.dumps(other[from_there]))
            case _:
                holder[key] = _value(random)
    return document


def dumped(document: Any, random: Random) -> bytes:
    """The document as a file, now and then damaged as text, too."""
    if random.random() < 0.01:
        return random.choice((b"[", b'{"a":')) * 100_000
    text = json.dumps(document, ensure_ascii=random.random() < 0.5, indent=random.choice((None, 2)))
    return encoded(reworded(text, random) if random.random() < 0.1 else text, random)


def _places(document: Any) -> Any:
    keys = document.keys() if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in list(keys)[:2_000]:
        yield document, key
        yield from _places(document[key])


def _nearly(value: Any, random: Random) -> Any:
    """What is nearly right gets further: a number a little off, a text with strange letters, a list with one more or less."""
    match value:
        case bool():
            return not value
        case int() | float():
            return random.choice((value + 1, max(0, value - 1), 2 * value, value / 3, float(value), value * 1.000_000_1))
        case str():
            return random.choice((f"{value}{random.choice(WORDS)}"[:1_000], value[::-1], value.upper(), value[1:]))
        case list() if value:
            return random.choice((value[1:], [*value, value[0]], value[::-1], [value[0]] * len(value)))
        case dict() if value:
            return dict(list(value.items())[1:])
    return value


def _value(random: Random) -> Any:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    number = random.choice(NUMBERS)
    return random.choice(
        (number, number, float(number), 0.5, -0.0, float("nan"), True, None, [], {}, [number] * 20, [[]], {"a": number}, deep)
        + (random.choice(WORDS),) * 6
        + (["x"] * 100_000, "x" * 1_000_000)
    )
