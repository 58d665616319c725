"""What robustness costs: accuracy against certified accuracy along sigma, and both against samples, seconds and money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.figures.curves import SYMBOLS
from core.figures.template import styled
from core.report.notation import CATEGORIES, GREY

HEIGHT = 440


@dataclass(frozen=True)
class Spot:
    """One evaluation.

    Attributes:
        name: for people; ``label``: two or three words beside the mark, such as a sigma.
        key: names its log to whoever hears of a click.
        group: spots of one group share colour and marker.
        order: place along the path of its group, as sigma.
        x, y: where it is; ``y_low`` and ``y_high`` its interval.
    """

    name: str
    label: str
    key: str
    group: str
    order: float
    x: float
    y: float
    y_low: float
    y_high: float


def sigma_path(spots: Sequence[Spot], radius: float) -> go.Figure:
    """Clean accuracy against certified accuracy; each group is a path from small sigma to large.

    Args:
        spots: with ``x`` the clean accuracy and ``y`` the certified accuracy at ``radius``.
    """
    figure = _scatter(spots, lines=True, hover="right %{x:.1%}, certified %{y:.1%}")
    figure.update_xaxes(title="right, whatever the radius", tickformat=".0%")
    figure.update_yaxes(title=f"right and certified at {radius:g}", tickformat=".0%", rangemode="tozero")
    return styled(figure, f"Accuracy against robustness at radius {radius:g}", HEIGHT).update_layout(
        legend={"y": -0.2, "yanchor": "top"}, clickmode="event+select", dragmode=False
    )


def pareto_view(
    spots: Sequence[Spot], radius: float, cost: str, money: bool = False, projected: Sequence[Sequence[Spot]] = ()
) -> go.Figure:
    """Certified accuracy against cost; a line joins those that no other beats at no more cost.

    Args:
        spots: with ``x`` the cost and ``y`` the certified accuracy at ``radius``.
        cost: title of the x axis.
        money: whether x is in dollars.
        projected: for each evaluation a path of what other n would be expected to give; faint, and never part of the front.
    """
    hover = f"{'$' if money else ''}%{{x:,.4~g}}, certified %{{y:.1%}}"
    figure = go.Figure()
    groups = list(dict.fromkeys(spot.group for spot in spots))
    for number, path in enumerate(projected):
        place = groups.index(path[0].group)
        colour = CATEGORIES[place % len(CATEGORIES)]
        figure.add_scatter(
            x=[spot.x for spot in path],
            y=[spot.y for spot in path],
            mode="lines+markers",
            name="other n, projected",
            legendgroup="projected",
            showlegend=number == 0,
            line={"color": colour, "width": 1.2, "dash": "dot"},
            opacity=0.6,
            marker={"symbol": f"{SYMBOLS[place % len(SYMBOLS)]}-open", "size": 6, "color": colour},
            customdata=[[None, spot.name] for spot in path],
            unselected={"marker": {"opacity": 1}},
            hovertemplate=f"%{{customdata[1]}}<br>{hover} expected<extra></extra>",
        )
    figure.add_traces(_scatter(spots, lines=False, hover=hover).data)
    front = pareto_front(spots)
    if len(front) > 1:
        figure.add_scatter(
            x=[spot.x for spot in front],
            y=[spot.y for spot in front],
            mode="lines",
            name="not beaten at this cost or less",
            line={"color": GREY, "width": 2, "dash": "dash", "shape": "hv"},
            hoverinfo="skip",
        )
    costs = [spot.x for path in (spots, *projected) for spot in path]
    far_apart = max(costs, default=1.0) > 20 * min(costs, default=1.0)
    figure.update_xaxes(title=cost, type="log" if far_apart else "linear", tickprefix="$" if money else "")
    figure.update_xaxes(**({"dtick": 1} if far_apart else {"rangemode": "tozero"}))
    figure.update_yaxes(title=f"right and certified at {radius:g}", tickformat=".0%", rangemode="tozero")
    return styled(figure, f"Robustness at radius {radius:g} against cost", HEIGHT).update_layout(
        legend={"y": -0.2, "yanchor": "top"}, clickmode="event+select", dragmode=False
    )


def pareto_front(spots: Sequence[Spot]) -> list[Spot]:
    """Those that none with at most their cost beats, by rising cost.

    >>> def spot(x, y): return Spot("", "", "", "", 0, x, y, y, y)
    >>> [(s.x, s.y) for s in pareto_front([spot(1, .5), spot(2, .4), spot(3, .7), spot(1, .2)])]
    [(1, 0.5), (3, 0.7)]
    """
    front: list[Spot] = []
    for spot in sorted(spots, key=lambda s: (s.x, -s.y)):
        if not front or spot.y > front[-1].y:
            front.append(spot)
    return front


def tradeoff_alt(spots: Sequence[Spot], x: str, y: str) -> str:
    """What such a figure shows, in words."""
    parts = [f"{spot.name}: {x} {spot.x:.3g}, {y} {spot.y:.3g}" for spot in spots[:8]]
    more = f"; and {len(spots) - 8} more" if len(spots) > 8 else ""
    return f"Scatter of {len(spots)} evaluations. {'; '.join(parts)}{more}."


def _scatter(spots: Sequence[Spot], *, lines: bool, hover: str) -> go.Figure:
    figure = go.Figure()
    # A word to the right of the rightmost marks would be cut off; where all lie at one place, they are the rightmost.
    middle = (min((spot.x for spot in spots), default=0.0) + max((spot.x for spot in spots), default=0.0)) / 2
    for place, group in enumerate(dict.fromkeys(spot.group for spot in spots)):
        mine = sorted((spot for spot in spots if spot.group == group), key=lambda spot: spot.order)
        colour = CATEGORIES[place % len(CATEGORIES)]
        figure.add_scatter(
            x=[spot.x for spot in mine],
            y=[spot.y for spot in mine],
            name=group,
            text=[f" {spot.label} " for spot in mine],
            mode="lines+markers+text" if lines else "markers+text",
            cliponaxis=False,
            textposition=["top left" if spot.x >= middle else "top right" for spot in mine],
            line={"color": colour, "width": 2.5},
            marker={"symbol": SYMBOLS[place % len(SYMBOLS)], "size": 12, "color": colour},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [spot.y_high - spot.y for spot in mine],
                "arrayminus": [spot.y - spot.y_low for spot in mine],
                "thickness": 1.2,
                "width": 4,
                "color": colour,
            },
            customdata=[[spot.key, spot.name] for spot in mine],
            unselected={"marker": {"opacity": 1}},
            hovertemplate=f"%{{customdata[1]}}<br>{hover}<extra></extra>",
        )
    return figure
