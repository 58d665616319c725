"""The plane of the Learn page: decision regions, borders, points, clouds and circles, laid over each other."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.figures.balls import outline
from core.figures.template import MAGNITUDES, add_line, styled, tint
from core.learn.plane import CLASSES, Classes, Floats, centres, inside, margins, plane_network
from core.learn.smoothing_in_the_plane import Flip, expected_radii, smoothed_square
from core.report.notation import BLUE, GREY, ORANGE, PINK, VERMILION

COLOURS = (BLUE, ORANGE)
SHAPES = ("circle", "diamond")
CLOUD = 300
"""Noisy copies that are drawn; more would hide each other."""
_LAYOUT = {"margin": {"l": 4, "r": 4, "b": 4}, "dragmode": False}


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
    _add_border(figure, axis, np.clip(field, -2, 2), name="border of the base classifier", colour=GREY, width=1.5)
    if training:
        network = plane_network()
        for label, name in enumerate(CLASSES):
            mine = network.points[network.learned == label]
            _add_points(figure, mine, label, name=f"trained as {name}", size=5.5, edge=0.5)
    _square(figure)
    return styled(figure, title, 540, legend_at=-0.02, legend_font_size=13, hovermode=False, **_LAYOUT)


def add_smoothed_border(figure: go.Figure, sigma: float) -> None:
    """The border of the smoothed classifier, thick."""
    axis, share = smoothed_square(sigma)
    _add_border(figure, axis, share - 0.5, name="border of the smoothed classifier", colour=PINK, width=4)


def add_point(figure: go.Figure, point: tuple[float, float], said: int) -> None:
    """The point in hand, large, in the shape of what the classifier says."""
    _add_points(figure, np.array([point]), said, name=f"the point: {CLASSES[said]}", size=18, edge=3)


def add_flip(figure: go.Figure, point: tuple[float, float], flip: Flip) -> None:
    """A line from the point to the nearest place of another class."""
    x, y = zip(point, flip.place, strict=True)
    marker = {"symbol": ["circle", "x"], "size": [1, 12], "color": VERMILION}
    name = f"smallest flip: {flip.distance:.3f}"
    add_line(figure, x, y, name=name, colour=VERMILION, mode="lines+markers", marker=marker)


def add_cloud(figure: go.Figure, cloud: Floats, said: Classes) -> None:
    """The first of the noisy copies, in colour and shape of what the base classifier says of each."""
    for label, name in enumerate(CLASSES):
        mine = cloud[:CLOUD][said[:CLOUD] == label]
        _add_points(figure, mine, label, name=f"noisy copy: {name}", size=6, edge=0.7)


def add_circle(figure: go.Figure, point: tuple[float, float], radius: float, name: str, *, dashed: bool = False) -> None:
    """A circle around the point: solid and tinted for what is certified, dashed for what is only known here."""
    x, y = outline("l2", radius)
    line = {"color": PINK, "width": 2.5, "dash": "dash" if dashed else "solid"}
    fill = {} if dashed else {"fill": "toself", "fillcolor": tint(PINK, 0.25)}
    figure.add_scatter(x=point[0] + x, y=point[1] + y, mode="lines", name=name, hoverinfo="skip", line=line, **fill)


def radius_map(sigma: float, n: int, alpha: float) -> go.Figure:
    """The radius that n votes in their expected shares would certify, all over the plane; hatched where it would abstain."""
    axis, radius = expected_radii(sigma, n, alpha)
    figure = go.Figure()
    figure.add_heatmap(
        x=axis,
        y=axis,
        z=radius.astype(np.float32),
        colorscale=MAGNITUDES,
        colorbar={"title": "radius", "thickness": 14},
        hovertemplate="radius %{z:.3f}<extra></extra>",
        hoverongaps=False,
    )
    rows, columns = np.nonzero(np.isnan(radius))
    thin = (rows % 4 == 0) & (columns % 4 == 0)
    figure.add_scatter(
        x=axis[columns[thin]],
        y=axis[rows[thin]],
        mode="markers",
        name="abstains",
        marker={"symbol": "x-thin", "size": 6, "line": {"width": 1.3, "color": GREY}},
        showlegend=True,
        hovertemplate="abstains<extra></extra>",
    )
    _square(figure)
    return styled(figure, f"Certified radius everywhere, from {n:,} votes", 420, legend_at=-0.02, **_LAYOUT)


def _square(figure: go.Figure) -> None:
    """Axes from 0 to 1, unseen and equal."""
    figure.update_xaxes(visible=False, range=[0, 1], constrain="domain")
    figure.update_yaxes(visible=False, range=[0, 1], constrain="domain", scaleanchor="x")


def _add_points(figure: go.Figure, points: Floats, label: int, *, name: str, size: float, edge: float) -> None:
    """(N, 2) points in colour and shape of a class."""
    line = {"color": "#FFFFFF", "width": edge}
    marker = {"symbol": SHAPES[label], "size": size, "color": COLOURS[label], "line": line}
    figure.add_scatter(x=points[:, 0], y=points[:, 1], mode="markers", name=name, hoverinfo="skip", marker=marker)


def _add_border(figure: go.Figure, axis: Floats, field: NDArray[np.floating], *, name: str, colour: str, width: float) -> None:
    figure.add_contour(
        x=axis,
        y=axis,
        z=field.astype(np.float32),
        contours={"start": 0, "end": 0, "size": 1, "coloring": "none"},
        line={"color": colour, "width": width},
        name=name,
        showlegend=True,
        showscale=False,
        hoverinfo="skip",
    )
