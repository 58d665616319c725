"""Certified accuracy against radius: one's own curves with their intervals, published ones dashed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from core.evaluation.curve import Steps
from core.figures.template import DASHES, SYMBOLS, add_area, marks, styled, tint
from core.report.notation import CATEGORIES, GREY

HEIGHT = 460
MOST_BANDS = 4
"""More intervals than these in one figure hide each other."""
MARKS = 10
_KEPT = {"selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}}}
"""What is not clicked is drawn as before."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve of one's own.

    Attributes:
        name: for the legend.
        group: curves of one group share colour and marker.
        rank: within the group; tells the dash.
        steps: the curve itself; its keys go to whoever hears of a click.
    """

    name: str
    group: str
    rank: int
    steps: Steps


@dataclass(frozen=True)
class Points:
    """A published curve: (radius, certified), and what it is."""

    name: str
    points: tuple[tuple[float, float], ...]


def certified_curves(
    curves: Sequence[Curve],
    published: Sequence[Points] = (),
    *,
    title: str = "Certified accuracy against radius",
    marked: float | None = None,
    bands: bool = True,
) -> go.Figure:
    """Steps with their intervals; each point carries the key of its log and its radius for clicks.

    Between two points the lower one is drawn, so that a curve never claims more than was measured.

    Args:
        marked: a radius to draw a line at.
        bands: whether the intervals of a few curves are drawn.
    """
    figure = go.Figure()
    groups = list(dict.fromkeys(curve.group for curve in curves))
    if bands and len(curves) <= MOST_BANDS:
        for curve in curves:
            _add_band(figure, curve, marks(groups.index(curve.group))[0])
    for curve in curves:
        _add_curve(figure, curve, groups.index(curve.group))
    for place, line in enumerate(published):
        colour, symbol = CATEGORIES[-1 - place % len(CATEGORIES)], f"{SYMBOLS[place % len(SYMBOLS)]}-open"
        figure.add_scatter(
            x=[radius for radius, _ in line.points],
            y=[share for _, share in line.points],
            mode="lines+markers",
            name=line.name,
            line={"color": colour, "width": 1.8, "dash": "dash"},
            marker={"symbol": symbol, "size": 9, "color": colour, "line": {"width": 2}},
            hovertemplate="radius %{x:g}: %{y:.1%}<extra>%{fullData.name}, published</extra>",
            **_KEPT,
        )
    if marked is not None:
        figure.add_vline(x=marked, line={"dash": "dot", "width": 2, "color": GREY})
    figure.update_xaxes(title="l2 radius, in [0, 1] pixel units", rangemode="tozero")
    figure.update_yaxes(title="right and certified", tickformat=".0%", rangemode="tozero")
    height = HEIGHT + 14 * min(len(curves) + len(published), 20)
    return styled(figure, title, height, legend_at=-0.2, clickmode="event+select", dragmode=False)


def _add_curve(figure: go.Figure, curve: Curve, place: int) -> None:
    steps = curve.steps
    colour, symbol = marks(place)
    shown = np.zeros(len(steps.radii), dtype=bool)
    shown[np.unique(np.linspace(0, len(shown) - 1, MARKS).astype(np.int64))] = True
    figure.add_scatter(
        x=steps.radii,
        y=steps.certified,
        mode="lines+markers",
        name=curve.name,
        line={"color": colour, "width": 3, "shape": "vh", "dash": DASHES[curve.rank % len(DASHES)]},
        # Points between the marks are not seen, but can be clicked.
        marker={
            "symbol": symbol,
            "size": 10,
            "color": [colour if mark else "rgba(0,0,0,0)" for mark in shown],
            "line": {"width": 0},
        },
        customdata=[
            [key, float(r), float(a), float(b)]
            for key, r, a, b in zip(steps.keys, steps.radii, steps.low, steps.high, strict=True)
        ],
        hovertemplate="radius %{x:.3f}: %{y:.1%} (%{customdata[2]:.1%} to %{customdata[3]:.1%})<extra>%{fullData.name}</extra>",
        **(_KEPT | {"selected": {"marker": {"size": 15, "opacity": 1}}}),
    )


def _add_band(figure: go.Figure, curve: Curve, colour: str) -> None:
    steps = curve.steps
    x, y = np.concatenate([steps.radii, steps.radii[::-1]]), np.concatenate([steps.high, steps.low[::-1]])
    add_area(figure, x, y, tint(colour, 0.13), to="toself", name=f"{curve.name}, interval")


def curves_alt(curves: Sequence[Curve], published: Sequence[Points], radii: Sequence[float]) -> str:
    """What it shows, in words."""
    parts = []
    for curve in curves[:6]:
        shares = ", ".join(f"{share_at(curve, radius):.0%} at {radius:g}" for radius in radii)
        parts.append(f"{curve.name}: {curve.steps.certified[0]:.0%} right, certified {shares}")
    more = f" And {len(curves) - 6} more." if len(curves) > 6 else ""
    beside = f" Beside them, as published: {', '.join(line.name for line in published)}." if published else ""
    return f"Falling curves of certified accuracy against radius. {'; '.join(parts)}.{more}{beside}"


def share_at(curve: Curve, radius: float) -> float:
    """The curve at a radius: what is drawn there, the next point's share; 0 beyond the last."""
    place = int(np.searchsorted(curve.steps.radii, radius, side="left"))
    return float(curve.steps.certified[place]) if place < len(curve.steps.radii) else 0.0
