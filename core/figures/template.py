"""One look for all figures, and the traces that most of them are made of; nothing is told by colour alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.plain_text import file_name, html_text
from core.report.notation import CATEGORIES

Numbers = Sequence[float] | NDArray[np.float64]

MAGNITUDES = "Cividis"
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star", "cross")
GROUND, INK = "#FFFFFF", "#1B2733"
"""Of what is saved, which is always on a light ground."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

TEMPLATE = go.layout.Template(
    layout={
        "colorway": list(CATEGORIES),
        "font": {"family": "Source Sans Pro, Source Sans 3, Helvetica, Arial, sans-serif", "size": 15},
        "margin": {"l": 56, "r": 16, "t": 44, "b": 44},
        "hoverlabel": {"font": {"size": 14}},
        "xaxis": {"zeroline": False, "automargin": True},
        "yaxis": {"zeroline": False, "automargin": True},
        "legend": {"orientation": "h", "y": 1.12, "x": 0},
    }
)


def styled(figure: go.Figure, title: str, height: int, *, legend_at: float | None = None, **layout: Any) -> go.Figure:
    """Give a figure the common look. Backgrounds are left to the page, so that light and dark both work.
    ``legend_at`` is the upper end of a legend below the axes, in heights of the plot."""
    if legend_at is not None:
        figure.update_layout(legend={"y": legend_at, "yanchor": "top"})
    return figure.update_layout(
        template=TEMPLATE,
        title={"text": title, "font": {"size": 16}, "x": 0, "xanchor": "left", "xref": "container"} if title else None,
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        **layout,
    )


def marks(place: int, names: Sequence[str] = SYMBOLS) -> tuple[str, str]:
    """Colour and marker of the category at a place; both start again after the last."""
    return CATEGORIES[place % len(CATEGORIES)], names[place % len(names)]


def tint(colour: str, opacity: float) -> str:
    """A colour to fill areas with.

    >>> tint("#0072B2", 0.25)
    'rgba(0,114,178,0.25)'
    """
    return "rgba({},{},{},{})".format(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)), opacity)


def error_bars(values: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> dict[str, Any]:
    """From ``low`` to ``high``, thin, as Plotly takes them."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [upper - value for value, upper in zip(values, high, strict=True)],
        "arrayminus": [value - lower for value, lower in zip(values, low, strict=True)],
        "thickness": 1.2,
        "width": 4,
        "color": colour,
    }


def add_line(
    figure: go.Figure,
    x: Numbers,
    y: Numbers,
    *,
    name: str,
    colour: str,
    dash: str = "solid",
    width: float = 3,
    hover: str | None = None,
    **more: Any,
) -> None:
    """A line, of steps where a ``shape`` says so; ``hover`` is what it tells where the mouse is over it, nothing by default."""
    line = {"color": colour, "dash": dash, "width": width, "shape": more.pop("shape", "linear")}
    figure.add_scatter(**({"x": x, "y": y, "mode": "lines", "name": name, "line": line} | _told(hover) | more))


def add_curve(figure: go.Figure, x: Numbers, y: Numbers, *, colour: str, symbol: str, size: float = 9, **more: Any) -> None:
    """A line with marks, whose ``marker`` may say more; the rest as for :func:`add_line`."""
    marker = {"symbol": symbol, "size": size, "color": colour} | more.pop("marker", {})
    add_line(figure, x, y, **({"colour": colour, "width": 2.5, "mode": "lines+markers", "marker": marker} | more))


def add_marks(
    figure: go.Figure, x: Any, y: Any, *, name: str, marker: dict[str, Any], hover: str | None = None, **more: Any
) -> None:
    """Marks without a line; ``hover`` as for :func:`add_line`."""
    figure.add_scatter(**({"x": x, "y": y, "mode": "markers", "name": name, "marker": marker} | _told(hover) | more))


def add_bars(
    figure: go.Figure, lengths: Any, names: Any, marker: dict[str, Any], hover: str | None = None, **more: Any
) -> None:
    """Horizontal bars, a name each, from the top down; ``hover`` as for :func:`add_line`."""
    figure.add_bar(x=lengths, y=names, orientation="h", marker=marker, **(_told(hover) | more))
    figure.update_yaxes(autorange="reversed", type="category")


def _told(hover: str | None) -> dict[str, str]:
    return {"hoverinfo": "skip"} if hover is None else {"hovertemplate": hover}


def add_area(figure: go.Figure, x: Numbers, y: Numbers, fill: str, *, to: str = "tozeroy", **more: Any) -> None:
    """The area below a curve, or within it, without an edge; in the legend where ``more`` has it there."""
    area = {"mode": "lines", "line": {"width": 0}, "fill": to, "fillcolor": fill, "showlegend": False, "hoverinfo": "skip"}
    figure.add_scatter(x=x, y=y, **(area | more))


def stand_alone(drawn: Sequence[tuple[go.Figure, str]], name: str) -> str:
    """A page of HTML with figures and their texts, which needs no network and no other file; always on a light ground."""
    several = len(drawn) > 1
    parts = []
    for place, (figure, alt) in enumerate(drawn):
        light = go.Figure(figure).update_layout(paper_bgcolor=GROUND, plot_bgcolor=GROUND, font_color=INK, autosize=True)
        if not several:
            light.update_layout(height=None)
        config: dict[str, Any] = {"displaylogo": False, "responsive": True}
        config["toImageButtonOptions"] = {"format": "svg", "filename": file_name(name)}
        size = "480px" if several else "80vh"
        chart = light.to_html(include_plotlyjs=place == 0, full_html=False, default_height=size, config=config)
        words = html_text(alt)
        shown = f"{chart}<figcaption>{words}</figcaption>"
        parts.append(f'<figure role="img" aria-label="{words}" style="margin:0 0 2rem">{shown}</figure>\n')
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html_text(name)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>\n'
        f'<body style="background:{GROUND};color:{INK};font-family:sans-serif;margin:1rem">\n{"".join(parts)}</body></html>\n'
    )
