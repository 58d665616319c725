"""Tables of certified accuracy, in the manner of the papers, as CSV, Markdown, LaTeX, or columns for a terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.evaluation.curve import Best, CurveSummary, PublishedCurve, envelope
from core.evaluation.families import by_family, titles, usual_order
from core.evaluation.intervals import ANYTIME
from core.evaluation.recorded import RecordedEvaluation
from core.plain_text import csv_text, latex_text, named, plain
from core.smoothing.radius import asked_text, floored, raised

FORMATS = ("table", "csv", "markdown", "latex")


@dataclass(frozen=True)
class TextTable:
    """A head, rows of as many cells, and a caption of one line, which LaTeX and Markdown carry along."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def as_format(self, name: str) -> str:
        """By the name of one of :data:`FORMATS`; ends with a line's end."""
        return {"table": self.as_columns, "csv": self.as_csv, "markdown": self.as_markdown, "latex": self.as_latex}[name]()

    def as_columns(self) -> str:
        """Padded with spaces, numbers to the right.

        >>> print(TextTable(("log", "clean"), (("a", "7.0%"),)).as_columns(), end="")
        log  clean
        a     7.0%
        """
        rows = [[named(cell, "") for cell in row] for row in (self.head, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

        def line(cells: Sequence[str]) -> str:
            first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
            return "  ".join([cells[0].ljust(len(first)), *others]).rstrip() + "\n"

        return "".join(map(line, rows))

    def as_csv(self) -> str:
        """Comma-separated, quoted where needed."""
        return csv_text(self.head, self.rows)

    def as_markdown(self) -> str:
        """A table of GitHub's Markdown."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(map(plain, cells)) + " |\n"

        rule = "|---" + "|---:" * (len(self.head) - 1) + "|\n"
        caption = f"\n{self.caption}\n" if self.caption else ""
        return line(self.head) + rule + "".join(map(line, self.rows)) + caption

    def as_latex(self) -> str:
        """A table environment with rules of the package booktabs."""

        def line(cells: Sequence[str]) -> str:
            return "    " + " & ".join(map(latex_text, cells)) + r" \\" + "\n"

        caption = f"  \\caption{{{latex_text(self.caption)}}}\n" if self.caption else ""
        return (
            "% \\usepackage{booktabs}\n\\begin{table}\n  \\centering\n"
            f"{caption}  \\begin{{tabular}}{{l{'r' * (len(self.head) - 1)}}}\n    \\toprule\n{line(self.head)}    \\midrule\n"
            + "".join(map(line, self.rows))
            + "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n"
        )


CURVE_CAPTION = (
    "Certified accuracy: right with at least this radius, of all images; an abstention counts as wrong. In brackets the 95%"
    " Clopper-Pearson interval over images"
)
GROWING_CAPTION = ", where a log has all its images; of a growing one, an interval that holds at every moment"
BEST_CAPTION = " That of the best allows for the choice among so many logs (Bonferroni)."
ACR_CAPTION = " That of the mean radius (ACR) holds at every moment."


def curve_table(
    summaries: Mapping[str, CurveSummary],
    radii: Sequence[float],
    best: Mapping[str, Mapping[float, Best]] | None = None,
    sigmas: Mapping[str, float | None] | None = None,
) -> TextTable:
    """One row a log, and for each of ``best`` two of the best at each radius: what it reaches, and which log it is.

    Args:
        summaries: by the name that the row is to have.
        radii: those of the summaries that are to be shown.
        best: upper envelopes of some of them, by the name that the row is to have.
        sigmas: by the same names; a column where it is given.
    """
    extra = ("sigma",) if sigmas is not None else ()
    head = ("log", *extra, "images", "clean", "ACR", "abstained", *(f"r={asked_text(r)}" for r in radii))

    def sigma(name: str) -> tuple[str, ...]:
        if sigmas is None:
            return ()
        value = sigmas.get(name)
        return ("" if value is None else f"{value:g}",)

    rows: list[tuple[str, ...]] = []
    for name, s in summaries.items():
        acr = floored(s.acr, ".3f")
        if s.acr_interval is not None:
            low, high = s.acr_interval
            acr = f"{acr} ({floored(low, '.3f')}-{raised(high, '.3f')})"
        means = (str(s.images), f"{s.clean:.1%}", acr, f"{s.abstained:.1%}")
        rows.append((name, *sigma(name), *means, *(_share_text(s.certified[r], s.interval[r]) for r in radii)))
    blank = ("",) * (len(extra) + 4)
    for name, there in (best or {}).items():
        rows.append((name, *blank, *(_share_text(there[r].certified, there[r].interval) for r in radii)))
        rows.append(("reached by", *blank, *(_which(there[r].path, sigmas or {}) for r in radii)))
    growing = any(s.interval_method == ANYTIME for s in summaries.values())
    caption = CURVE_CAPTION + (GROWING_CAPTION if growing else "") + "." + (BEST_CAPTION if best else "")
    caption += ACR_CAPTION if any(s.acr_interval for s in summaries.values()) else ""
    return TextTable(head, tuple(rows), caption)


def _which(name: str, sigmas: Mapping[str, float | None]) -> str:
    """The log's sigma, where no other log has the same; else its name."""
    sigma = sigmas.get(name)
    return f"sigma {sigma:g}" if sigma is not None and list(sigmas.values()).count(sigma) == 1 else name


def _share_text(share: float, interval: tuple[float, float]) -> str:
    """A share in per cent, with its interval.

    >>> _share_text(0.6, (0.555, 0.643))
    '60.0% (55.5-64.3)'
    """
    return f"{share:.1%} ({100 * interval[0]:.1f}-{100 * interval[1]:.1f})"


MODELS_CAPTION = (
    "Certified accuracy in percent, at each radius at the sigma that is best there: before it, in brackets, the clean accuracy"
    " of the smoothed classifier at that sigma; after it the 95% interval over images, which allows for the choice among the"
    " sigmas, and the sigma."
)


def best_sigmas(logs: Mapping[str, RecordedEvaluation], radii: Sequence[float]) -> dict[str, dict[float, Best]]:
    """By the title of the models, the bundled ones first: the best of their logs at each radius."""
    family_titles = titles(logs)
    ordered = dict(sorted(logs.items(), key=lambda item: usual_order(item[1])))
    return {family_titles[family]: envelope(members, radii) for family, members in by_family(ordered).items()}


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
    return TextTable(("models", "images", *(f"r={asked_text(r)}" for r in radii)), tuple(rows), MODELS_CAPTION)


def models_document(logs: Mapping[str, RecordedEvaluation], radii: Sequence[float]) -> dict[str, Any]:
    """The same figures for JSON: title -> radius -> path, sigma, images, clean, certified, interval."""
    return {
        title: {f"{asked_text(radius)}": asdict(one) for radius, one in best.items()}
        for title, best in best_sigmas(logs, radii).items()
    }


def _cell(best: Best) -> str:
    sigma = "" if best.sigma is None else f" sigma {best.sigma:g}"
    return f"({100 * best.clean:.1f}) {_share_text(best.certified, best.interval)}{sigma}"


def _published_cell(certified: float | None, clean: float | None) -> str:
    if certified is None:
        return ""
    return ("" if clean is None else f"({100 * clean:.3g}) ") + f"{100 * certified:.3g}%"
