"""Logs side by side: which belong together, what they are called, and the best of each family. Needs no torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.evaluation.curve import summarise
from core.evaluation.recorded import RecordedEvaluation

_NUMBER = re.compile(r"(?<![\d.])\d*\.\d+")
_OBJECTIVES = {"-stab": "STAB", "-black-box": "black-box", "-mse": "MSE"}
_NOISE_TRAINED = "bundled/cifar10-noise-*"
_ORDER = ("STAB", "black-box", "MSE", "no denoiser", "noise-trained")


def family_of(log: RecordedEvaluation) -> str:
    """What all logs of the same models share, whatever their sigma.

    With a side file: its models; a model for each sigma, named after it, counts as one. Without: the name, its decimal
    numbers left out.
    """
    made = log.made_by
    if made.classifier is None:
        return _NUMBER.sub("*", log.name)
    return f"{_classifier(log)} behind {_for_its_sigma(made.denoiser or 'none', made.sigma)}"


def _classifier(log: RecordedEvaluation) -> str:
    return _for_its_sigma(log.made_by.classifier or "", log.made_by.sigma)


def _for_its_sigma(reference: str, sigma: float | None) -> str:
    """A reference, the log's own sigma in it as a star.

    >>> _for_its_sigma("local/runs/dncnn-0.50", 0.5), _for_its_sigma("local/runs/dncnn-0.50", 0.25)
    ('local/runs/dncnn-*', 'local/runs/dncnn-0.50')
    """
    return _NUMBER.sub(lambda number: "*" if float(number[0]) == sigma else number[0], reference)


def _words(log: RecordedEvaluation) -> str:
    denoiser = log.made_by.denoiser or "none"
    if denoiser == "none" and _classifier(log) == _NOISE_TRAINED:
        return "noise-trained"
    return denoiser_words(_for_its_sigma(denoiser, log.made_by.sigma))


def titles(logs: Mapping[str, RecordedEvaluation]) -> dict[str, str]:
    """A title of each family of these logs, no longer than it takes to tell them apart."""
    classifiers = {_classifier(log) for log in logs.values() if log.made_by.classifier and _words(log) != "noise-trained"}
    found = {}
    for log in logs.values():
        words = _words(log)
        if log.made_by.classifier is None:
            words = family_of(log)
        elif len(classifiers) > 1 and words != "noise-trained":
            words = f"{_classifier(log)}, {words}"
        found[family_of(log)] = words
    return found


def denoiser_words(reference: str) -> str:
    """A word or two for a denoiser: what a bundled one was trained for, else its reference.

    >>> denoiser_words("bundled/cifar10-mse"), denoiser_words("none"), denoiser_words("classical/median")
    ('MSE', 'no denoiser', 'classical/median')
    """
    if reference == "none":
        return "no denoiser"
    bundled = reference if reference.startswith("bundled/") else ""
    return next((words for ending, words in _OBJECTIVES.items() if bundled.endswith(ending)), reference)


def usual_order(log: RecordedEvaluation) -> tuple[int, str, float]:
    """What to sort logs by: the bundled denoisers first, the strongest of them at the top; then sigma."""
    words = _words(log)
    rank = _ORDER.index(words) if words in _ORDER else len(_ORDER)
    return rank, family_of(log), log.made_by.sigma or 0.0


def title_of(log: RecordedEvaluation, family: str) -> str:
    """The family's title with what tells this log from its sisters."""
    made = log.made_by
    if made.classifier is None:
        return log.name
    sigma = "" if made.sigma is None else f", sigma {made.sigma:g}"
    return f"{family}{sigma}"


def by_family(logs: Mapping[str, RecordedEvaluation]) -> dict[str, dict[str, RecordedEvaluation]]:
    """The logs of each family by their keys, small sigma first."""
    found: dict[str, dict[str, RecordedEvaluation]] = {}
    for key, log in sorted(logs.items(), key=lambda item: item[1].made_by.sigma or 0.0):
        found.setdefault(family_of(log), {})[key] = log
    return {family: found[family] for family in dict.fromkeys(family_of(log) for log in logs.values())}


@dataclass(frozen=True)
class Cost:
    """What an image costs: noisy copies classified, None where the log does not say; seconds by the log's own clock."""

    samples: float | None
    seconds: float

    def dollars(self, price: float) -> float:
        """For a thousand images on a machine of this price an hour."""
        return 1000 * self.seconds / 3600 * price


def cost_of(log: RecordedEvaluation) -> Cost:
    """The mean over the log's images; where sampling stopped early, the samples that were taken."""
    made = log.made_by
    samples = None if made.samples is None else float(made.samples)
    if made.stops_early:
        taken = [log.votes[int(i)].n for i in log.outcomes.idx if int(i) in log.votes]
        samples = (made.n0 or 0) + float(np.mean(taken)) if len(taken) == len(log.outcomes) else None
    return Cost(samples, float(log.outcomes.seconds.mean()))


def shares_at(log: RecordedEvaluation, radius: float) -> tuple[float, float, float, float]:
    """Clean accuracy, certified accuracy at a radius, and the ends of the latter's interval."""
    summary = summarise(log.outcomes, [radius])
    return (summary.clean, summary.certified[float(radius)], *summary.interval[float(radius)])
