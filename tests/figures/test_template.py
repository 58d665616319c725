"""What all figures have: the page of HTML that they are saved as."""

from __future__ import annotations

import re

import plotly.graph_objects as go

from core.figures.template import stand_alone


def test_a_saved_figure_needs_nothing_else() -> None:
    saved = stand_alone([(go.Figure(go.Scatter(y=[1, 2])), 'words with "quotes" & <signs>')], "name")
    assert saved.startswith("<!DOCTYPE html>")
    assert len(saved) > 1_000_000
    assert "words with &quot;quotes&quot; &amp; &lt;signs&gt;" in saved
    assert not re.search(r"<script[^>]+src=", saved)
