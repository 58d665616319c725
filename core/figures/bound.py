"""From votes to a bound, from the bound to a radius, and how often a bound is wrong."""

import math

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy import special

from core.figures.template import add_area, add_line, styled, tint
from core.learn.smoothing_in_the_plane import Repeats
from core.report.notation import BLUE, GREEN, GREY, ORANGE, PINK, VERMILION

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
        f" {p_lower:.4f}, which is {side} one half; the share of the votes is {k / n:.4f}."
    )


def shift_figure(p_lower: float, sigma: float, shift: float) -> go.Figure:
    """The worst case along the line of the attack: a half-space that holds p of the noise, and the noise once it is shifted.

    Args:
        p_lower: above 1/2 and below 1.
        sigma: standard deviation of the noise.
        shift: how far the attack moves the point.
    """
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
        figure.add_scatter(
            x=order[mine],
            y=repeats.bounds[mine],
            mode="markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": size},
            hovertemplate="bound %{y:.4f}<extra></extra>",
        )
    ends, truth = [0, order.size], [repeats.p, repeats.p]
    add_line(figure, ends, truth, name=f"the truth: {repeats.p:.4f}", colour=GREEN, dash="dash")
    figure.update_xaxes(title="repetition")
    figure.update_yaxes(title="lower bound on p")
    return styled(figure, f"{order.size:,} certificates of one point, alpha = {alpha:g}", 420, legend_at=-0.2)
