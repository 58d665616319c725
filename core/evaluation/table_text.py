"""A table of text as CSV, Markdown, LaTeX, or columns for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

FORMATS = ("table", "csv", "markdown", "latex")
_SIGNS = {
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "≥": r"$\geq$",
    "σ": r"$\sigma$",
}


@dataclass(frozen=True)
class TextTable:
    """A head and rows of as many cells.

    Attributes:
        caption: one line, which LaTeX and Markdown carry along.
    """

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
        widths = [max(len(row[i]) for row in (self.head, *self.rows)) for i in range(len(self.head))]

        def line(cells: Sequence[str]) -> str:
            first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
            return "  ".join([cells[0].ljust(len(first)), *others]).rstrip() + "\n"

        return "".join(map(line, (self.head, *self.rows)))

    def as_csv(self) -> str:
        """Comma-separated, quoted where needed."""
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows((self.head, *self.rows))
        return file.getvalue()

    def as_markdown(self) -> str:
        """A table of GitHub's Markdown."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"

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


def latex_text(text: str) -> str:
    r"""Text in which LaTeX reads no commands.

    >>> latex_text("50%_a")
    '50\\%\\_a'
    """
    return "".join(_SIGNS.get(sign, sign) for sign in text)
