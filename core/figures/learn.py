"""Figures of the Learn page: the plane in layers, from votes to a bound, from the bound to a radius, how often it is wrong."""

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import special

from core.figures.balls import outline
from core.figures.template import MAGNITUDES, add_area, add_line, add_marks, styled, tint
from core.learn.plane import CLASSES, Classes, Floats, centres, inside, margins, plane_network
from core.learn.smoothing_in_the_plane import Flip, Repeats, expected_radii, smoothed_square
from core.report.notation import BLUE, GREEN, GREY, ORANGE, PINK, VERMILION
from core.smoothing.radius import floored

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
    regions = {"colorscale": [[0, BLUE], [1, ORANGE]], "opacity": 0.22, "zmin": 0, "zmax": 1}
    figure.add_heatmap(x=axis, y=axis, z=(field > 0).astype(np.uint8), showscale=False, hoverinfo="skip", **regions)
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
    told = {"customdata": np.floor(1000 * radius) / 1000, "hovertemplate": "radius %{customdata:.3f}<extra></extra>"}
    look = {"colorscale": MAGNITUDES, "colorbar": {"title": "radius", "thickness": 14}, "hoverongaps": False}
    figure.add_heatmap(x=axis, y=axis, z=radius.astype(np.float32), **told, **look)
    rows, columns = np.nonzero(np.isnan(radius))
    thin = (rows % 4 == 0) & (columns % 4 == 0)
    x, y, marker = axis[columns[thin]], axis[rows[thin]], {"symbol": "x-thin", "size": 6, "line": {"width": 1.3, "color": GREY}}
    add_marks(figure, x, y, name="abstains", marker=marker, hover="abstains<extra></extra>", showlegend=True)
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
    add_marks(figure, points[:, 0], points[:, 1], name=name, marker=marker)


def _add_border(figure: go.Figure, axis: Floats, field: NDArray[np.floating], *, name: str, colour: str, width: float) -> None:
    look: dict[str, Any] = {
        "contours": {"start": 0, "end": 0, "size": 1, "coloring": "none"},
        "line": {"color": colour, "width": width},
    }
    look |= {"showlegend": True, "showscale": False, "hoverinfo": "skip"}
    figure.add_contour(x=axis, y=axis, z=field.astype(np.float32), name=name, **look)


HEIGHT = 340


def posterior_figure(k: int, n: int, alpha: float) -> go.Figure:
    """The density of Beta(k, n - k + 1), whose alpha-quantile is the lower Clopper-Pearson bound of k votes of n."""
    figure = go.Figure()
    if k == 0:
        figure.add_annotation(text="No vote for the class: the bound is 0.", showarrow=False, x=0.5, y=0.5)
        figure.update_xaxes(range=[0, 1])
        return styled(figure, "What the votes say about p", HEIGHT)
    a, b = k, n - k + 1
    bound, tail, end = (float(special.betaincinv(a, b, share)) for share in (alpha, alpha / 10, 0.9999))
    left, right = min(0.48, tail - 0.02), min(1.0, end + 0.02)
    p = np.unique(np.concatenate([np.linspace(max(left, 1e-6), min(right, 1 - 1e-9), 500), [bound]]))
    density = np.exp((a - 1) * np.log(p) + (b - 1) * np.log1p(-p) - special.betaln(a, b))
    top = float(density.max())
    add_line(figure, p, density, name="density", colour=BLUE)
    below = p <= bound
    add_area(figure, p[below], density[below], tint(VERMILION, 0.5), name=f"alpha = {alpha:g} of the area")
    span = (float(p[0]), max(right, 0.52))
    for x, text, colour, dash, height in (
        (bound, f"bound {bound:.4f}", VERMILION, "solid", 1.06),
        (k / n, f"votes {k / n:.4f}", BLUE, "dash", 1.22),
        (0.5, "one half", GREY, "dot", 0.9),
    ):
        anchor = "right" if x > sum(span) / 2 else "left"
        _add_mark(figure, x, height * top, text=text, colour=colour, dash=dash, anchor=anchor)
    figure.update_xaxes(title="p: the class's share of all noise", range=span)
    figure.update_yaxes(visible=False, range=[0, 1.4 * top])
    return styled(figure, f"{k:,} of {n:,} votes, and what they say about p", HEIGHT, showlegend=False)


def posterior_alt(k: int, n: int, alpha: float, p_lower: float) -> str:
    """What it shows, in words."""
    side = "above" if p_lower > 0.5 else "at or below"
    return (
        f"Density curve over p after {k:,} of {n:,} votes. The share alpha = {alpha:g} of its area lies left of the lower bound"
        f" {floored(p_lower, '.4f')}, which is {side} one half; the share of the votes is {k / n:.4f}."
    )


def shift_figure(p_lower: float, sigma: float, shift: float) -> go.Figure:
    """The worst case along the line of the attack: a half-space that holds p of the noise, and the noise once it is shifted.
    ``p_lower`` is above 1/2 and below 1."""
    border, left = _shifted(p_lower, sigma, shift)
    x = np.linspace(-3.2 * sigma, max(border, shift) + 3.2 * sigma, 400)
    kept = x <= border
    figure = go.Figure()
    for centre, colour, name, dash, opacity in (
        (0.0, BLUE, f"noise at the point: {p_lower:.1%} in the half-space", "solid", 0.25),
        (shift, ORANGE, f"noise after the shift: {left:.1%} in it", "dash", 0.35),
    ):
        density = _normal(x, centre, sigma)
        add_area(figure, x[kept], density[kept], tint(colour, opacity))
        add_line(figure, x, density, name=name, colour=colour, dash=dash)
    top = 1 / (sigma * math.sqrt(2 * math.pi))
    text = f"half-space ends at R = {border:.3f}"
    _add_mark(figure, border, 1.12 * top, text=text, colour=PINK, dash="solid", anchor="left")
    figure.update_xaxes(title="along the direction of the attack")
    figure.update_yaxes(visible=False, range=[0, 1.3 * top])
    below = {"orientation": "v", "y": -0.3, "yanchor": "top"}
    return styled(figure, f"Shifted by {shift:.3f}", HEIGHT + 50, legend=below)


def shift_alt(p_lower: float, sigma: float, shift: float) -> str:
    """What it shows, in words."""
    border, left = _shifted(p_lower, sigma, shift)
    return (
        f"Two bell curves of width {sigma:g}. Of the one at the point, {p_lower:.1%} lies in the half-space that ends at"
        f" {border:.3f}; of the one shifted by {shift:.3f}, {left:.1%}."
    )


def _shifted(p_lower: float, sigma: float, shift: float) -> tuple[float, float]:
    """Where the half-space ends, and how much of the shifted noise it holds."""
    border = sigma * float(special.ndtri(p_lower))
    return border, float(special.ndtr((border - shift) / sigma))


def _normal(x: NDArray[np.float64], centre: float, sigma: float) -> NDArray[np.float64]:
    return np.exp(-(((x - centre) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))


def _add_mark(figure: go.Figure, x: float, top: float, *, text: str, colour: str, dash: str, anchor: str) -> None:
    add_line(figure, [x, x], [0, top], name=text, colour=colour, dash=dash, width=2.5, showlegend=False)
    beside = -4 if anchor == "right" else 4
    figure.add_annotation(x=x, y=top, text=text, showarrow=False, xanchor=anchor, yanchor="bottom", xshift=beside)


def repeats_figure(repeats: Repeats, alpha: float) -> go.Figure:
    """Every bound as a mark, those above the truth apart in colour and shape."""
    figure = go.Figure()
    order = np.arange(repeats.bounds.size)
    wrong = repeats.bounds > repeats.p
    for mine, name, colour, symbol, size in (
        (~wrong, f"below the truth: {(~wrong).sum():,}", BLUE, "circle", 4),
        (wrong, f"above it, so wrong: {wrong.sum():,}", VERMILION, "x", 9),
    ):
        marker = {"color": colour, "symbol": symbol, "size": size}
        told, hover = [floored(bound, ".4f") for bound in repeats.bounds[mine]], "bound %{customdata}<extra></extra>"
        add_marks(figure, order[mine], repeats.bounds[mine], name=name, marker=marker, hover=hover, customdata=told)
    ends, truth = [0, order.size], [repeats.p, repeats.p]
    add_line(figure, ends, truth, name=f"the truth: {repeats.p:.4f}", colour=GREEN, dash="dash")
    figure.update_xaxes(title="repetition")
    figure.update_yaxes(title="lower bound on p")
    return styled(figure, f"{order.size:,} certificates of one point, alpha = {alpha:g}", 420, legend_at=-0.2)
