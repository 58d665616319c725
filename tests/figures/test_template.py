"""What all figures have: the page of HTML that they are saved as."""

from __future__ import annotations

import re

import plotly.graph_objects as go

from core.figures.certificate import icon_array, vote_bars
from core.figures.template import stand_alone
from tests.strangers_text import POLYGLOT


def test_a_saved_figure_needs_nothing_else() -> None:
    saved = stand_alone([(go.Figure(go.Scatter(y=[1, 2])), 'words with "quotes" & <signs>')], "name")
    assert saved.startswith("<!DOCTYPE html>")
    assert len(saved) > 1_000_000
    assert "words with &quot;quotes&quot; &amp; &lt;signs&gt;" in saved
    assert not re.search(r"<script[^>]+src=", saved)


def test_a_page_that_stands_alone_runs_nothing_of_a_strangers() -> None:
    attack = "</script><script>owned()</script><img src=x onerror=owned()>"
    page = stand_alone(
        [(vote_bars([3, 1], (attack, POLYGLOT)), attack), (icon_array([3, 1], (attack, POLYGLOT)), POLYGLOT)], attack
    )
    own = page.replace("owned()", "")
    assert "<script>owned" not in page
    assert "<img src=x" not in page
    assert own.count("<script") == own.count("</script>")
