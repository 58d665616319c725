"""A certificate drawn: the votes, the radius against its ceiling, both as samples come, and the radius beside attacks."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.figures.template import add_bars, add_line, add_marks, styled
from core.plain_text import figure_text
from core.report.notation import BLUE, GREY, ORANGE, VERMILION, class_colours, class_name, norm_name, radius_text
from core.report.words import NamedRadius
from core.smoothing.certificate import GrowthPoint
from core.smoothing.radius import floored

ICONS = ("square", "circle", "diamond", "cross", "triangle-up", "star")


def vote_bars(
    counts: Sequence[int],
    labels: Sequence[str] | None,
    title: str = "Votes of the noisy copies",
    colours: Mapping[int, str] | None = None,
) -> go.Figure:
    """Horizontal bars of the classes with votes, most first, at most six and the rest together.
    ``colours`` gives a class the same colour in figures to be compared; by default colour follows rank."""
    own = class_colours(counts)
    colours = colours or own
    total = max(1, sum(counts))
    shown = list(own)[:6]
    names = _apart([figure_text(class_name(i, labels)) for i in shown], shown)
    votes = [counts[i] for i in shown]
    fill = [colours.get(i, GREY) for i in shown]
    rest = sum(counts) - sum(votes)
    if rest:
        names, votes, fill = [*names, "all others"], [*votes, rest], [*fill, GREY]
    figure, hover = go.Figure(), "%{y}: %{x:,} votes<extra></extra>"
    told = [f"{v:,} ({v / total:.1%})" for v in votes]
    add_bars(figure, votes, names, {"color": fill}, hover=hover, text=told, textposition="auto", cliponaxis=False)
    figure.update_xaxes(title="votes", range=[0, total])
    return styled(figure, title, 130 + 36 * max(1, len(names)))


def _apart(names: list[str], classes: Sequence[int]) -> list[str]:
    """Two classes of one name, or whose names are cut to one, are two bars all the same."""
    return [name if names.count(name) == 1 else f"{name} ({index})" for name, index in zip(names, classes, strict=True)]


def votes_alt(counts: Sequence[int], labels: Sequence[str] | None) -> str:
    """What the bars show, in words."""
    total = sum(counts)
    parts = [f"{class_name(i, labels)} {counts[i]:,}" for i in list(class_colours(counts))[:4]]
    return f"Bar chart of {total:,} votes: {', '.join(parts)}."


def of_hundred(counts: Sequence[int]) -> list[int]:
    """Share 100 icons among the classes by their votes; returns class indices, most votes first.

    The leading class is rounded down, so that a vote that was not unanimous never looks so; the rest share what is left,
    largest remainders first.

    >>> of_hundred([994, 3, 3]).count(0), of_hundred([5, 0]).count(0), len(of_hundred([2, 1, 1]))
    (99, 100, 100)
    """
    total = sum(counts)
    if not total:
        return []
    order = sorted((i for i, c in enumerate(counts) if c), key=lambda i: -counts[i])
    leader, others = order[0], order[1:]
    icons = {leader: 100 * counts[leader] // total} | dict.fromkeys(others, 0)
    left = 100 - icons[leader]
    rest = total - counts[leader]
    exact = {i: left * counts[i] / rest for i in others}
    for index in others:
        icons[index] = int(exact[index])
    for index in sorted(others, key=lambda i: icons[i] - exact[i])[: 100 - sum(icons.values())]:
        icons[index] += 1
    return [index for index in order for _ in range(icons[index])]


def icon_array(counts: Sequence[int], labels: Sequence[str] | None, colours: Mapping[int, str] | None = None) -> go.Figure:
    """One hundred icons, each for one in a hundred copies; colour and shape tell the class. ``colours`` as in the bars."""
    own = class_colours(counts)
    colours = colours or own
    icons, names = of_hundred(counts), {index: figure_text(class_name(index, labels)) for index in own}
    figure = go.Figure()
    for rank, index in enumerate(own):
        places = [place for place, owner in enumerate(icons) if owner == index]
        if not places:
            continue
        x, y, said = [place % 10 for place in places], [-(place // 10) for place in places], names[index]
        marker = {"symbol": ICONS[min(rank, 5)], "size": 15, "color": colours.get(index, GREY)}
        add_marks(figure, x, y, name=f"{said} {len(places)}", marker=marker, hover=f"{said}<extra></extra>")
    figure.update_xaxes(visible=False, range=[-0.6, 9.6])
    figure.update_yaxes(visible=False, range=[-9.6, 0.6], scaleanchor="x")
    title = f"{icons.count(icons[0])} in 100 copies said {names[icons[0]]}" if icons else "No votes yet"
    return styled(figure, title, 380, legend_at=-0.02, showlegend=True, margin={"l": 8, "r": 8, "b": 8})


def radius_bar(run: NamedRadius, ceiling: float, beside: NamedRadius | None = None, norm: str = "l2") -> go.Figure:
    """The radius as a bar from 0 to the greatest that this n and alpha could show, were every vote the same.
    ``run`` has the radius 0 where it abstains; ``beside`` is a run to compare with. Bars of another class than the clean
    picture's are hatched: a longer one is no merit."""
    runs = [run] if beside is None else [run, beside]
    names = [figure_text(one.name) + (f"<br>not {figure_text(one.clean)}" if one.clean else "") for one in runs]
    values = [one.radius for one in runs]
    figure = go.Figure()
    add_bars(figure, [ceiling] * len(names), names, {"color": GREY, "opacity": 0.25}, width=0.6)
    fill = {"color": [BLUE, ORANGE][: len(names)], "pattern": {"shape": ["/" if one.clean else "" for one in runs]}}
    text = [radius_text(v) if v else "0 (abstains)" for v in values]
    told: dict[str, Any] = {"text": text, "textposition": "outside", "cliponaxis": False}
    told |= {"customdata": [floored(v, ".4f") for v in values], "hover": "%{y}: radius %{customdata}<extra></extra>"}
    add_bars(figure, values, names, fill, width=0.6, **told)
    title = f"{norm_name(norm)} radius (ceiling of this run: {radius_text(ceiling)})"
    figure.update_xaxes(title=title, range=[0, ceiling * 1.12])
    return styled(figure, "Certified radius", 110 + 46 * len(names), barmode="overlay", showlegend=False)


def growth(points: Sequence[GrowthPoint], until_radius: float | None = None) -> go.Figure:
    """The anytime lower bound (above) and its radius (below) against samples, with a line at a radius that is to be settled."""
    figure = go.Figure(_growth_axes(until_radius))
    samples = [p.samples for p in points]
    for trace, name in zip(figure.data, ("p_lower", "radius", "ceiling"), strict=True):
        trace.update(x=samples, y=[getattr(p, name) for p in points])
    if points:
        for value, name, where in ((points[-1].ceiling, "ceiling", "bottom"), (points[-1].radius, "certified", "top")):
            at = {"x": samples[-1], "y": value, "xref": "x2", "yref": "y2", "xanchor": "right", "yanchor": where}
            figure.add_annotation(text=name, showarrow=False, **at)
    return figure


@lru_cache(maxsize=8)
def _growth_axes(until_radius: float | None) -> go.Figure:
    """All but the data: drawn many times a second while certificates grow, and 16 ms of work."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    for name, row, colour, dash, width in (
        ("lower bound", 1, BLUE, "solid", 3.0),
        ("radius", 2, BLUE, "solid", 3.0),
        ("ceiling", 2, ORANGE, "dash", 2.0),
    ):
        look: dict[str, Any] = {"colour": colour, "dash": dash, "width": width, "row": row, "col": 1}
        add_line(figure, [], [], name=name, hoverinfo=None, **look)
    figure.add_hline(y=0.5, line={"color": GREY, "dash": "dot"}, row=1, col=1)
    if until_radius is not None:
        asked: dict[str, Any] = {"annotation": {"text": "asked for"}, "annotation_position": "top left"}
        figure.add_hline(y=until_radius, line={"color": GREY, "dash": "dot"}, row=2, col=1, **asked)
    figure.update_yaxes(title="bound on p", range=[0, 1.02], row=1, col=1)
    figure.update_yaxes(title="radius", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title="samples counted", row=2, col=1)
    return styled(figure, "The certificate grows with the samples", 380, showlegend=False)


def growth_alt(points: Sequence[GrowthPoint]) -> str:
    """What the growth figure shows, in words."""
    if not points:
        return "Line chart, still empty."
    last = points[-1]
    return (
        f"Two line charts against samples: after {last.samples:,} samples the lower bound is {floored(last.p_lower, '.3f')} and"
        f" the certified radius {radius_text(last.radius)}, of at most {radius_text(last.ceiling)}."
    )


def number_line(
    certified: float, smoothed: float | None, base: float | None, norm: str, shown: float | None = None
) -> go.Figure:
    """How far a picture may be changed, on a line from 0: the certified stretch (0: abstains), and the smallest successful
    attacks found on the smoothed and the base classifier (None: none was); ``shown`` is the size of the change in the strip.
    """
    far = max(value for value in (certified, smoothed, base, shown, 1e-6) if value is not None) * 1.15
    stretches = [(0.0, far, {"color": GREY, "width": 2})]
    if certified > 0:
        stretches.append((0.0, certified, {"color": BLUE, "width": 12}))
    if smoothed is not None and smoothed > certified > 0:
        stretches.append((certified, smoothed, {"color": GREY, "width": 6, "dash": "dot"}))
    figure = go.Figure()
    for start, end, line in stretches:
        figure.add_shape(type="line", x0=start, x1=end, y0=0, y1=0, line=line, layer="below")
    for name, value, colour, symbol, size in (
        ("certified radius", certified if certified > 0 else None, BLUE, "line-ns-open", 26),
        ("smallest attack on the base classifier", base, VERMILION, "x", 13),
        ("smallest attack on the smoothed classifier", smoothed, ORANGE, "diamond", 15),
        ("the change shown", shown, GREY, "circle-open", 15),
    ):
        if value is not None:
            marker = {"color": colour, "symbol": symbol, "size": size, "line": {"width": 3, "color": colour}}
            hover = f"{name}: %{{x:.4f}}<extra></extra>"
            add_marks(figure, [value], [0], name=f"{name}: {value:.3f}", marker=marker, hover=hover)
    figure.update_xaxes(range=[0, far], title=f"{norm_name(norm)} size of the change, pixels in [0, 1]")
    figure.update_yaxes(visible=False, range=[-1, 1])
    below = {"orientation": "h", "y": -0.45, "x": 0}
    return styled(figure, "How far until the answer changes", 260, legend=below, margin={"b": 110})


def number_line_alt(certified: float, smoothed: float | None, base: float | None, norm: str) -> str:
    """The same in words."""
    parts = [f"Certified {norm_name(norm)} radius {radius_text(certified)}" if certified > 0 else "Nothing is certified"]
    parts += [] if base is None else [f"smallest attack found on the base classifier {base:.3f}"]
    parts += [] if smoothed is None else [f"on the smoothed classifier {smoothed:.3f}"]
    return "; ".join(parts) + "."
