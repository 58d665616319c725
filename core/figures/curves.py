"""Certified accuracy against radius: one's own curves with their intervals, published ones dashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.figures.template import styled
from core.report.notation import CATEGORIES, GREY

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star", "cross")
OPEN_SYMBOLS = tuple(f"{symbol}-open" for symbol in SYMBOLS)
SIGMA_DASHES = ("solid", "longdashdot", "longdash", "dot")
HEIGHT = 460
MOST_BANDS = 4
"""More intervals than these in one figure hide each other."""
MARKS = 10


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve of one's own.

    Attributes:
        name: for the legend.
        key: names its log to whoever hears of a click; more than one where it is the best of several, by radius.
        group: curves of one group share colour and marker.
        rank: within the group; tells the dash.
        radii: (R,) ascending.
        certified, low, high: (R,) shares of all images, with the ends of the interval.
        keys: (R,) the log behind each point; None: ``key``.
    """

    name: str
    key: str
    group: str
    rank: int
    radii: NDArray[np.float64]
    certified: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    keys: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Points:
    """A published curve: (radius, certified), and what it is."""

    name: str
    points: tuple[tuple[float, float], ...]


def certified_curves(
    curves: Sequence[Curve], published: Sequence[Points], norm: str = "l2", marked: float | None = None
) -> go.Figure:
    """Steps with their intervals; each point carries the key of its log and its radius for clicks.

    Between two points the lower one is drawn, so that a curve never claims more than was measured.

    Args:
        marked: a radius to draw a line at.
    """
    figure = go.Figure()
    groups = list(dict.fromkeys(curve.group for curve in curves))
    if len(curves) <= MOST_BANDS:
        for curve in curves:
            _add_band(figure, curve, CATEGORIES[groups.index(curve.group) % len(CATEGORIES)])
    for curve in curves:
        place = groups.index(curve.group)
        colour = CATEGORIES[place % len(CATEGORIES)]
        shown = np.zeros(len(curve.radii), dtype=bool)
        shown[np.unique(np.linspace(0, len(shown) - 1, MARKS).astype(np.int64))] = True
        keys = curve.keys or (curve.key,) * len(curve.radii)
        figure.add_scatter(
            x=curve.radii,
            y=curve.certified,
            mode="lines+markers",
            name=curve.name,
            line={"color": colour, "width": 3, "shape": "vh", "dash": SIGMA_DASHES[curve.rank % len(SIGMA_DASHES)]},
            # Points between the marks are not seen, but can be clicked.
            marker={
                "symbol": SYMBOLS[place % len(SYMBOLS)],
                "size": 10,
                "color": [colour if mark else "rgba(0,0,0,0)" for mark in shown],
                "line": {"width": 0},
            },
            selected={"marker": {"size": 15, "opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            customdata=[
                [key, float(r), float(a), float(b)]
                for key, r, a, b in zip(keys, curve.radii, curve.low, curve.high, strict=True)
            ],
            hovertemplate="radius %{x:.3f}: %{y:.1%} (%{customdata[2]:.1%} to %{customdata[3]:.1%})"
            "<extra>%{fullData.name}</extra>",
        )
    for place, line in enumerate(published):
        colour = CATEGORIES[-1 - place % len(CATEGORIES)]
        figure.add_scatter(
            x=[radius for radius, _ in line.points],
            y=[share for _, share in line.points],
            mode="lines+markers",
            name=line.name,
            line={"color": colour, "width": 1.8, "dash": "dash"},
            marker={"symbol": OPEN_SYMBOLS[place % len(OPEN_SYMBOLS)], "size": 9, "color": colour, "line": {"width": 2}},
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            hovertemplate="radius %{x:g}: %{y:.1%}<extra>%{fullData.name}, published</extra>",
        )
    if marked is not None:
        figure.add_vline(x=marked, line={"dash": "dot", "width": 2, "color": GREY})
    figure.update_xaxes(title=f"{norm} radius, in [0, 1] pixel units", rangemode="tozero")
    figure.update_yaxes(title="right and certified", tickformat=".0%", rangemode="tozero")
    figure = styled(figure, "Certified accuracy against radius", HEIGHT)
    rows = len(curves) + len(published)
    return figure.update_layout(
        legend={"y": -0.2, "yanchor": "top"}, height=HEIGHT + 14 * min(rows, 20), clickmode="event+select", dragmode=False
    )


def _add_band(figure: go.Figure, curve: Curve, colour: str) -> None:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    x = np.concatenate([curve.radii, curve.radii[::-1]])
    figure.add_scatter(
        x=x,
        y=np.concatenate([curve.high, curve.low[::-1]]),
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.13)",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        name=f"{curve.name}, interval",
    )


def curves_alt(curves: Sequence[Curve], published: Sequence[Points], radii: Sequence[float]) -> str:
    """What it shows, in words."""
    parts = []
    for curve in curves[:6]:
        shares = ", ".join(f"{share_at(curve, radius):.0%} at {radius:g}" for radius in radii)
        parts.append(f"{curve.name}: {curve.certified[0]:.0%} right, certified {shares}")
    more = f" And {len(curves) - 6} more." if len(curves) > 6 else ""
    beside = f" Beside them, as published: {', '.join(line.name for line in published)}." if published else ""
    return f"Falling curves of certified accuracy against radius. {'; '.join(parts)}.{more}{beside}"


def share_at(curve: Curve, radius: float) -> float:
    """The curve at a radius: what is drawn there, the next point's share; 0 beyond the last."""
    place = int(np.searchsorted(curve.radii, radius, side="left"))
    return float(curve.certified[place]) if place < len(curve.radii) else 0.0
