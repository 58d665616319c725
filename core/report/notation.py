"""How numbers, norms, classes and their colours are written everywhere, and lists read. Imports no torch."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from core.plain_text import named
from core.smoothing.radius import floored

# Okabe and Ito (2008), told apart by people with any colour vision. Black and yellow are left out: one of them vanishes
# on a light ground, the other on a dark one.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
GREY = "#8A8F98"
CATEGORIES = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION)

STAGES = {"original": "Original", "noisy": "With noise", "denoised": "Denoised"}
"""The pictures of a study, as :class:`core.studies.records.View` names them."""


def class_colours(counts: Sequence[int]) -> dict[int, str]:
    """A colour for each of the six classes with most votes; every other class is grey."""
    order = sorted((i for i, c in enumerate(counts) if c), key=lambda i: -counts[i])
    return {index: CATEGORIES[rank] if rank < len(CATEGORIES) else GREY for rank, index in enumerate(order)}


def class_name(index: int | None, labels: Sequence[str] | None) -> str:
    """The label of a class on one line, cut where it is long, or its number where there is none for it.

    >>> class_name(1, ("cat", "dog")), class_name(7, ("cat", "dog")), class_name(7, None), class_name(None, None)
    ('dog', 'class 7', 'class 7', 'no class')
    """
    if index is None:
        return "no class"
    return named(labels[index], f"class {index}") if labels is not None and 0 <= index < len(labels) else f"class {index}"


def norm_name(norm: str) -> str:
    """A norm as it is written in a sentence.

    >>> norm_name("l2"), norm_name("linf")
    ('l2', 'l-infinity')
    """
    return "l-infinity" if norm == "linf" else norm


def radius_text(radius: float) -> str:
    """Three decimals, or three digits where that would be too few, as of l-infinity radii; never more than it is.

    >>> radius_text(0.2509), radius_text(0.008739)
    ('0.250', '0.00873')
    """
    return floored(radius, ".3f" if radius >= 0.1 or radius == 0 else ".3g")


def sigma_text(sigma: float) -> str:
    """Sigma in both units.

    >>> sigma_text(0.25)
    '0.25 (63.75/255)'
    """
    return f"{sigma:g} ({255 * sigma:g}/255)"


def percent(share: float | Decimal) -> str:
    """A probability as percent, to its last digit: a confidence is never rounded up to 100%.

    >>> percent(0.001), percent(certainty(1e-9))
    ('0.1%', '99.9999999%')
    """
    return f"{(100 * Decimal(str(share))).normalize():f}%"


def certainty(failure_probability: float) -> Decimal:
    """1 minus a failure probability, exactly as it is written."""
    return 1 - Decimal(str(failure_probability))


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(7.2), duration(95), duration(7_300)
    ('7 s', '1 min 35 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def read_number(text: str) -> float:
    """A number, or a fraction of two, such as 8/255. Raises ValueError where it is none.

    >>> read_number("0.25"), read_number("8/255") == 8 / 255
    (0.25, True)
    """
    above, stroke, below = text.partition("/")
    try:
        return float(above) / float(below) if stroke else float(above)
    except ZeroDivisionError as error:
        raise ValueError(text) from error


def read_numbers(text: str, usable: Callable[[float], bool] = lambda number: True) -> tuple[list[float], list[str]]:
    """The numbers of a text with commas between them, in its order, and the parts of it that are none, or not usable.

    >>> read_numbers("0.5, 0.25, x,"), read_numbers("1,-1", lambda number: number >= 0)
    (([0.5, 0.25], ['x']), ([1.0], ['-1']))
    """
    numbers: list[float] = []
    wrong = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            number = read_number(part)
        except ValueError:
            wrong.append(part)
            continue
        if usable(number):
            numbers.append(number)
        else:
            wrong.append(part)
    return numbers, wrong
