"""How long Gaussian noise is, against the number of values it falls on."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import special

from core.figures.template import styled
from core.report.notation import BLUE, GREY, ORANGE, PINK

PLACES = {"plane": 2, "32 x 32 picture": 3 * 32 * 32, "224 x 224 picture": 3 * 224 * 224}
"""Numbers of values, by what has so many."""
HEIGHT = 380


def noise_length(dimensions: NDArray[np.float64] | float, quantile: float) -> NDArray[np.float64]:
    """Quantile of the l2 length of standard normal noise: its square has a chi-squared distribution."""
    return np.sqrt(2 * special.gammaincinv(np.asarray(dimensions, float) / 2, quantile))


def noise_length_figure(sigma: float, radius: float | None = None) -> go.Figure:
    """The length of the noise with the band that holds 98% of it, and the part of it along any one direction.

    Args:
        sigma: standard deviation per value.
        radius: a certified radius to compare with.
    """
    d = np.unique(np.round(np.geomspace(1, 400_000, 90)))
    figure = go.Figure()
    low, high = sigma * noise_length(d, 0.01), sigma * noise_length(d, 0.99)
    figure.add_scatter(x=d, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
    figure.add_scatter(
        x=d,
        y=low,
        mode="lines",
        line={"width": 0},
        fill="tonexty",
        fillcolor="rgba(0, 114, 178, 0.25)",
        name="98% of all noise",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=d,
        y=sigma * np.sqrt(d),
        mode="lines",
        line={"color": BLUE, "width": 3},
        name="sigma · √d",
        hovertemplate="%{x:,} values: length %{y:.3g}<extra></extra>",
    )
    figure.add_scatter(
        x=d,
        y=np.full(d.shape, sigma),
        mode="lines",
        line={"color": ORANGE, "width": 3, "dash": "dash"},
        name="along one direction: sigma",
        hoverinfo="skip",
    )
    if radius:
        figure.add_scatter(
            x=d,
            y=np.full(d.shape, radius),
            mode="lines",
            line={"color": PINK, "width": 3, "dash": "dot"},
            name=f"certified radius: {radius:.3f}",
            hoverinfo="skip",
        )
    for name, dimensions in PLACES.items():
        length = sigma * math.sqrt(dimensions)
        figure.add_annotation(
            x=math.log10(dimensions),
            y=math.log10(length),
            text=f"{name}: {length:.3g}",
            ax=-4,
            ay=-34,
            xanchor="left" if dimensions == 2 else "right",
            arrowcolor=GREY,
        )
    figure.update_xaxes(title="values that the noise falls on (d)", type="log")
    figure.update_yaxes(title="l2 length", type="log")
    figure = styled(figure, "Noise grows long, but not in any one direction", HEIGHT)
    return figure.update_layout(legend={"y": -0.25, "yanchor": "top"}, height=HEIGHT + 40)


def noise_length_alt(sigma: float, radius: float | None = None) -> str:
    """What it shows, in words."""
    lengths = ", ".join(f"{name} {sigma * math.sqrt(d):.3g}" for name, d in PLACES.items())
    beside = f" The certified radius is {radius:.3f}." if radius else ""
    return f"Length of noise of sigma {sigma:g} against the number of values, both logarithmic: {lengths}.{beside}"
