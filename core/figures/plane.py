"""The plane of the Learn page: decision regions, borders, points, clouds and circles, laid over each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.figures.template import styled
from core.learn.plane import CLASSES, Classes, Floats, centres, inside, margins, plane_network
from core.learn.smoothing_in_the_plane import Flip, field_axis, smoothed_field
from core.report.notation import BLUE, GREY, ORANGE, PINK, VERMILION

COLOURS = (BLUE, ORANGE)
SYMBOLS = ("circle", "diamond")
HEIGHT = 540
CLOUD = 300
"""Noisy copies that are drawn; more would hide each other."""


def plane_figure(title: str, *, training: bool = True) -> go.Figure:
    """The regions of the base classifier with their jagged border, and the points it was trained on."""
    field = margins()[inside(), inside()]
    axis = centres()[inside()]
    figure = go.Figure()
    figure.add_heatmap(
        x=axis,
        y=axis,
        z=(field > 0).astype(np.uint8),
        colorscale=[[0, BLUE], [1, ORANGE]],
        opacity=0.22,
        showscale=False,
        hoverinfo="skip",
        zmin=0,
        zmax=1,
    )
    # Far from the border the margin is of no interest, and bounded values make the line smooth.
    _add_border(figure, axis, np.clip(field, -2, 2), "border of the base classifier", {"color": GREY, "width": 1.5})
    if training:
        network = plane_network()
        for label in (0, 1):
            mine = network.points[network.learned == label]
            figure.add_scatter(
                x=mine[:, 0],
                y=mine[:, 1],
                mode="markers",
                name=f"trained as {CLASSES[label]}",
                hoverinfo="skip",
                marker={
                    "symbol": SYMBOLS[label],
                    "size": 5.5,
                    "color": COLOURS[label],
                    "line": {"color": "#FFFFFF", "width": 0.5},
                },
            )
    hidden = {"visible": False, "range": [0, 1], "constrain": "domain"}
    figure.update_xaxes(**hidden)
    figure.update_yaxes(**hidden, scaleanchor="x")
    figure = styled(figure, title, HEIGHT)
    return figure.update_layout(
        hovermode=False,
        margin={"l": 4, "r": 4, "b": 4},
        legend={"y": -0.02, "yanchor": "top", "font": {"size": 13}},
        dragmode=False,
    )


def add_smoothed_border(figure: go.Figure, sigma: float) -> None:
    """The border of the smoothed classifier, thick."""
    field, axis = smoothed_field(sigma), field_axis()
    shown = (axis > 0) & (axis < 1)
    _add_border(
        figure, axis[shown], field[np.ix_(shown, shown)] - 0.5, "border of the smoothed classifier", {"color": PINK, "width": 4}
    )


def add_point(figure: go.Figure, point: tuple[float, float], said: int) -> None:
    """The point in hand, large, in the shape of what the classifier says."""
    figure.add_scatter(
        x=[point[0]],
        y=[point[1]],
        mode="markers",
        name=f"the point: {CLASSES[said]}",
        hoverinfo="skip",
        marker={"symbol": SYMBOLS[said], "size": 18, "color": COLOURS[said], "line": {"color": "#FFFFFF", "width": 3}},
    )


def add_flip(figure: go.Figure, point: tuple[float, float], flip: Flip) -> None:
    """A line from the point to the nearest place of another class."""
    figure.add_scatter(
        x=[point[0], flip.place[0]],
        y=[point[1], flip.place[1]],
        mode="lines+markers",
        name=f"smallest flip: {flip.distance:.3f}",
        line={"color": VERMILION, "width": 3},
        hoverinfo="skip",
        marker={"symbol": ["circle", "x"], "size": [1, 12], "color": VERMILION},
    )


def add_cloud(figure: go.Figure, cloud: Floats, said: Classes) -> None:
    """The first of the noisy copies, in colour and shape of what the base classifier says of each."""
    for label in (0, 1):
        mine = cloud[:CLOUD][said[:CLOUD] == label]
        figure.add_scatter(
            x=mine[:, 0],
            y=mine[:, 1],
            mode="markers",
            name=f"noisy copy: {CLASSES[label]}",
            hoverinfo="skip",
            marker={"symbol": SYMBOLS[label], "size": 6, "color": COLOURS[label], "line": {"color": "#FFFFFF", "width": 0.7}},
        )


def add_circle(figure: go.Figure, point: tuple[float, float], radius: float, name: str, *, dashed: bool = False) -> None:
    """A circle around the point: solid and tinted for what is certified, dashed for what is only known here."""
    angle = np.linspace(0, 2 * np.pi, 181)
    figure.add_scatter(
        x=point[0] + radius * np.cos(angle),
        y=point[1] + radius * np.sin(angle),
        mode="lines",
        name=name,
        hoverinfo="skip",
        line={"color": PINK, "width": 2.5, "dash": "dash" if dashed else "solid"},
        fill=None if dashed else "toself",
        fillcolor="rgba(204, 121, 167, 0.25)",
    )


def _add_border(figure: go.Figure, axis: Floats, field: NDArray[np.floating], name: str, line: dict[str, Any]) -> None:
    figure.add_contour(
        x=axis,
        y=axis,
        z=field.astype(np.float32),
        contours={"start": 0, "end": 0, "size": 1, "coloring": "none"},
        line=line,
        name=name,
        showlegend=True,
        showscale=False,
        hoverinfo="skip",
    )
