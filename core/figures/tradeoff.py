"""What robustness costs: accuracy against certified accuracy along sigma, and both against samples, seconds and money."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from core.figures.template import DASHES, add_curve, add_line, add_marks, error_bars, marks, styled
from core.plain_text import figure_text
from core.report.notation import GREY
from core.smoothing.radius import asked_text

HEIGHT = 440
_CLICKS = {"clickmode": "event+select", "dragmode": False}


@dataclass(frozen=True)
class Spot:
    """One evaluation at a place, its y with an interval; ``label``: two or three words beside the mark, such as a sigma.
    ``key`` names its log to whoever hears of a click; those of one ``group`` share colour and marker, and ``order`` is the
    place along its path, as sigma."""

    name: str
    label: str
    key: str
    group: str
    order: float
    x: float
    y: float
    y_low: float
    y_high: float


@dataclass(frozen=True)
class Projected:
    """Certified accuracy expected at several n, ascending, for one alpha; ``own`` is the evaluation's."""

    alpha: float
    samples: tuple[int, ...]
    certified: tuple[float, ...]
    own: bool


def sigma_path(spots: Sequence[Spot], radius: float) -> go.Figure:
    """Clean accuracy (x) against certified accuracy at a radius (y); each group is a path from small sigma to large."""
    figure = go.Figure()
    _add_spots(figure, spots, lines=True, hover="right %{x:.1%}, certified %{y:.1%}")
    figure.update_xaxes(title="right, whatever the radius", tickformat=".0%")
    _certified_axis(figure, radius)
    return styled(figure, f"Accuracy against robustness at radius {asked_text(radius)}", HEIGHT, legend_at=-0.2, **_CLICKS)


def pareto_view(
    spots: Sequence[Spot], radius: float, cost: str, *, money: bool = False, projected: Sequence[Sequence[Spot]] = ()
) -> go.Figure:
    """Certified accuracy at a radius (y) against cost (x); a line joins those that no other beats at no more cost.
    ``projected``: for each evaluation a path of what other n would be expected to give; faint, and never part of the front."""
    hover = f"{'$' if money else ''}%{{x:,.4~g}}, certified %{{y:.1%}}"
    figure = go.Figure()
    groups = list(dict.fromkeys(spot.group for spot in spots))
    for number, path in enumerate(projected):
        colour, symbol = marks(groups.index(path[0].group))
        look: dict[str, Any] = {
            "width": 1.2,
            "dash": "dot",
            "size": 6,
            "opacity": 0.6,
            "unselected": {"marker": {"opacity": 1}},
        }
        look |= {"customdata": [[None, figure_text(spot.name)] for spot in path]}
        look |= {"name": "other n, projected", "legendgroup": "projected", "showlegend": number == 0}
        told = f"%{{customdata[1]}}<br>{hover} expected<extra></extra>"
        x, y = [spot.x for spot in path], [spot.y for spot in path]
        add_curve(figure, x, y, colour=colour, symbol=f"{symbol}-open", hover=told, **look)
    _add_spots(figure, spots, lines=False, hover=hover)
    front = pareto_front(spots)
    if len(front) > 1:
        x, y = [spot.x for spot in front], [spot.y for spot in front]
        name = "not beaten at this cost or less"
        add_line(figure, x, y, name=name, colour=GREY, dash="dash", width=2, shape="hv")
    costs = [spot.x for path in (spots, *projected) for spot in path]
    far_apart = max(costs, default=1.0) > 20 * min(costs, default=1.0)
    figure.update_xaxes(title=cost, type="log" if far_apart else "linear", tickprefix="$" if money else "")
    figure.update_xaxes(**({"dtick": 1} if far_apart else {"rangemode": "tozero"}))
    _certified_axis(figure, radius)
    return styled(figure, f"Robustness at radius {asked_text(radius)} against cost", HEIGHT, legend_at=-0.2, **_CLICKS)


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


def samples_effect(lines: Sequence[Projected], measured: tuple[int, float], radius: float) -> go.Figure:
    """Certified accuracy at a radius against n, a line an alpha; the only ``measured`` point, (n, share), is a large mark."""
    figure = go.Figure()
    for place, line in enumerate(lines):
        colour, symbol = marks(place)
        name = f"projected, alpha {line.alpha:g}" + (" (its own)" if line.own else "")
        look: dict[str, Any] = {"colour": colour, "symbol": f"{symbol}-open", "dash": DASHES[place % len(DASHES)]}
        look["hover"] = "n = %{x:,}: %{y:.1%} expected<extra>%{fullData.name}</extra>"
        add_curve(figure, line.samples, line.certified, name=name, **look)
    marker, hover = {"size": 15, "symbol": "star", "color": GREY}, "n = %{x:,}: %{y:.1%} measured<extra></extra>"
    add_marks(figure, [measured[0]], [measured[1]], name="measured", marker=marker, hover=hover)
    figure.update_xaxes(title="n, samples an image", type="log", dtick=1)
    _certified_axis(figure, radius)
    height = 422 + 22 * min(len(lines), 11)
    return styled(figure, "What more samples would buy, projected", height, legend_at=-0.22, dragmode=False)


def _certified_axis(figure: go.Figure, radius: float) -> None:
    figure.update_yaxes(title=f"right and certified at {asked_text(radius)}", tickformat=".0%", rangemode="tozero")


def _add_spots(figure: go.Figure, spots: Sequence[Spot], *, lines: bool, hover: str) -> None:
    # A word to the right of the rightmost marks would be cut off; where all lie at one place, they are the rightmost.
    middle = (min((spot.x for spot in spots), default=0.0) + max((spot.x for spot in spots), default=0.0)) / 2
    for place, group in enumerate(dict.fromkeys(spot.group for spot in spots)):
        mine = sorted((spot for spot in spots if spot.group == group), key=lambda spot: spot.order)
        colour, symbol = marks(place)
        x, y = [spot.x for spot in mine], [spot.y for spot in mine]
        look = {
            "text": [f" {spot.label} " for spot in mine],
            "mode": "lines+markers+text" if lines else "markers+text",
            "cliponaxis": False,
            "textposition": ["top left" if place >= middle else "top right" for place in x],
            "error_y": error_bars(y, [spot.y_low for spot in mine], [spot.y_high for spot in mine], colour),
            "customdata": [[spot.key, figure_text(spot.name)] for spot in mine],
            "unselected": {"marker": {"opacity": 1}},
            "hover": f"%{{customdata[1]}}<br>{hover}<extra></extra>",
        }
        add_curve(figure, x, y, name=figure_text(group), colour=colour, symbol=symbol, size=12, **look)
