"""Certified accuracy against radius, one curve a sigma and denoiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.figures.template import styled
from core.learn.evaluations import StoredEvaluation
from core.report.notation import CATEGORIES

DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "star", "cross")
HEIGHT = 420


def radius_curves(evaluations: Sequence[StoredEvaluation], titles: Mapping[str, str], marked: float) -> go.Figure:
    """Colour and marker tell sigma, the dash tells the denoiser; with one sigma all three tell the denoiser.

    Args:
        evaluations: what was measured.
        titles: of the denoisers, by reference.
        marked: a radius to draw a line at.
    """
    sigmas = sorted({e.sigma for e in evaluations})
    denoisers = list(dict.fromkeys(e.denoiser for e in evaluations))
    figure = go.Figure()
    most = max((line.radius for e in evaluations for line in e.lines if line.correct), default=1.0)
    radii = np.linspace(0, most * 1.05, 121)
    for e in evaluations:
        dash = DASHES[denoisers.index(e.denoiser) % len(DASHES)]
        rank = sigmas.index(e.sigma) if len(sigmas) > 1 else denoisers.index(e.denoiser)
        figure.add_scatter(
            x=radii,
            y=[e.certified(r) for r in radii],
            mode="lines+markers",
            name=f"sigma {e.sigma:g}, {titles.get(e.denoiser, e.denoiser)}",
            line={"color": CATEGORIES[rank % len(CATEGORIES)], "width": 3, "dash": dash, "shape": "hv"},
            marker={"symbol": SYMBOLS[rank % len(SYMBOLS)], "size": 9, "maxdisplayed": 8},
            hovertemplate="radius %{x:.3f}: %{y:.1%}<extra>%{fullData.name}</extra>",
        )
    figure.add_vline(x=marked, line={"dash": "dot", "width": 2, "color": "#8A8F98"})
    figure.update_xaxes(title="l2 radius", range=[0, float(radii[-1])])
    figure.update_yaxes(title="right and certified", tickformat=".0%", rangemode="tozero")
    figure = styled(figure, "More noise: a longer reach, from a lower start", HEIGHT)
    return figure.update_layout(legend={"y": -0.2, "yanchor": "top"}, height=HEIGHT + 26 * len(evaluations))


def radius_curves_alt(evaluations: Sequence[StoredEvaluation], titles: Mapping[str, str], marked: float) -> str:
    """What it shows, in words."""
    parts = [
        f"sigma {e.sigma:g} with {titles.get(e.denoiser, e.denoiser)}: {e.certified(0):.0%} right,"
        f" {e.certified(marked):.0%} certified"
        for e in evaluations
    ]
    return f"Falling curves of certified accuracy against radius; at radius {marked:g}: {'; '.join(parts)}."
