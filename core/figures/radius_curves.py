"""Certified accuracy against radius, one curve a sigma and denoiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from core.evaluation.curve import certified_accuracy
from core.evaluation.recorded import RecordedEvaluation
from core.figures.template import styled
from core.report.notation import CATEGORIES

DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "star", "cross")
HEIGHT = 420


def radius_curves(evaluations: Sequence[RecordedEvaluation], titles: Mapping[str, str], marked: float) -> go.Figure:
    """Colour and marker tell sigma, the dash tells the denoiser; with one sigma all three tell the denoiser.

    Args:
        evaluations: what was measured.
        titles: of the denoisers, by reference.
        marked: a radius to draw a line at.
    """
    sigmas = sorted({_sigma(e) for e in evaluations})
    denoisers = list(dict.fromkeys(_denoiser(e) for e in evaluations))
    figure = go.Figure()
    most = max((float(e.outcomes.radius[e.outcomes.right].max(initial=0.0)) for e in evaluations), default=0.0) or 1.0
    radii = np.linspace(0, most * 1.05, 121)
    for e in evaluations:
        sigma, denoiser = _sigma(e), _denoiser(e)
        dash = DASHES[denoisers.index(denoiser) % len(DASHES)]
        rank = sigmas.index(sigma) if len(sigmas) > 1 else denoisers.index(denoiser)
        figure.add_scatter(
            x=radii,
            y=certified_accuracy(e.outcomes, radii),
            mode="lines+markers",
            name=f"sigma {sigma:g}, {titles.get(denoiser, denoiser)}",
            line={"color": CATEGORIES[rank % len(CATEGORIES)], "width": 3, "dash": dash, "shape": "hv"},
            marker={"symbol": SYMBOLS[rank % len(SYMBOLS)], "size": 9, "maxdisplayed": 8},
            hovertemplate="radius %{x:.3f}: %{y:.1%}<extra>%{fullData.name}</extra>",
        )
    figure.add_vline(x=marked, line={"dash": "dot", "width": 2, "color": "#8A8F98"})
    figure.update_xaxes(title="l2 radius", range=[0, float(radii[-1])])
    figure.update_yaxes(title="right and certified", tickformat=".0%", rangemode="tozero")
    figure = styled(figure, "More noise: a longer reach, from a lower start", HEIGHT)
    return figure.update_layout(legend={"y": -0.2, "yanchor": "top"}, height=HEIGHT + 26 * len(evaluations))


def radius_curves_alt(evaluations: Sequence[RecordedEvaluation], titles: Mapping[str, str], marked: float) -> str:
    """What it shows, in words."""
    parts = []
    for e in evaluations:
        right, certified = certified_accuracy(e.outcomes, [0.0, marked])
        title = titles.get(_denoiser(e), _denoiser(e))
        parts.append(f"sigma {_sigma(e):g} with {title}: {right:.0%} right, {certified:.0%} certified")
    return f"Falling curves of certified accuracy against radius; at radius {marked:g}: {'; '.join(parts)}."


def _sigma(evaluation: RecordedEvaluation) -> float:
    return evaluation.made_by.sigma or 0.0


def _denoiser(evaluation: RecordedEvaluation) -> str:
    return evaluation.made_by.denoiser or "none"
