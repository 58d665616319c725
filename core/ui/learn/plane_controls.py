"""The controls that the chapters about the plane share: where the point is, sigma, votes, alpha. All are part of the link."""

from __future__ import annotations

import streamlit as st

from core.ui.linked import linked_slider

START = (0.5, 0.3)
SIGMA, VOTES, ALPHA = 0.1, 1_000, 0.001
VOTE_COUNTS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
ALPHAS = (0.05, 0.01, 0.001, 0.0001)


def choose_point() -> tuple[float, float]:
    """Two sliders, which a click or a drag on the figure moves too."""
    left, right = st.columns(2)
    x = left.slider("Point, left to right", 0.0, 1.0, START[0], 0.005, key="x", bind="query-params", format="%.3f")
    y = right.slider("Point, bottom to top", 0.0, 1.0, START[1], 0.005, key="y", bind="query-params", format="%.3f")
    return float(x), float(y)


def choose_plane_sigma() -> float:
    """Sigma from 0 up, in units of the plane's side."""
    sigma = linked_slider(
        "Noise sigma",
        (0.0, 0.3),
        SIGMA,
        "plane-sigma",
        step=0.01,
        help="Standard deviation of the noise along each axis; the plane's side is 1.",
    )
    return float(sigma)


def choose_votes() -> int:
    """How many noisy copies vote."""
    n = st.select_slider("n: votes counted", VOTE_COUNTS, VOTES, key="plane-n", bind="query-params")
    return int(n)


def choose_alpha() -> float:
    """The chance that the bound may be wrong."""
    alpha = st.select_slider(
        "alpha: chance of a wrong bound", ALPHAS, ALPHA, format_func=lambda a: f"{a:g}", key="plane-alpha", bind="query-params"
    )
    return float(alpha)
