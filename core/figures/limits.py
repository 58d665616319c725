"""What a certificate does not say, drawn: other norms, abstention, and the chance alpha."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from scipy import special

from core.figures.template import MAGNITUDES, styled
from core.learn.repeats import Repeats
from core.learn.smoothing_in_the_plane import field_axis, smoothed_field
from core.report.notation import BLUE, GREEN, GREY, ORANGE, PINK, VERMILION

HEIGHT = 420


def norm_balls(radius: float) -> go.Figure:
    """The certified l2 ball in the plane with the greatest l-infinity and l1 balls inside it."""
    angle = np.linspace(0, 2 * np.pi, 181)
    side = radius / math.sqrt(2)
    figure = go.Figure()
    for x, y, name, colour, dash in (
        (radius * np.cos(angle), radius * np.sin(angle), f"l2: {radius:.3f}", PINK, "solid"),
        (side * np.array([1, 1, -1, -1, 1]), side * np.array([1, -1, -1, 1, 1]), f"l-infinity: {side:.3f}", BLUE, "dash"),
        (radius * np.array([1, 0, -1, 0, 1]), radius * np.array([0, -1, 0, 1, 0]), f"l1: {radius:.3f}", ORANGE, "dot"),
    ):
        figure.add_scatter(
            x=x, y=y, mode="lines", line={"color": colour, "width": 3.5, "dash": dash}, name=name, hoverinfo="skip"
        )
    figure.add_scatter(
        x=[0],
        y=[0],
        mode="markers+text",
        marker={"size": 10, "color": GREY},
        text=["the point"],
        textposition="bottom center",
        showlegend=False,
        hoverinfo="skip",
    )
    span = [-1.25 * radius, 1.25 * radius]
    figure.update_xaxes(visible=False, range=span)
    figure.update_yaxes(visible=False, range=span, scaleanchor="x")
    return styled(figure, "One proof, three shapes", HEIGHT).update_layout(
        legend={"y": -0.02, "yanchor": "top"}, dragmode=False
    )


def radius_map(sigma: float, n: int, alpha: float) -> go.Figure:
    """The radius that n votes in their expected shares would certify, all over the plane; hatched where it would abstain."""
    axis = field_axis()
    shown = (axis > 0) & (axis < 1)
    share = smoothed_field(sigma)[np.ix_(shown, shown)].astype(np.float64)
    votes = np.floor(n * np.maximum(share, 1 - share))
    bound = special.betaincinv(votes, n - votes + 1, alpha)
    radius = np.where(bound > 0.5, sigma * special.ndtri(bound), np.nan)
    x = axis[shown]
    figure = go.Figure()
    figure.add_heatmap(
        x=x,
        y=x,
        z=radius.astype(np.float32),
        colorscale=MAGNITUDES,
        colorbar={"title": "radius", "thickness": 14},
        hovertemplate="radius %{z:.3f}<extra></extra>",
        hoverongaps=False,
    )
    rows, columns = np.nonzero(np.isnan(radius))
    thin = (rows % 4 == 0) & (columns % 4 == 0)
    figure.add_scatter(
        x=x[columns[thin]],
        y=x[rows[thin]],
        mode="markers",
        name="abstains",
        marker={"symbol": "x-thin", "size": 6, "line": {"width": 1.3, "color": GREY}},
        showlegend=True,
        hovertemplate="abstains<extra></extra>",
    )
    figure.update_xaxes(visible=False, range=[0, 1], constrain="domain")
    figure.update_yaxes(visible=False, range=[0, 1], scaleanchor="x")
    figure = styled(figure, f"Certified radius everywhere, from {n:,} votes", HEIGHT)
    return figure.update_layout(legend={"y": -0.02, "yanchor": "top"}, margin={"l": 4, "r": 4, "b": 4}, dragmode=False)


def share_abstaining(sigma: float, n: int, alpha: float) -> float:
    """The part of the unit square where n votes in their expected shares certify nothing."""
    axis = field_axis()
    shown = (axis > 0) & (axis < 1)
    share = smoothed_field(sigma)[np.ix_(shown, shown)].astype(np.float64)
    votes = np.floor(n * np.maximum(share, 1 - share))
    return float((special.betaincinv(votes, n - votes + 1, alpha) <= 0.5).mean())


def repeats_figure(repeats: Repeats, alpha: float) -> go.Figure:
    """Every bound as a mark, those above the truth apart in colour and shape."""
    figure = go.Figure()
    order = np.arange(repeats.bounds.size)
    wrong = repeats.bounds > repeats.p
    for mine, name, colour, symbol, size in (
        (~wrong, f"below the truth: {(~wrong).sum():,}", BLUE, "circle", 4),
        (wrong, f"above it, so wrong: {wrong.sum():,}", VERMILION, "x", 9),
    ):
        figure.add_scatter(
            x=order[mine],
            y=repeats.bounds[mine],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": size},
            hovertemplate="bound %{y:.4f}<extra></extra>",
        )
    figure.add_scatter(
        x=[0, order.size],
        y=[repeats.p, repeats.p],
        mode="lines",
        line={"color": GREEN, "width": 3, "dash": "dash"},
        name=f"the truth: {repeats.p:.4f}",
        hoverinfo="skip",
    )
    figure.update_xaxes(title="repetition")
    figure.update_yaxes(title="lower bound on p")
    figure = styled(figure, f"{order.size:,} certificates of one point, alpha = {alpha:g}", HEIGHT)
    return figure.update_layout(legend={"y": -0.2, "yanchor": "top"})
