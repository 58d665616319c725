"""A figure on a page, with its text for those who cannot see it and the ways to take it along."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from core.ui.presenter import presenting

GROUND, INK = "#FFFFFF", "#1B2733"
FORMATS = {"svg": "SVG", "png": "PNG"}


def draw_figure(figure: go.Figure, key: str, alt: str, name: str, *, on_select: Callable[[], None] | None = None) -> None:
    """Draw a figure; offer it as SVG or PNG (Plotly's camera) and as a page of HTML that works by itself.

    Args:
        key: unlike that of any other figure on the page; a click's selection is found in the session's state under it.
        alt: what the figure shows, in a sentence or two.
        name: of the files, without ending.
        on_select: called after a click on a point, before the page runs again; None where clicks mean nothing.
    """
    chosen = str(st.session_state.get(f"{key}-format") or "svg")
    config: dict[str, Any] = {
        "displaylogo": False,
        "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
        "toImageButtonOptions": {"format": chosen, "filename": name, "scale": 2 if chosen == "png" else 1},
    }
    if presenting():
        figure = go.Figure(figure).update_layout(
            font_size=20, title_font_size=22, height=1.15 * (figure.layout.height or 450), legend_font_size=18
        )  # fmt: skip
    if on_select is None:
        st.plotly_chart(figure, config=config, key=key, alt=alt)
    else:
        st.plotly_chart(figure, config=config, key=key, alt=alt, on_select=on_select, selection_mode="points")
    with st.popover("Save the figure", icon=":material/download:", type="tertiary"):
        st.segmented_control(
            "The camera above the figure saves a", list(FORMATS), default="svg", required=True, format_func=FORMATS.__getitem__,
            key=f"{key}-format", persist_state="session",
        )  # fmt: skip
        st.download_button(
            "Interactive HTML", lambda: stand_alone(figure, alt, name), f"{name}.html", "text/html", key=f"{key}-html",
            on_click="ignore", icon=":material/public:", help="About 5 MB: the file brings its own plotting library along.",
        )  # fmt: skip


def stand_alone(figure: go.Figure, alt: str, name: str) -> str:
    """A page of HTML with the figure in it, which needs no network and no other file; always on a light ground."""
    light = go.Figure(figure).update_layout(
        paper_bgcolor=GROUND, plot_bgcolor=GROUND, font_color=INK, height=None, autosize=True
    )  # fmt: skip
    chart = light.to_html(
        include_plotlyjs=True, full_html=False, default_height="80vh",
        config={"displaylogo": False, "responsive": True, "toImageButtonOptions": {"format": "svg", "filename": name}},
    )  # fmt: skip
    words = html.escape(alt)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(name)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>\n'
        f'<body style="background:{GROUND};color:{INK};font-family:sans-serif;margin:1rem">\n'
        f'<figure role="img" aria-label="{words}" style="margin:0">{chart}<figcaption>{words}</figcaption></figure>\n'
        "</body></html>\n"
    )
