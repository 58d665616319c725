"""Lines of an attacked data set, and what they add up to. Without torch."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.evaluation.log import read_json_lines


@dataclass(frozen=True)
class AttackedLine:
    """One picture of a data set, certified and attacked.

    Attributes:
        idx, label: its number and true class.
        prediction: the certified class; None where it abstained, and then nothing was attacked.
        certified: the certified radius in the norm of the run.
        inside: sizes of the changes within the certified radius that PREDICT judged.
        abstentions: how many of those made PREDICT abstain. No violation: no other class was returned.
        violations: how many of those made PREDICT return another class.
        rechecked: how many of the violations a PREDICT with ten times the votes bore out.
        smoothed: size of the smallest successful attack found on the smoothed classifier; None where none was found.
        settled: whether the search for it came to its end; where its budget ran out, a longer one finds a smaller attack.
        base: the same for the base classifier alone.
        seconds: what it took.
    """

    idx: int
    label: int
    prediction: int | None
    certified: float = 0.0
    inside: tuple[float, ...] = ()
    abstentions: int = 0
    violations: int = 0
    rechecked: int = 0
    smoothed: float | None = None
    settled: bool = False
    base: float | None = None
    seconds: float = 0.0

    def text(self) -> str:
        """The line as it stands in the file, without its end."""
        return json.dumps(asdict(self), allow_nan=False)


def read_lines(path: Path) -> list[AttackedLine]:
    """Read a file of such lines.

    Raises:
        LabError: where it cannot be read; it names the line.
    """

    def parse(raw: Any) -> AttackedLine:
        return AttackedLine(**(raw | {"inside": tuple(raw["inside"])}))

    return [line for _, line in read_json_lines(path, parse, wrong=", is no line of an attacked data set: {line!r}")]


@dataclass(frozen=True)
class AttackSummary:
    """What the lines add up to.

    Attributes:
        images, certified: pictures, and those with a certificate.
        inside: changes within certified radii that PREDICT judged.
        violations, rechecked, abstentions: of those; pictures are counted once in ``violated``.
        violated: pictures with a violation.
        expected: how many pictures might, on average, be violated by bad luck alone, at most: see :func:`chance_of_alarm`.
        allowed: how many bad luck alone exceeds with a chance below 0.001.
        mean_certified: over certified pictures.
        found, mean_smoothed, median_ratio: certified pictures on which an attack on the smoothed classifier succeeded, its mean
            size, and the median of its size as a multiple of the certified radius. Pictures on which none succeeded within
            the budget are in neither.
        settled: of those found, searches that came to their end; the others' attacks are larger than they need be.
        mean_base, base_inside: mean smallest attack on the base classifier of certified pictures, and how many of these
            attacks lie within the certified radius of the smoothed one.
        smallest_gap: least difference between the smallest attack and the certified radius, over all certified pictures.
        seconds: all together.
    """

    images: int
    certified: int
    inside: int
    violations: int
    rechecked: int
    abstentions: int
    violated: int
    expected: float
    allowed: int
    mean_certified: float | None
    found: int
    mean_smoothed: float | None
    median_ratio: float | None
    settled: int
    mean_base: float | None
    base_inside: int
    smallest_gap: float | None
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def chance_of_alarm(line: AttackedLine, alpha: float) -> float:
    """The chance, at most, that a picture shows a violation although the theorem holds.

    Its certificate may be wrong (alpha), and so may be each PREDICT (alpha each): a union bound.
    """
    return 0.0 if line.prediction is None else min(1.0, alpha * (1 + len(line.inside)))


def summarise_attacks(lines: Sequence[AttackedLine], alpha: float) -> AttackSummary:
    """Add up.

    Raises:
        LabError: where there are no lines.
    """
    from scipy.stats import poisson  # a second to import

    if not lines:
        raise LabError("No picture has been attacked yet: run the command first.")
    certified = [line for line in lines if line.prediction is not None]
    expected = sum(chance_of_alarm(line, alpha) for line in lines)
    both = [(line.smoothed, line.certified) for line in certified if line.smoothed is not None]
    base = [(line.base, line.certified) for line in certified if line.base is not None]
    return AttackSummary(
        images=len(lines),
        certified=len(certified),
        inside=sum(len(line.inside) for line in certified),
        violations=sum(line.violations for line in certified),
        rechecked=sum(line.rechecked for line in certified),
        abstentions=sum(line.abstentions for line in certified),
        violated=sum(line.violations > 0 for line in certified),
        expected=expected,
        # A sum of rare independent events is at most as spread as a Poisson number of the same mean.
        allowed=int(poisson.ppf(0.999, expected)) if expected else 0,
        mean_certified=_mean([line.certified for line in certified]),
        found=len(both),
        mean_smoothed=_mean([size for size, _ in both]),
        median_ratio=statistics.median(size / radius for size, radius in both) if both else None,
        settled=sum(line.settled for line in certified if line.smoothed is not None),
        mean_base=_mean([size for size, _ in base]),
        base_inside=sum(size <= radius for size, radius in base),
        smallest_gap=min((size - radius for size, radius in both), default=None),
        seconds=sum(line.seconds for line in lines),
    )


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
