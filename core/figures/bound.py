"""From votes to a bound, and from the bound to a radius."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import special

from core.figures.template import styled
from core.report.notation import BLUE, GREY, ORANGE, PINK, VERMILION

HEIGHT = 340


def posterior_figure(k: int, n: int, alpha: float) -> go.Figure:
    """The density of Beta(k, n - k + 1), whose alpha-quantile is the lower Clopper-Pearson bound.

    Args:
        k: votes for the class, of n.
        alpha: what lies to the left of the bound.
    """
    figure = go.Figure()
    if k == 0:
        figure.add_annotation(text="No vote for the class: the bound is 0.", showarrow=False, x=0.5, y=0.5)
        figure.update_xaxes(range=[0, 1])
        return styled(figure, "What the votes say about p", HEIGHT)
    a, b = k, n - k + 1
    bound = float(special.betaincinv(a, b, alpha))
    left = min(0.48, float(special.betaincinv(a, b, alpha / 10)) - 0.02)
    right = min(1.0, float(special.betaincinv(a, b, 0.9999)) + 0.02)
    p = np.unique(np.concatenate([np.linspace(max(left, 1e-6), min(right, 1 - 1e-9), 500), [bound]]))
    density = np.exp((a - 1) * np.log(p) + (b - 1) * np.log1p(-p) - special.betaln(a, b))
    top = float(density.max())
    figure.add_scatter(x=p, y=density, mode="lines", line={"color": BLUE, "width": 3}, name="density", hoverinfo="skip")
    tail = p <= bound
    figure.add_scatter(
        x=p[tail],
        y=density[tail],
        mode="lines",
        line={"width": 0},
        fill="tozeroy",
        fillcolor="rgba(213, 94, 0, 0.5)",
        name=f"alpha = {alpha:g} of the area",
        hoverinfo="skip",
    )
    span = (float(p[0]), max(right, 0.52))
    for x, text, colour, dash, height in (
        (bound, f"bound {bound:.4f}", VERMILION, "solid", 1.06),
        (k / n, f"votes {k / n:.4f}", BLUE, "dash", 1.22),
        (0.5, "one half", GREY, "dot", 0.9),
    ):
        _add_mark(figure, x, top, text, colour, dash, "right" if x > sum(span) / 2 else "left", height)
    figure.update_xaxes(title="p: the class's share of all noise", range=span)
    figure.update_yaxes(visible=False, range=[0, 1.4 * top])
    return styled(figure, f"{k:,} of {n:,} votes, and what they say about p", HEIGHT).update_layout(showlegend=False)


def posterior_alt(k: int, n: int, alpha: float, p_lower: float) -> str:
    """What it shows, in words."""
    side = "above" if p_lower > 0.5 else "at or below"
    return (
        f"Density curve over p after {k:,} of {n:,} votes. The share alpha = {alpha:g} of its area lies left of the lower bound"
        f" {p_lower:.4f}, which is {side} one half; the share of the votes is {k / n:.4f}."
    )


def shift_figure(p_lower: float, sigma: float, shift: float) -> go.Figure:
    """The worst case along the line of the attack: a half-space that holds p of the noise, and the noise once it is shifted.

    Args:
        p_lower: above 1/2 and below 1.
        sigma: standard deviation of the noise.
        shift: how far the attack moves the point.
    """
    border = sigma * float(special.ndtri(p_lower))
    x = np.linspace(-3.2 * sigma, max(border, shift) + 3.2 * sigma, 400)
    left = float(special.ndtr((border - shift) / sigma))
    figure = go.Figure()
    for centre, colour, name, dash, fill in (
        (0.0, BLUE, f"noise at the point: {p_lower:.1%} in the half-space", "solid", "rgba(0, 114, 178, 0.25)"),
        (shift, ORANGE, f"noise after the shift: {left:.1%} in it", "dash", "rgba(230, 159, 0, 0.35)"),
    ):
        density = _normal(x, centre, sigma)
        kept = x <= border
        figure.add_scatter(
            x=x[kept],
            y=density[kept],
            mode="lines",
            line={"width": 0},
            fill="tozeroy",
            fillcolor=fill,
            showlegend=False,
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=x, y=density, mode="lines", line={"color": colour, "width": 3, "dash": dash}, name=name, hoverinfo="skip"
        )
    top = 1 / (sigma * math.sqrt(2 * math.pi))
    _add_mark(figure, border, top, f"half-space ends at R = {border:.3f}", PINK, "solid", "left", 1.12)
    figure.update_xaxes(title="along the direction of the attack")
    figure.update_yaxes(visible=False, range=[0, 1.3 * top])
    figure = styled(figure, f"Shifted by {shift:.3f}", HEIGHT)
    return figure.update_layout(legend={"orientation": "v", "y": -0.3, "yanchor": "top"}, height=HEIGHT + 50)


def shift_alt(p_lower: float, sigma: float, shift: float) -> str:
    """What it shows, in words."""
    border = sigma * float(special.ndtri(p_lower))
    left = float(special.ndtr((border - shift) / sigma))
    return (
        f"Two bell curves of width {sigma:g}. Of the one at the point, {p_lower:.1%} lies in the half-space that ends at"
        f" {border:.3f}; of the one shifted by {shift:.3f}, {left:.1%}."
    )


def _add_mark(figure: go.Figure, x: float, top: float, text: str, colour: str, dash: str, anchor: str, height: float) -> None:
    figure.add_scatter(
        x=[x, x],
        y=[0, height * top],
        mode="lines",
        line={"color": colour, "width": 2.5, "dash": dash},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_annotation(
        x=x, y=height * top, text=text, showarrow=False, xanchor=anchor, yanchor="bottom", xshift=-4 if anchor == "right" else 4
    )


def _normal(x: NDArray[np.float64], centre: float, sigma: float) -> NDArray[np.float64]:
    return np.exp(-(((x - centre) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
