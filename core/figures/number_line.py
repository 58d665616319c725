"""How far a picture may be changed: what is certified, what attacks needed, and the gap between, on one line."""

from __future__ import annotations

import plotly.graph_objects as go

from core.figures.template import styled
from core.report.notation import BLUE, GREY, ORANGE, VERMILION, norm_name


def number_line(
    certified: float, smoothed: float | None, base: float | None, norm: str, shown: float | None = None
) -> go.Figure:
    """A line from 0: the certified stretch, then a mark for each smallest successful attack that was found.

    Args:
        certified: certified radius in ``norm``; 0 where it abstains.
        smoothed, base: smallest successful attack found on the smoothed classifier and on the base classifier alone; None
            where none was found.
        norm: ``l2``, ``linf`` or ``l1``.
        shown: size of the change that the strip shows.
    """
    far = max(value for value in (certified, smoothed, base, shown, 1e-6) if value is not None) * 1.15
    figure = go.Figure()
    figure.add_shape(type="line", x0=0, x1=far, y0=0, y1=0, line={"color": GREY, "width": 2}, layer="below")
    if certified > 0:
        figure.add_shape(type="line", x0=0, x1=certified, y0=0, y1=0, line={"color": BLUE, "width": 12}, layer="below")
    if smoothed is not None and smoothed > certified > 0:
        figure.add_shape(
            type="line", x0=certified, x1=smoothed, y0=0, y1=0, line={"color": GREY, "width": 6, "dash": "dot"}, layer="below"
        )
    marks = (
        ("certified radius", certified if certified > 0 else None, BLUE, "line-ns-open", 26),
        ("smallest attack on the base classifier", base, VERMILION, "x", 13),
        ("smallest attack on the smoothed classifier", smoothed, ORANGE, "diamond", 15),
        ("the change shown", shown, GREY, "circle-open", 15),
    )
    for name, value, colour, symbol, size in marks:
        if value is not None:
            figure.add_scatter(
                x=[value],
                y=[0],
                mode="markers",
                name=f"{name}: {value:.3f}",
                hovertemplate=f"{name}: %{{x:.4f}}<extra></extra>",
                marker={"color": colour, "symbol": symbol, "size": size, "line": {"width": 3, "color": colour}},
            )
    figure.update_xaxes(range=[0, far], title=f"{norm_name(norm)} size of the change, pixels in [0, 1]")
    figure.update_yaxes(visible=False, range=[-1, 1])
    styled(figure, "How far until the answer changes", 260)
    return figure.update_layout(legend={"orientation": "h", "y": -0.45, "x": 0}, margin={"b": 110})


def number_line_alt(certified: float, smoothed: float | None, base: float | None, norm: str) -> str:
    """The same in words."""
    parts = [f"Certified {norm_name(norm)} radius {certified:.3f}" if certified > 0 else "Nothing is certified"]
    parts.append(f"smallest attack found on the base classifier {base:.3f}" if base is not None else "")
    parts.append(f"on the smoothed classifier {smoothed:.3f}" if smoothed is not None else "")
    return "; ".join(part for part in parts if part) + "."
