"""The papers' table: one row for each choice of models, at each radius the best of their sigmas. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import LabError
from core.evaluation.curve import envelope, summarise
from core.evaluation.curve_table import share_text
from core.evaluation.families import by_family, titles, usual_order
from core.evaluation.published import PublishedCurve, published_curves
from core.evaluation.recorded import RecordedEvaluation
from core.evaluation.table_text import TextTable

CAPTION = (
    "Certified accuracy in percent, at each radius at the sigma that is best there: before it, in brackets, the clean accuracy"
    " of the smoothed classifier at that sigma; after it the 95% Clopper-Pearson interval over images, which does not know that"
    " the best of several sigmas was taken, and the sigma."
)


@dataclass(frozen=True)
class BestSigma:
    """What one choice of models reaches at a radius.

    Attributes:
        key: of the log that is best there.
        sigma: of its noise; None where it is not known.
        images: how many it holds.
        clean, certified: shares of all images.
        interval: of ``certified`` over images.
    """

    key: str
    sigma: float | None
    images: int
    clean: float
    certified: float
    interval: tuple[float, float]


def best_sigmas(logs: Mapping[str, RecordedEvaluation], radii: Sequence[float]) -> dict[str, dict[float, BestSigma]]:
    """By the title of the models, the bundled ones first: the best of their logs at each radius."""
    named = titles(logs)
    ordered = dict(sorted(logs.items(), key=lambda item: usual_order(item[1])))
    found = {}
    for family, members in by_family(ordered).items():
        summaries = {key: summarise(log.outcomes, radii) for key, log in members.items()}
        found[named[family]] = {
            radius: BestSigma(
                one.name,
                members[one.name].made_by.sigma,
                summaries[one.name].images,
                summaries[one.name].clean,
                one.certified,
                one.interval,
            )
            for radius, one in envelope(summaries, radii).items()
        }
    return found


def find_published(text: str, norm: str) -> list[PublishedCurve]:
    """The published curves of a norm that have ``text`` in their key, such as ``cifar10-salman``.

    Raises:
        LabError: where there is none; it names the keys.
    """
    of_norm = [curve for curve in published_curves() if curve.norm == norm]
    found = [curve for curve in of_norm if text in curve.key]
    if not found:
        known = ", ".join(curve.key for curve in of_norm) or "none"
        raise LabError(f"--published {text!r} is in no key of the published curves in {norm}. They are: {known}.")
    return found


def models_table(
    logs: Mapping[str, RecordedEvaluation], radii: Sequence[float], published: Sequence[PublishedCurve] = ()
) -> TextTable:
    """One row for the models of the logs, and one for each published curve below.

    Args:
        logs: by their keys, of one norm.
        radii: in [0, 1] pixel units.
        published: where a radius was not published, its cell is empty.
    """
    rows = []
    for title, best in best_sigmas(logs, radii).items():
        images = sorted({one.images for one in best.values()})
        cells = (_cell(best[radius]) for radius in map(float, radii))
        rows.append((title, " or ".join(map(str, images)), *cells))
    for curve in published:
        points = dict(curve.points)
        shares = (_published_cell(points.get(r), curve.clean.get(r)) for r in map(float, radii))
        rows.append((curve.name, str(curve.images or ""), *shares))
    return TextTable(("models", "images", *(f"r={r:g}" for r in radii)), tuple(rows), CAPTION)


def models_document(logs: Mapping[str, RecordedEvaluation], radii: Sequence[float]) -> dict[str, Any]:
    """The same figures for JSON: title -> radius -> log, sigma, clean, certified, interval."""
    return {
        title: {
            f"{radius:g}": {
                "path": one.key,
                "sigma": one.sigma,
                "images": one.images,
                "clean": one.clean,
                "certified": one.certified,
                "interval": one.interval,
            }
            for radius, one in best.items()
        }
        for title, best in best_sigmas(logs, radii).items()
    }


def _cell(best: BestSigma) -> str:
    sigma = "" if best.sigma is None else f" sigma {best.sigma:g}"
    return f"({100 * best.clean:.1f}) {share_text(best.certified, best.interval)}{sigma}"


def _published_cell(certified: float | None, clean: float | None) -> str:
    if certified is None:
        return ""
    return ("" if clean is None else f"({100 * clean:.3g}) ") + f"{100 * certified:.3g}%"
