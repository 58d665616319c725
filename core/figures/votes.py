"""The vote: bars a class, and an icon array of one hundred copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.figures.template import styled
from core.report.notation import GREY, class_colours, class_name

ICONS = ("square", "circle", "diamond", "cross", "triangle-up", "star")


def vote_bars(
    counts: Sequence[int],
    labels: Sequence[str] | None,
    title: str = "Votes of the noisy copies",
    colours: Mapping[int, str] | None = None,
) -> go.Figure:
    """Horizontal bars of the classes with votes, most first, at most six and the rest together.

    ``colours`` gives a class the same colour in figures to be compared; by default colour follows rank.
    """
    own = class_colours(counts)
    colours = colours or own
    total = max(1, sum(counts))
    shown = list(own)[:6]
    names = [class_name(i, labels) for i in shown]
    votes = [counts[i] for i in shown]
    fill = [colours.get(i, GREY) for i in shown]
    rest = sum(counts) - sum(votes)
    if rest:
        names, votes, fill = [*names, "all others"], [*votes, rest], [*fill, GREY]
    figure = go.Figure(
        go.Bar(
            x=votes,
            y=names,
            orientation="h",
            marker_color=fill,
            text=[f"{v:,} ({v / total:.1%})" for v in votes],
            textposition="auto",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:,} votes<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title="votes", range=[0, total])
    return styled(figure, title, 130 + 36 * max(1, len(names)))


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
    icons = of_hundred(counts)
    figure = go.Figure()
    for rank, index in enumerate(own):
        places = [place for place, owner in enumerate(icons) if owner == index]
        if not places:
            continue
        figure.add_scatter(
            x=[place % 10 for place in places],
            y=[-(place // 10) for place in places],
            mode="markers",
            marker={"symbol": ICONS[min(rank, 5)], "size": 15, "color": colours.get(index, GREY)},
            name=f"{class_name(index, labels)} {len(places)}",
            hovertemplate=f"{class_name(index, labels)}<extra></extra>",
        )
    figure.update_xaxes(visible=False, range=[-0.6, 9.6])
    figure.update_yaxes(visible=False, range=[-9.6, 0.6], scaleanchor="x")
    title = f"{icons.count(icons[0])} in 100 copies said {class_name(icons[0], labels)}" if icons else "No votes yet"
    return styled(figure, title, 380, legend_at=-0.02, showlegend=True, margin={"l": 8, "r": 8, "b": 8})
