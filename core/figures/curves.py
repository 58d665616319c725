"""Evaluations drawn: certified accuracy against radius, published curves dashed; how radii and bounds are spread; by class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.evaluation.curve import CurveSummary, PublishedCurve, Steps
from core.evaluation.log import Outcomes
from core.figures.template import DASHES, SYMBOLS, add_area, add_bars, add_curve, add_line, error_bars, marks, styled, tint
from core.plain_text import figure_text
from core.report.notation import CATEGORIES, GREY, ORANGE, radius_text
from core.smoothing.radius import asked_text

HEIGHT = 460
MOST_BANDS = 4
"""More intervals than these in one figure hide each other."""
MARKS = 10
_KEPT = {"selected": {"marker": {"opacity": 1}}, "unselected": {"marker": {"opacity": 1}}}
"""What is not clicked is drawn as before."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve of one's own; those of one group share colour and marker, ``rank`` within it tells the dash.
    The keys of ``steps`` go to whoever hears of a click."""

    name: str
    group: str
    rank: int
    steps: Steps


def certified_curves(
    curves: Sequence[Curve],
    published: Sequence[PublishedCurve] = (),
    *,
    title: str = "Certified accuracy against radius",
    marked: float | None = None,
    bands: bool = True,
) -> go.Figure:
    """Steps with their intervals (``bands``), a line at a ``marked`` radius; each point has its log's key, for clicks.
    Between two points the lower one is drawn, so that a curve never claims more than was measured."""
    figure = go.Figure()
    groups = list(dict.fromkeys(curve.group for curve in curves))
    if bands and len(curves) <= MOST_BANDS:
        for curve in curves:
            _add_band(figure, curve, marks(groups.index(curve.group))[0])
    for curve in curves:
        _add_curve(figure, curve, groups.index(curve.group))
    for place, line in enumerate(published):
        x, y = zip(*line.points, strict=True)
        colour, symbol = CATEGORIES[-1 - place % len(CATEGORIES)], f"{SYMBOLS[place % len(SYMBOLS)]}-open"
        hover = "radius %{x:g}: %{y:.1%}<extra>%{fullData.name}, published</extra>"
        look: dict[str, Any] = {"width": 1.8, "dash": "dash", "marker": {"line": {"width": 2}}} | _KEPT
        add_curve(figure, x, y, name=figure_text(line.name), colour=colour, symbol=symbol, hover=hover, **look)
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
    # Points between the marks are not seen, but can be clicked.
    marker = {"color": [colour if mark else "rgba(0,0,0,0)" for mark in shown], "line": {"width": 0}}
    look: dict[str, Any] = {"width": 3, "shape": "vh", "dash": DASHES[curve.rank % len(DASHES)], "size": 10, "marker": marker}
    look |= _KEPT | {"selected": {"marker": {"size": 15, "opacity": 1}}}
    told = [
        [key, float(r), float(a), float(b), radius_text(float(r))]
        for key, r, a, b in zip(steps.keys, steps.radii, steps.low, steps.high, strict=True)
    ]
    shares = "%{y:.1%} (%{customdata[2]:.1%} to %{customdata[3]:.1%})"
    look |= {"customdata": told, "hover": f"radius %{{customdata[4]}}: {shares}<extra>%{{fullData.name}}</extra>"}
    add_curve(figure, steps.radii, steps.certified, name=figure_text(curve.name), colour=colour, symbol=symbol, **look)


def _add_band(figure: go.Figure, curve: Curve, colour: str) -> None:
    steps = curve.steps
    x, y = np.concatenate([steps.radii, steps.radii[::-1]]), np.concatenate([steps.high, steps.low[::-1]])
    add_area(figure, x, y, tint(colour, 0.13), to="toself", name=f"{figure_text(curve.name)}, interval")


def curves_alt(curves: Sequence[Curve], published: Sequence[PublishedCurve], radii: Sequence[float]) -> str:
    """What it shows, in words."""
    parts = []
    for curve in curves[:6]:
        shares = ", ".join(f"{share_at(curve, radius):.0%} at {asked_text(radius)}" for radius in radii)
        parts.append(f"{curve.name}: {curve.steps.certified[0]:.0%} right, certified {shares}")
    more = f" And {len(curves) - 6} more." if len(curves) > 6 else ""
    beside = f" Beside them, as published: {', '.join(line.name for line in published)}." if published else ""
    return f"Falling curves of certified accuracy against radius. {'; '.join(parts)}.{more}{beside}"


def share_at(curve: Curve, radius: float) -> float:
    """The curve at a radius: what is drawn there, the next point's share; 0 beyond the last."""
    place = int(np.searchsorted(curve.steps.radii, radius, side="left"))
    return float(curve.steps.certified[place]) if place < len(curve.steps.radii) else 0.0


BINS = 30


def radius_histogram(logs: Mapping[str, Outcomes], ceilings: Mapping[str, float | None] | None = None) -> go.Figure:
    """Images by radius, right answers only; the share that abstained or was wrong stands in the legend.
    ``ceilings``, the largest radii that a log's n and alpha allow: a dotted line where all are the same."""
    most = max((float(o.radius[o.right].max(initial=0.0)) for o in logs.values()), default=0.0) or 1.0
    edges = np.linspace(0, most * 1.0001, BINS + 1)
    figure = go.Figure()
    for place, (name, outcomes) in enumerate(logs.items()):
        counts, _ = np.histogram(outcomes.radius[outcomes.right], edges)
        wrong = float((~outcomes.right & ~outcomes.abstained).mean())
        shares = f"{outcomes.right.mean():.0%} right, {wrong:.0%} wrong, {outcomes.abstained.mean():.0%} abstained"
        _add_steps(figure, edges, counts / len(outcomes), name=f"{figure_text(name)}: {shares}", place=place, quantity="radius")
    known = {ceiling for ceiling in (ceilings or {}).values() if ceiling}
    if len(known) == 1:
        _add_border(figure, known.pop(), "ceiling of n and alpha", "top left")
    figure.update_xaxes(title="l2 radius of right answers")
    return _shares(figure, "How the radii are spread", len(logs))


def bound_histogram(bounds: Mapping[str, NDArray[np.float64]]) -> go.Figure:
    """Images by the lower bound on the probability of their class; NaN where it is not known, which the legend counts."""
    least = min((float(np.nanmin(p)) for p in bounds.values() if np.isfinite(p).any()), default=0.0)
    edges = np.linspace(0.5 if least >= 0.5 else 0.0, 1, BINS + 1)
    figure = go.Figure()
    for place, (name, p) in enumerate(bounds.items()):
        known = p[np.isfinite(p)]
        counts, _ = np.histogram(known, edges)
        missing = f", not known of {len(p) - len(known)}" if len(known) < len(p) else ""
        _add_steps(figure, edges, counts / len(p), name=f"{figure_text(name)}{missing}", place=place, quantity="p")
    _add_border(figure, 0.5, "abstains at 1/2 and below", "top right")
    figure.update_xaxes(title="lower bound on p, the share under noise", range=[edges[0] - 0.02, 1])
    return _shares(figure, "How the bounds on p are spread", len(bounds))


def _add_steps(
    figure: go.Figure, edges: NDArray[np.float64], shares: NDArray[np.float64], *, name: str, place: int, quantity: str
) -> None:
    colour, dash = marks(place, DASHES)
    hover = f"{quantity} from %{{x:.3f}}: %{{y:.1%}}<extra>%{{fullData.name}}</extra>"
    add_line(figure, edges, np.append(shares, shares[-1:]), name=name, colour=colour, dash=dash, hover=hover, shape="hv")


def _add_border(figure: go.Figure, x: float, text: str, where: str) -> None:
    line = {"dash": "dot", "color": GREY, "width": 2}
    figure.add_vline(x=x, line=line, annotation_text=text, annotation_position=where)


def _shares(figure: go.Figure, title: str, entries: int) -> go.Figure:
    figure.update_yaxes(title="share of all images", tickformat=".0%")
    return styled(figure, title, 400 + 22 * min(entries, 12), legend_at=-0.22, dragmode=False)


def class_bars(shares: Sequence[tuple[str, CurveSummary]], radius: float) -> go.Figure:
    """Right and certified by true class, its name and the summary of its images, with intervals over these."""
    names = [f"{figure_text(name)} ({summary.images})" for name, summary in shares]
    certified = [summary.certified[radius] for _, summary in shares]
    low, high = zip(*(summary.interval[radius] for _, summary in shares), strict=True) if shares else ((), ())
    striped = {"color": ORANGE, "pattern": {"shape": "/", "solidity": 0.45}}
    figure = go.Figure()
    clean, hover = [summary.clean for _, summary in shares], "%{y}: %{x:.1%} right<extra></extra>"
    add_bars(figure, clean, names, striped, hover=hover, name="right, whatever the radius")
    spread, hover = error_bars(certified, low, high, GREY), "%{y}: %{x:.1%} certified<extra></extra>"
    name = f"right and certified at {asked_text(radius)}"
    add_bars(figure, certified, names, {"color": CATEGORIES[0]}, hover=hover, name=name, error_x=spread)
    figure.update_xaxes(title="share of the class's images", tickformat=".0%", range=[0, 1])
    height = 150 + 44 * max(1, len(names))
    return styled(figure, "By true class (number of images)", height, legend_at=-0.14, barmode="group")
