"""Where the radii of an evaluation lie, and the bounds p behind them; certified accuracy by class; what n and alpha do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.evaluation.log import Outcomes
from core.figures.curves import SYMBOLS
from core.figures.template import styled
from core.report.notation import CATEGORIES, GREY, ORANGE

HEIGHT = 400
BINS = 30
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def radius_histogram(
    logs: Mapping[str, Outcomes], norm: str = "l2", ceilings: Mapping[str, float | None] | None = None
) -> go.Figure:
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
        _add_steps(figure, edges, counts / len(outcomes), f"{name}: {shares}", place, "radius")
    known = {ceiling for ceiling in (ceilings or {}).values() if ceiling}
    if len(known) == 1:
        figure.add_vline(
            x=known.pop(),
            line={"dash": "dot", "color": GREY, "width": 2},
            annotation_text="ceiling of n and alpha",
            annotation_position="top left",
        )
    figure.update_xaxes(title=f"{norm} radius of right answers")
    figure.update_yaxes(title="share of all images", tickformat=".0%")
    return _below(styled(figure, "How the radii are spread", HEIGHT), len(logs))


def bound_histogram(bounds: Mapping[str, NDArray[np.float64]]) -> go.Figure:
    """Images by the lower bound on the probability of their class; NaN where it is not known, which the legend counts."""
    least = min((float(np.nanmin(p)) for p in bounds.values() if np.isfinite(p).any()), default=0.0)
    edges = np.linspace(0.5 if least >= 0.5 else 0.0, 1, BINS + 1)
    figure = go.Figure()
    for place, (name, p) in enumerate(bounds.items()):
        known = p[np.isfinite(p)]
        counts, _ = np.histogram(known, edges)
        missing = f", not known of {len(p) - len(known)}" if len(known) < len(p) else ""
        _add_steps(figure, edges, counts / len(p), f"{name}{missing}", place, "p")
    figure.add_vline(
        x=0.5,
        line={"dash": "dot", "color": GREY, "width": 2},
        annotation_text="abstains at 1/2 and below",
        annotation_position="top right",
    )
    figure.update_xaxes(title="lower bound on p, the share under noise", range=[edges[0] - 0.02, 1])
    figure.update_yaxes(title="share of all images", tickformat=".0%")
    return _below(styled(figure, "How the bounds on p are spread", HEIGHT), len(bounds))


def _add_steps(
    figure: go.Figure, edges: NDArray[np.float64], shares: NDArray[np.float64], name: str, place: int, quantity: str
) -> None:
    figure.add_scatter(
        x=edges,
        y=np.append(shares, shares[-1:]),
        mode="lines",
        name=name,
        line={"color": CATEGORIES[place % len(CATEGORIES)], "width": 3, "shape": "hv", "dash": DASHES[place % len(DASHES)]},
        hovertemplate=f"{quantity} from %{{x:.3f}}: %{{y:.1%}}<extra>%{{fullData.name}}</extra>",
    )


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
        x=[share.certified for share in shares],
        orientation="h",
        name=f"right and certified at {radius:g}",
        marker={"color": CATEGORIES[0]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [share.high - share.certified for share in shares],
            "arrayminus": [share.certified - share.low for share in shares],
            "thickness": 1.3,
            "width": 4,
            "color": GREY,
        },
        hovertemplate="%{y}: %{x:.1%} certified<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="share of the class's images", tickformat=".0%", range=[0, 1])
    return styled(figure, "By true class (number of images)", 150 + 44 * max(1, len(names))).update_layout(
        barmode="group", legend={"y": -0.14, "yanchor": "top"}
    )


@dataclass(frozen=True)
class Projected:
    """Certified accuracy expected at several n for one alpha.

    Attributes:
        alpha: of the line.
        samples: n, ascending; ``certified``: at each.
        own: whether this alpha is the evaluation's own.
    """

    alpha: float
    samples: tuple[int, ...]
    certified: tuple[float, ...]
    own: bool


def samples_effect(lines: Sequence[Projected], measured: tuple[int, float], radius: float) -> go.Figure:
    """Certified accuracy at a radius against n, a line an alpha; the only measured point is a large mark.

    Args:
        measured: the evaluation's own n and certified accuracy.
    """
    figure = go.Figure()
    for place, line in enumerate(lines):
        colour = CATEGORIES[place % len(CATEGORIES)]
        figure.add_scatter(
            x=line.samples,
            y=line.certified,
            mode="lines+markers",
            name=f"projected, alpha {line.alpha:g}" + (" (its own)" if line.own else ""),
            line={"color": colour, "width": 2.5, "dash": DASHES[place % len(DASHES)]},
            marker={"symbol": f"{SYMBOLS[place % len(SYMBOLS)]}-open", "size": 9, "color": colour},
            hovertemplate="n = %{x:,}: %{y:.1%} expected<extra>%{fullData.name}</extra>",
        )
    figure.add_scatter(
        x=[measured[0]],
        y=[measured[1]],
        mode="markers",
        name="measured",
        marker={"size": 15, "symbol": "star", "color": GREY},
        hovertemplate="n = %{x:,}: %{y:.1%} measured<extra></extra>",
    )
    figure.update_xaxes(title="n, samples an image", type="log", dtick=1)
    figure.update_yaxes(title=f"right and certified at {radius:g}", tickformat=".0%", rangemode="tozero")
    return _below(styled(figure, "What more samples would buy, projected", HEIGHT), len(lines) + 1)


def _below(figure: go.Figure, entries: int) -> go.Figure:
    return figure.update_layout(legend={"y": -0.22, "yanchor": "top"}, height=HEIGHT + 22 * min(entries, 12), dragmode=False)
