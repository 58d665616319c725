"""The plane of the first chapters: its controls, which are part of the link, and a point that goes where it is dragged."""

from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from core.ui.figure import draw_figure
from core.ui.linked import ALPHAS, linked_slider

START = (0.5, 0.3)
SIGMA, VOTES, ALPHA = 0.1, 1_000, 0.001
VOTE_COUNTS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
_RING = """
.ring {
  display: none; position: fixed; z-index: 10; box-sizing: border-box; width: 34px; height: 34px; border-radius: 50%;
  border: 3px solid var(--st-primary-color); transform: translate(-50%, -50%); pointer-events: none;
}
"""


def choose_point() -> tuple[float, float]:
    """Two sliders, which a click or a drag on the figure moves too."""
    left, right = st.columns(2)
    with left:
        x = linked_slider("Point, left to right", (0.0, 1.0), START[0], "x", step=0.005, format="%.3f")
    with right:
        y = linked_slider("Point, bottom to top", (0.0, 1.0), START[1], "y", step=0.005, format="%.3f")
    return x, y


def choose_plane_sigma() -> float:
    """Sigma from 0 up, in units of the plane's side."""
    return linked_slider(
        "Noise sigma",
        (0.0, 0.3),
        SIGMA,
        "plane-sigma",
        step=0.01,
        help="Standard deviation of the noise along each axis; the plane's side is 1.",
    )


def choose_votes() -> int:
    """How many noisy copies vote."""
    n = st.select_slider("n: votes counted", VOTE_COUNTS, VOTES, key="plane-n", bind="query-params")
    return int(n)


def choose_plane_alpha() -> float:
    """The chance that the bound may be wrong."""
    alpha = st.select_slider(
        "alpha: chance of a wrong bound", ALPHAS, ALPHA, format_func=lambda a: f"{a:g}", key="plane-alpha", bind="query-params"
    )
    return float(alpha)


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
