"""Where the radii of an evaluation lie, and the bounds p behind them; certified accuracy by class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.evaluation.log import Outcomes
from core.figures.template import DASHES, add_line, error_bars, marks, styled
from core.report.notation import CATEGORIES, GREY, ORANGE

BINS = 30


def radius_histogram(logs: Mapping[str, Outcomes], ceilings: Mapping[str, float | None] | None = None) -> go.Figure:
    """Images by radius, right answers only; the share that abstained or was wrong stands in the legend.

    Args:
        logs: by name.
        ceilings: the largest radius that a log's n and alpha allow; a dotted line where there is one log.
    """
    most = max((float(o.radius[o.right].max(initial=0.0)) for o in logs.values()), default=0.0) or 1.0
    edges = np.linspace(0, most * 1.0001, BINS + 1)
    figure = go.Figure()
    for place, (name, outcomes) in enumerate(logs.items()):
        counts, _ = np.histogram(outcomes.radius[outcomes.right], edges)
        wrong = float((~outcomes.right & ~outcomes.abstained).mean())
        shares = f"{outcomes.right.mean():.0%} right, {wrong:.0%} wrong, {outcomes.abstained.mean():.0%} abstained"
        _add_steps(figure, edges, counts / len(outcomes), name=f"{name}: {shares}", place=place, quantity="radius")
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
        _add_steps(figure, edges, counts / len(p), name=f"{name}{missing}", place=place, quantity="p")
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


@dataclass(frozen=True)
class ClassShare:
    """One class of one log: share right and share certified, the latter with its interval."""

    name: str
    images: int
    clean: float
    certified: float
    low: float
    high: float


def class_bars(shares: Sequence[ClassShare], radius: float) -> go.Figure:
    """Right and certified by true class, with intervals over that class's images."""
    names = [f"{share.name} ({share.images})" for share in shares]
    certified = [share.certified for share in shares]
    figure = go.Figure()
    figure.add_bar(
        y=names,
        x=[share.clean for share in shares],
        orientation="h",
        name="right, whatever the radius",
        marker={"color": ORANGE, "pattern": {"shape": "/", "solidity": 0.45}},
        hovertemplate="%{y}: %{x:.1%} right<extra></extra>",
    )
    figure.add_bar(
        y=names,
        x=certified,
        orientation="h",
        name=f"right and certified at {radius:g}",
        marker={"color": CATEGORIES[0]},
        error_x=error_bars(certified, [share.low for share in shares], [share.high for share in shares], GREY),
        hovertemplate="%{y}: %{x:.1%} certified<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="share of the class's images", tickformat=".0%", range=[0, 1])
    height = 150 + 44 * max(1, len(names))
    return styled(figure, "By true class (number of images)", height, legend_at=-0.14, barmode="group")
