"""Lengths, drawn: certified balls to scale in several norms, and how long noise is where it falls on many values."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import special

from core.figures.template import add_area, add_line, add_marks, styled, tint
from core.report.notation import BLUE, GREY, ORANGE, PINK, VERMILION, norm_name, radius_text
from core.smoothing.radius import OWN_NORM, steepness

SHAPES = {"l1": "diamond", "l2": "circle", "linf": "square"}
_LINES = {"l1": (ORANGE, "dash"), "l2": (BLUE, "solid"), "linf": (VERMILION, "solid")}
_TWO_VALUES = (2,)
TOO_SMALL = 0.04
"""Of the widest ball: what is narrower gets a mark, since its outline is but a dot."""
PLACES = {"plane": 2, "32 x 32 picture": 3 * 32 * 32, "224 x 224 picture": 3 * 224 * 224}
"""Numbers of values, by what has so many."""


def outline(norm: str, radius: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The closed outline of a ball in the plane, as x and y."""
    angle = np.linspace(0, 2 * math.pi, 181)
    x, y = {
        "l2": (np.cos(angle), np.sin(angle)),
        "l1": (np.array([1.0, 0, -1, 0, 1]), np.array([0.0, 1, 0, -1, 0])),
        "linf": (np.array([1.0, -1, -1, 1, 1]), np.array([1.0, 1, -1, -1, 1])),
    }[norm]
    return radius * x, radius * y


def balls(radii: Mapping[str, float], noise: str) -> go.Figure:
    """What two values of a picture may change by, all others kept: a cut through the certified balls, with equal axes.
    ``radii`` in [0, 1] pixel units by norm; those of 0 are not drawn. Dotted: the ball inside that of the ``noise``'s own norm,
    had the picture these two values only."""
    figure = go.Figure()
    drawn = {norm: radius for norm, radius in radii.items() if radius > 0}
    far = max(drawn.values(), default=1.0)
    for norm, radius in _two_values(drawn, noise).items():
        name = f"{norm_name(norm)}, were there two values only: {radius_text(radius)}"
        add_line(figure, *outline(norm, radius), name=name, colour=_LINES[norm][0], dash="dot", width=1.5)
    for norm, radius in drawn.items():
        name = f"{norm_name(norm)} {SHAPES[norm]}: {radius_text(radius)}"
        colour, dash = _LINES[norm]
        add_line(figure, *outline(norm, radius), name=name, colour=colour, dash=dash, hover=f"{name}<extra></extra>")
    small = [norm for norm, radius in drawn.items() if radius < TOO_SMALL * far]
    if small:
        text = "<br>".join(f"{norm_name(norm)}: {radius_text(drawn[norm])}" for norm in small)
        end = {"axref": "x", "ayref": "y", "ax": 1.15 * far, "ay": 1.08 * far, "xanchor": "right", "yanchor": "bottom"}
        figure.add_annotation(x=0, y=0, text=text, showarrow=True, arrowcolor=GREY, **end)
    axis = {"range": [-1.2 * far, 1.2 * far], "constrain": "domain"}
    figure.update_xaxes(title="change of one colour value, pixels in [0, 1]", **axis)
    figure.update_yaxes(title="change of another", scaleanchor="x", scaleratio=1, **axis)
    return styled(figure, "The certified balls, to scale", 480, legend_at=-0.2, showlegend=True, margin={"b": 130})


def balls_alt(radii: Mapping[str, float], noise: str) -> str:
    """The same in words."""
    drawn = {norm: radius for norm, radius in radii.items() if radius > 0}
    if not drawn:
        return "Nothing is certified."
    shapes = ", ".join(f"{norm_name(norm)} {SHAPES[norm]} of radius {radius_text(radius)}" for norm, radius in drawn.items())
    flat = _two_values(drawn, noise)
    dotted = ", ".join(f"{norm_name(norm)} {radius_text(radius)}" for norm, radius in flat.items())
    words = f"The certified balls around the picture in the plane of two colour values, to scale: {shapes}."
    return f"{words} Dotted, had the picture only these two values: {dotted}." if dotted else words


def _two_values(drawn: Mapping[str, float], noise: str) -> dict[str, float]:
    """The radii that would follow in two dimensions, of the norms in which the number of dimensions matters."""
    own = OWN_NORM[noise]
    if own not in drawn:
        return {}
    factors = {norm: steepness(noise, norm, _TWO_VALUES) for norm in drawn}
    return {norm: drawn[own] / factor for norm, factor in factors.items() if factor > 1}


def norm_balls(radius: float) -> go.Figure:
    """The certified l2 ball in the plane of the Learn page with the greatest l-infinity and l1 balls inside it."""
    figure = go.Figure()
    inside = {"l2": (radius, PINK, "solid"), "linf": (radius / math.sqrt(2), BLUE, "dash"), "l1": (radius, ORANGE, "dot")}
    for norm, (size, colour, dash) in inside.items():
        name = f"{norm_name(norm)}: {radius_text(size)}"
        add_line(figure, *outline(norm, size), name=name, colour=colour, dash=dash, width=3.5)
    text: dict[str, Any] = {"text": ["the point"], "textposition": "bottom center", "mode": "markers+text"}
    add_marks(figure, [0], [0], name="", marker={"size": 10, "color": GREY}, showlegend=False, **text)
    axis = {"visible": False, "range": [-1.25 * radius, 1.25 * radius]}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis, scaleanchor="x")
    return styled(figure, "One proof, three shapes", 420, legend_at=-0.02, dragmode=False)


def noise_length(dimensions: NDArray[np.float64] | float, quantile: float) -> NDArray[np.float64]:
    """Quantile of the l2 length of standard normal noise: its square has a chi-squared distribution."""
    return np.sqrt(2 * special.gammaincinv(np.asarray(dimensions, float) / 2, quantile))


def noise_length_figure(sigma: float, radius: float | None = None) -> go.Figure:
    """The length of noise with the band that holds 98% of it, the part along any one direction, and a radius to compare."""
    d = np.unique(np.round(np.geomspace(1, 400_000, 90)))
    figure = go.Figure()
    both = np.concatenate([d, d[::-1]])
    band = sigma * np.concatenate([noise_length(d, 0.99), noise_length(d[::-1], 0.01)])
    add_area(figure, both, band, tint(BLUE, 0.25), to="toself", name="98% of all noise", showlegend=True)
    hover = "%{x:,} values: length %{y:.3g}<extra></extra>"
    add_line(figure, d, sigma * np.sqrt(d), name="sigma · √d", colour=BLUE, hover=hover)
    add_line(figure, d, np.full(d.shape, sigma), name="along one direction: sigma", colour=ORANGE, dash="dash")
    if radius:
        add_line(figure, d, np.full(d.shape, radius), name=f"certified radius: {radius_text(radius)}", colour=PINK, dash="dot")
    for name, dimensions in PLACES.items():
        length = sigma * math.sqrt(dimensions)
        at = {"x": math.log10(dimensions), "y": math.log10(length), "xanchor": "left" if dimensions == 2 else "right"}
        figure.add_annotation(text=f"{name}: {length:.3g}", ax=-4, ay=-34, arrowcolor=GREY, **at)
    figure.update_xaxes(title="values that the noise falls on (d)", type="log")
    figure.update_yaxes(title="l2 length", type="log")
    return styled(figure, "Noise grows long, but not in any one direction", 420, legend_at=-0.25)


def noise_length_alt(sigma: float, radius: float | None = None) -> str:
    """What it shows, in words."""
    lengths = ", ".join(f"{name} {sigma * math.sqrt(d):.3g}" for name, d in PLACES.items())
    beside = f" The certified radius is {radius_text(radius)}." if radius else ""
    return f"Length of noise of sigma {sigma:g} against the number of values, both logarithmic: {lengths}.{beside}"
