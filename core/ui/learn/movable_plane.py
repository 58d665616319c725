"""A plane whose point goes where it is pressed and can be dragged; the page answers while it moves."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from core.ui.figure import draw_figure

_RING = """
.ring {
  display: none; position: fixed; z-index: 10; box-sizing: border-box; width: 34px; height: 34px; border-radius: 50%;
  border: 3px solid var(--st-primary-color); transform: translate(-50%, -50%); pointer-events: none;
}
"""


def draw_movable_plane(figure: go.Figure, point: tuple[float, float], key: str, alt: str, name: str) -> None:
    """Draw a plane. A click or a drag moves the sliders ``x`` and ``y``, which are the keyboard's way to move the point.

    Streamlit's own clicks reach only points that are drawn, and it hears of no drag; hence a small script.

    Args:
        figure: made by :func:`core.figures.plane.plane_figure`, so that its axes run from 0 to 1.
        point: where the point is.
        key: unlike that of any other figure on the page.
        alt: what the figure shows, in a sentence or two.
        name: of the files, without ending.
    """
    dragged = f"{key}-drag"

    def moved() -> None:
        place = st.session_state[dragged]["place"]
        st.session_state["x"], st.session_state["y"] = (min(max(float(place[axis]), 0.0), 1.0) for axis in "xy")

    draw_figure(figure, key, alt, name)
    script = (Path(__file__).parent / "drag_point.js").read_text(encoding="utf-8")
    draggable = st.components.v2.component("draggable_point", css=_RING, js=script)
    draggable(data={"figure": key, "x": point[0], "y": point[1]}, key=dragged, on_place_change=moved)
