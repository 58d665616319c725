"""What the lines of a comparison of modes add up to. Without torch."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.errors import LabError
from core.smoothing.conclusion import OUT_OF_REACH, REACHED, Conclusion, both_ways, samples_fixed_beforehand
from core.smoothing.settings import Terms
from experiments.compare_modes.paired import Ratio, geometric_mean_ratio, ratio_of_means
from experiments.compare_modes.records import FLOAT, ROUNDED, SOUND, ModesLine, Settling, VotesOf

ACCURACY_AT: dict[str, dict[str, float]] = {
    "l2": {"0.25": 0.25, "0.5": 0.5},
    "l1": {"0.25": 0.25, "0.5": 0.5},
    "linf": {"1/255": 1 / 255, "2/255": 2 / 255},
}
"""The radii at which certified accuracy is told, by norm and by how they are written."""

CLOSE = 0.01
"""Radii so close to each other, as a share of the float one, count as the same."""


@dataclass(frozen=True)
class Share:
    """A share of all pictures and its 95% Clopper-Pearson interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Beside:
    """Radii of one run beside those of the float run on the same pictures, l2; an abstention's radius is 0.

    Attributes:
        certified, certified_float: pictures that either certifies, whatever the class.
        mean, mean_float: radius over all pictures.
        ratio: of these means, with an interval over the pictures.
        both: pictures that both certify as the same class; the next three are over these.
        median_ratio, close: median ratio of the radii, and the share of pictures where it is within 1% of 1.
        one_class: pictures on which n0 samples chose the same class to count.
    """

    certified: int
    certified_float: int
    mean: float
    mean_float: float
    ratio: Ratio | None
    both: int
    median_ratio: float | None
    close: float | None
    one_class: int


@dataclass(frozen=True)
class Sides:
    """The two-sided radius beside the one-sided one, from the votes of the float run.

    Attributes:
        mean_one, mean_two: radius over all pictures, an abstention's 0.
        larger, smaller, equal: pictures on which the two-sided one is so.
        gained: pictures that only the two-sided one certifies; ``lost``: only the one-sided one.
    """

    mean_one: float
    mean_two: float
    larger: int
    smaller: int
    equal: int
    gained: int
    lost: int


@dataclass(frozen=True)
class SettledSummary:
    """Runs until one radius is settled.

    Attributes:
        reached, out_of_reach, open: pictures, by what came of it.
        mean, median, ninth_decile, most: samples taken, over all pictures.
        fixed_n: samples of the fixed-n run beside it.
        fixed_reached: pictures on which that run certifies the radius.
        agreeing: settled pictures on which it says the same.
        known: pictures that reached it on whose share of votes some fixed n certifies it, too.
        mean_anytime_known, mean_fixed_known: over those, the samples taken, and the least fixed n that the very share of votes
            (of the fixed-n run) needs: what one could have planned, had one known the share before.
    """

    radius: float
    reached: int
    out_of_reach: int
    open: int
    mean: float
    median: float
    ninth_decile: int
    most: int
    fixed_n: int
    fixed_reached: int
    agreeing: int
    known: int
    mean_anytime_known: float | None
    mean_fixed_known: float | None


@dataclass(frozen=True)
class ModesSummary:
    """What the lines add up to.

    Attributes:
        images: pictures.
        accuracy: by noise (Gaussian in floats), norm and radius: the share right and certified so far.
        rounded, sound: beside the float run. ``rounded`` has the same normal numbers and tells what the grid costs; ``sound``
            has noise of its own, and differs from float by the luck of the draw, too.
        sound_time, sound_processor_time: what a sound run took over what the float run on the same picture took, geometric
            mean, by the clock and in processor time. Above 1: sound is slower.
        sides: one-sided beside two-sided.
        until: a summary of each radius that was settled.
    """

    images: int
    accuracy: dict[str, dict[str, dict[str, Share]]]
    rounded: Beside
    sound: Beside
    sound_time: Ratio | None
    sound_processor_time: Ratio | None
    sides: Sides
    until: tuple[SettledSummary, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def summarise_modes(lines: Sequence[ModesLine], *, sigma: float, alpha: float) -> ModesSummary:
    """Compute every radius from the votes, and add up.

    Raises:
        LabError: where there are no lines, or they do not have the same runs.
    """
    if not lines:
        raise LabError("No picture has been certified yet: run the command first.")
    kinds = {(*sorted(line.runs), *(one.radius for one in line.until)) for line in lines}
    if len(kinds) > 1:
        raise LabError("The lines come from different comparisons: they have not the same runs.")
    found = {name: [_conclusions(line, name, sigma, alpha) for line in lines] for name in lines[0].runs}
    return ModesSummary(
        images=len(lines),
        accuracy=_accuracies(lines, found),
        rounded=_beside(lines, found, ROUNDED),
        sound=_beside(lines, found, SOUND),
        sound_time=_time(lines, lambda run: run.seconds),
        sound_processor_time=_time(lines, lambda run: run.processor_seconds),
        sides=_sides(found[FLOAT]),
        until=tuple(
            _settled(lines, [one for one, _ in found[FLOAT]], number=number, sigma=sigma, alpha=alpha)
            for number in range(len(lines[0].until))
        ),
    )


def _time(lines: Sequence[ModesLine], taken: Callable[[VotesOf], float]) -> Ratio | None:
    pairs = [(taken(line.runs[FLOAT]), taken(line.runs[SOUND])) for line in lines]
    # A coarse clock of the processor may not have moved during a short run.
    pairs = [(a, b) for a, b in pairs if a > 0 and b > 0]
    return geometric_mean_ratio([a for a, _ in pairs], [b for _, b in pairs])


def _conclusions(line: ModesLine, name: str, sigma: float, alpha: float) -> tuple[Conclusion, Conclusion]:
    run = line.runs[name]
    noise = "gaussian" if name in (FLOAT, SOUND, ROUNDED) else name
    terms = Terms(alpha=alpha, sigma=sigma, shape=(3, line.height, line.width), noise=noise)
    return both_ways(run.counts, run.candidate, terms)


def _accuracies(
    lines: Sequence[ModesLine], found: dict[str, list[tuple[Conclusion, Conclusion]]]
) -> dict[str, dict[str, dict[str, Share]]]:
    accuracy: dict[str, dict[str, dict[str, Share]]] = {}
    for name, conclusions in found.items():
        if name in (SOUND, ROUNDED):
            continue
        noise = "gaussian" if name == FLOAT else name
        accuracy[noise] = {}
        for norm, radii in ACCURACY_AT.items():
            if noise != "gaussian" and norm != "l1":
                continue  # the ball inside the l1 ball is too small to be told
            accuracy[noise][norm] = {
                written: _share(
                    sum(
                        line.runs[name].candidate == line.label and not one.abstained and one.radii[norm] >= radius
                        for line, (one, _) in zip(lines, conclusions, strict=True)
                    ),
                    len(lines),
                )
                for written, radius in radii.items()
            }
    return accuracy


def _share(k: int, n: int) -> Share:
    from scipy.stats import binomtest  # a second to import

    interval = binomtest(k, n).proportion_ci(0.95, method="exact")
    return Share(k / n, float(interval.low), float(interval.high))


def _beside(lines: Sequence[ModesLine], found: dict[str, list[tuple[Conclusion, Conclusion]]], name: str) -> Beside:
    ours, floats = ([one.radii["l2"] for one, _ in found[run]] for run in (name, FLOAT))
    alike = [line.runs[name].candidate == line.runs[FLOAT].candidate for line in lines]
    ratios = [a / b for a, b, same in zip(ours, floats, alike, strict=True) if same and a > 0 and b > 0]
    return Beside(
        certified=sum(not one.abstained for one, _ in found[name]),
        certified_float=sum(not one.abstained for one, _ in found[FLOAT]),
        mean=statistics.fmean(ours),
        mean_float=statistics.fmean(floats),
        ratio=ratio_of_means(floats, ours),
        both=len(ratios),
        median_ratio=statistics.median(ratios) if ratios else None,
        close=sum(abs(ratio - 1) <= CLOSE for ratio in ratios) / len(ratios) if ratios else None,
        one_class=sum(alike),
    )


def _sides(conclusions: Sequence[tuple[Conclusion, Conclusion]]) -> Sides:
    radii = [(one.radii["l2"], two.radii["l2"]) for one, two in conclusions]
    return Sides(
        mean_one=statistics.fmean(one for one, _ in radii),
        mean_two=statistics.fmean(two for _, two in radii),
        larger=sum(two > one for one, two in radii),
        smaller=sum(two < one for one, two in radii),
        equal=sum(two == one for one, two in radii),
        gained=sum(one.abstained and not two.abstained for one, two in conclusions),
        lost=sum(two.abstained and not one.abstained for one, two in conclusions),
    )


def _settled(
    lines: Sequence[ModesLine], floats: Sequence[Conclusion], number: int, sigma: float, alpha: float
) -> SettledSummary:
    runs: list[Settling] = [line.until[number] for line in lines]
    radius = runs[0].radius
    samples = sorted(run.samples for run in runs)
    by_fixed_n = [one.radii["l2"] >= radius for one in floats]
    known = []
    for line, run in zip(lines, runs, strict=True):
        votes = line.runs[FLOAT]
        if run.settled != REACHED or votes.candidate is None:
            continue
        share = votes.counts[votes.candidate] / sum(votes.counts)
        least = samples_fixed_beforehand(share, radius, Terms(alpha=alpha, sigma=sigma, shape=(3, line.height, line.width)))
        if least is not None:
            known.append((run.samples, least))
    return SettledSummary(
        radius=radius,
        reached=sum(run.settled == REACHED for run in runs),
        out_of_reach=sum(run.settled == OUT_OF_REACH for run in runs),
        open=sum(run.settled is None for run in runs),
        mean=statistics.fmean(samples),
        median=statistics.median(samples),
        ninth_decile=samples[math.ceil(0.9 * len(samples)) - 1],
        most=samples[-1],
        fixed_n=sum(lines[0].runs[FLOAT].counts),
        fixed_reached=sum(by_fixed_n),
        agreeing=sum(
            (run.settled == REACHED) == fixed for run, fixed in zip(runs, by_fixed_n, strict=True) if run.settled is not None
        ),
        known=len(known),
        mean_anytime_known=statistics.fmean(taken for taken, _ in known) if known else None,
        mean_fixed_known=statistics.fmean(least for _, least in known) if known else None,
    )
