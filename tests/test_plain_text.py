"""Strangers' text: each surface's own function, against one text that attacks all of them."""

from __future__ import annotations

import csv
import html
import io

import pytest

from core.plain_text import csv_cell, csv_text, figure_text, file_name, html_text, latex_text, named, plain
from tests.strangers_text import INVISIBLE, LONG, POLYGLOT, is_live


@pytest.mark.parametrize("shown", [named, plain, html_text, figure_text, latex_text, file_name])
def test_no_surface_shows_what_cannot_be_seen_a_second_line_or_a_flood(shown) -> None:
    for text in (POLYGLOT, LONG, f"\n{POLYGLOT}\r\n", "\u2028a\u0085b\x1b]0;title\x07"):
        assert not INVISIBLE.search(shown(text))
        assert "\n" not in shown(text)
        assert len(shown(text)) < 3_000
    assert [len(named(LONG)), len(named(" \n\t"))] == [80, len("unnamed")]


UNSEEN = "\u200b\ufeff\u00ad\u3164\u115f\u2800\u180e\u2063\u206a\ufff9\U000e0041\U0001d173"


@pytest.mark.parametrize("shown", [named, plain, html_text, figure_text, latex_text, file_name, csv_cell])
@pytest.mark.parametrize("sign", UNSEEN, ids=ascii)
def test_what_is_not_seen_makes_no_two_names_look_alike(shown, sign: str) -> None:
    assert sign not in shown(f"ca{sign}t")
    assert shown(f"ca{sign}t") != shown("cat"), "it is seen that something is there"


@pytest.mark.parametrize("name", ["می\u200cخواهم", "👨\u200d👩\u200d👧", "❤\ufe0f", "क्\u200dष"])
def test_what_joins_letters_and_emoji_stays(name: str) -> None:
    assert [named(name), plain(name), html_text(name)] == 3 * [name]


def test_markdown_has_no_link_picture_colour_code_or_formula_of_a_strangers() -> None:
    assert is_live("Markdown.body", POLYGLOT)  # the yardstick itself
    assert not is_live("Markdown.body", plain(POLYGLOT))
    assert plain("1. one") == r"1\. one"
    assert [plain(f"{sign} x")[:1] for sign in "-+=#>*"] == ["\\"] * 6
    assert plain("    code").startswith(" code")
    assert plain("CIFAR-10 at 0.25: 60.0% (55.5-64.3)") == "CIFAR-10 at 0.25: 60.0% (55.5-64.3)"


def test_html_and_figures_have_no_tag_and_no_template() -> None:
    assert html.unescape(html_text(POLYGLOT)).startswith("=1 ![i](http://e.example/)<a href=//e.example>")
    for text in (html_text(POLYGLOT), figure_text(POLYGLOT)):
        assert "<" not in text
    assert "%{" not in figure_text("%{customdata[0]}")
    assert '"' not in html_text('" onmouseover="alert(1)')


def test_latex_reads_no_command() -> None:
    assert latex_text(r"\input{/etc/passwd}%") == r"\textbackslash{}input\{/etc/passwd\}\%"
    assert latex_text("$a$ & b~c^d # _") == r"\$a\$ \& b\textasciitilde{}c\textasciicircum{}d \# \_"


def test_a_spreadsheet_computes_nothing_and_numbers_stay_numbers() -> None:
    attacks = [POLYGLOT, "+1+1", "-1+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", " =1"]
    cells = [row[0] for row in csv.reader(io.StringIO(csv_text(["label"], [[text] for text in attacks])))][1:]
    assert len(cells) == len(attacks)
    assert all(cell.startswith("'") for cell in cells)
    numbers = ["-0.5", "+1e-3", "-12%", "1,000", "a=b", ""]
    assert list(csv.reader(io.StringIO(csv_text(numbers, [[-3, None, 0.5, "x", "y", "z"]])))) == [
        numbers,
        ["-3", "", "0.5", "x", "y", "z"],
    ]


@pytest.mark.parametrize(
    ("name", "safe"),
    [("../../etc/passwd", "etc-passwd"), (".bashrc", "bashrc"), ("a/b\\c:d.png", "a-b-c-d.png"), ("///", "file")],
)
def test_names_of_files_stay_in_their_folder(name: str, safe: str) -> None:
    assert file_name(name) == safe
    assert file_name("naïve 猫-1.2_b") == "naïve 猫-1.2_b"
    assert len(file_name(LONG)) <= 100
