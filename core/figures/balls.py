"""The certified balls, to scale, in the plane of two colour values: diamond (l1), circle (l2), square (l-infinity)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import plotly.graph_objects as go

from core.figures.template import styled
from core.report.notation import BLUE, GREY, ORANGE, VERMILION, norm_name, radius_text
from core.smoothing.radius import OWN_NORM, steepness

SHAPES = {"l1": "diamond", "l2": "circle", "linf": "square"}
_LOOKS = {"l1": (ORANGE, "dash"), "l2": (BLUE, "solid"), "linf": (VERMILION, "solid")}
_TWO_VALUES = (2,)
TOO_SMALL = 0.04
"""Of the widest ball: what is narrower gets a mark, since its outline is but a dot."""


def outline(norm: str, radius: float) -> tuple[list[float], list[float]]:
    """The closed outline of a ball in the plane, as x and y."""
    if norm == "l2":
        turns = [2 * math.pi * step / 120 for step in range(121)]
        return [radius * math.cos(turn) for turn in turns], [radius * math.sin(turn) for turn in turns]
    if norm == "l1":
        return [radius, 0, -radius, 0, radius], [0, radius, 0, -radius, 0]
    return [radius, -radius, -radius, radius, radius], [radius, radius, -radius, -radius, radius]


def balls(radii: Mapping[str, float], noise: str) -> go.Figure:
    """What two values of a picture may change by, all others kept: a cut through the certified balls, with equal axes.

    Dotted, beside it: the ball inside the noise's own, had the picture these two values only.

    Args:
        radii: the certified radius in each norm that the noise certifies, in [0, 1] pixel units; those of 0 are not drawn.
        noise: ``gaussian``, ``uniform`` or ``laplace``.
    """
    figure = go.Figure()
    drawn = {norm: radius for norm, radius in radii.items() if radius > 0}
    far = max(drawn.values(), default=1.0)
    for norm, radius in _two_values(drawn, noise).items():
        x, y = outline(norm, radius)
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": _LOOKS[norm][0], "dash": "dot", "width": 1.5},
            hoverinfo="skip",
            name=f"{norm_name(norm)}, were there two values only: {radius_text(radius)}",
        )
    for norm, radius in drawn.items():
        colour, dash = _LOOKS[norm]
        x, y = outline(norm, radius)
        name = f"{norm_name(norm)} {SHAPES[norm]}: {radius_text(radius)}"
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": colour, "dash": dash, "width": 3},
            name=name,
            hovertemplate=f"{name}<extra></extra>",
        )
    small = [norm for norm, radius in drawn.items() if radius < TOO_SMALL * far]
    if small:
        figure.add_annotation(
            x=0,
            y=0,
            text="<br>".join(f"{norm_name(norm)}: {radius_text(drawn[norm])}" for norm in small),
            showarrow=True,
            arrowcolor=GREY,
            axref="x",
            ayref="y",
            ax=1.15 * far,
            ay=1.08 * far,
            xanchor="right",
            yanchor="bottom",
        )
    figure.update_xaxes(title="change of one colour value, pixels in [0, 1]", range=[-1.2 * far, 1.2 * far], constrain="domain")
    figure.update_yaxes(
        title="change of another", range=[-1.2 * far, 1.2 * far], scaleanchor="x", scaleratio=1, constrain="domain"
    )
    styled(figure, "The certified balls, to scale", 480)
    return figure.update_layout(showlegend=True, legend={"orientation": "h", "y": -0.2, "yanchor": "top"}, margin={"b": 130})


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
