r"""What strangers wrote, on every surface: a label, a model's card, the name of a file, log or run, a value of a link.

Whoever made a model or sent a file chose these texts. Each surface has its one function here, after which nothing in them is
read as a link, a picture, a command, a formula, or as a line of its own.
"""

import csv
import html
import io
import re
from collections.abc import Iterable, Mapping

from core.errors import one_line

LONGEST_NAME = 80
"""Of a label or a name among other words."""
_WORD_JOINER = "\u2060"
_MARKDOWN = re.compile(r"([\\`*_\[\]<>~$&#|]|^[-+=])")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
_AFTERWARDS = re.compile(r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?=@)|(?<=[-<])(?=[->])", re.IGNORECASE)
_LATEX = {sign: rf"\{sign}" for sign in "&%_#${}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "≥": r"$\geq$",
    "σ": r"$\sigma$",
}


def named(text: str, missing: str = "unnamed", longest: int = LONGEST_NAME) -> str:
    r"""For a terminal, an option, a cell: a label or a name on one line, short enough to stand among other words, never empty.

    >>> named("cat\x1b[31m\nnote: \u202edog"), len(named("cat" * 100)), named(" ")
    ('cat [31m note: \ufffddog', 80, 'unnamed')
    """
    line = " ".join(one_line(text[: 4 * longest]).split())
    return (line if len(line) <= longest else f"{line[: longest - 1]}…") or missing


def plain(text: str) -> str:
    r"""For Markdown, as Streamlit reads it.

    It looks for addresses, arrows, and emoji and icons between colons, after it has read Markdown, when the backslashes are
    gone; a sign without a shape (U+2060) keeps these apart.

    >>> print(plain("![x](http://a/b.png)").replace("\u2060", "|"))
    !\[x\](http:|//a/b.png)
    """
    line = _AFTERWARDS.sub(_WORD_JOINER, re.sub(r"^\s+", " ", one_line(text)))
    return _NUMBERED.sub(r"\1\\\2", _MARKDOWN.sub(r"\\\1", line))


def html_text(text: str) -> str:
    """For HTML, between tags and within quoted attributes.

    >>> html_text('<img src="x">')
    '&lt;img src=&quot;x&quot;&gt;'
    """
    return html.escape(one_line(text))


def figure_text(text: str) -> str:
    """For the texts of a Plotly figure, which reads a few tags of HTML, and in what it shows of a mark templates.

    >>> figure_text("<a href='http://a'>in</a> %{x}")
    '&lt;a href=&#x27;http://a&#x27;&gt;in&lt;/a&gt; %&#123;x}'
    """
    return html.escape(named(text, longest=120)).replace("%{", "%&#123;")


def latex_text(text: str) -> str:
    r"""For LaTeX, which reads no commands in it.

    >>> latex_text("50%_a")
    '50\\%\\_a'
    """
    return "".join(_LATEX.get(sign, sign) for sign in one_line(text))


def csv_text(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Comma-separated values with a header, quoted where needed; None is an empty cell.

    What a spreadsheet would compute, had a stranger begun it with a sign of arithmetic, begins with an apostrophe.

    >>> csv_text(("label", "n"), [("=1+1", -3), ("-0.5", None)])
    "label,n\\n'=1+1,-3\\n-0.5,\\n"
    """
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([csv_cell(value) for value in row] for row in (head, *rows))
    return file.getvalue()


def csv_cell(value: object) -> object:
    """One of its cells; numbers, and texts that are numbers, stay as they are."""
    if not isinstance(value, str):
        return value
    cell = one_line(value)
    computed = cell.lstrip()[:1] in tuple("=+-@") and not re.fullmatch(r"[+-]?[\d.,]+(e[+-]?\d+)?%?", cell)
    return f"'{cell}" if computed else cell


def cells(rows: Iterable[Mapping[str, object]]) -> list[dict[str, object]]:
    """Rows of a table on a page, which Streamlit's own button saves as CSV, too."""
    return [{name: csv_cell(value) for name, value in row.items()} for row in rows]


def file_name(text: str, missing: str = "file") -> str:
    """For the name of a file, without its ending: no separators, nothing hidden, nothing that a disk would trip over.

    >>> file_name("../stab 0.25: first try")
    'stab 0.25- first try'
    """
    kept = "".join(sign if sign.isalnum() or sign in " ._-" else "-" for sign in one_line(text))
    return kept.strip(" .-")[:100].rstrip(" .-") or missing
