"""Certified accuracy of several logs as a table, in the manner of the papers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.evaluation.curve import Best, CurveSummary
from core.evaluation.table_text import TextTable

CAPTION = (
    "Certified accuracy: right with at least this radius, of all images; an abstention counts as wrong. In brackets the 95%"
    " Clopper-Pearson interval over images."
)


def curve_table(
    summaries: Mapping[str, CurveSummary],
    radii: Sequence[float],
    best: Mapping[str, Mapping[float, Best]] | None = None,
    sigmas: Mapping[str, float | None] | None = None,
    *,
    intervals: bool = True,
) -> TextTable:
    """One row a log, and for each of ``best`` two of the best at each radius: what it reaches, and which log it is.

    Args:
        summaries: by the name that the row is to have.
        radii: those of the summaries that are to be shown.
        best: upper envelopes, by the name that the row is to have.
        sigmas: by the same names; a column where it is given.
        intervals: whether shares have theirs in brackets.
    """
    extra = ("sigma",) if sigmas is not None else ()
    head = ("log", *extra, "images", "clean", "ACR", "abstained", *(f"r={r:g}" for r in radii))

    def sigma(name: str) -> tuple[str, ...]:
        if sigmas is None:
            return ()
        value = sigmas.get(name)
        return ("" if value is None else f"{value:g}",)

    rows = [
        (
            name,
            *sigma(name),
            str(s.images),
            f"{s.clean:.1%}",
            f"{s.acr:.3f}",
            f"{s.abstained:.1%}",
            *(share_text(s.certified[r], s.interval[r], intervals) for r in radii),
        )
        for name, s in summaries.items()
    ]
    blank = ("",) * (len(extra) + 4)
    for name, there in (best or {}).items():
        rows.append((name, *blank, *(share_text(there[r].certified, there[r].interval, intervals) for r in radii)))
        rows.append(("reached by", *blank, *(_which(there[r], sigmas) for r in radii)))
    return TextTable(head, tuple(rows), CAPTION if intervals else CAPTION.partition(" In brackets")[0])


def _which(best: Best, sigmas: Mapping[str, float | None] | None) -> str:
    """The log's sigma, where no other log has the same; else its name."""
    known = list((sigmas or {}).values())
    sigma = (sigmas or {}).get(best.name)
    return f"sigma {sigma:g}" if sigma is not None and known.count(sigma) == 1 else best.name


def share_text(share: float, interval: tuple[float, float], with_interval: bool = True) -> str:
    """A share in per cent, with its interval.

    >>> share_text(0.6, (0.555, 0.643))
    '60.0% (55.5-64.3)'
    """
    text = f"{share:.1%}"
    return f"{text} ({100 * interval[0]:.1f}-{100 * interval[1]:.1f})" if with_interval else text
