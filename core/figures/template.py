"""One look for all figures: Okabe-Ito colours for categories, Cividis for magnitudes, nothing told by colour alone."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

# Okabe and Ito (2008), told apart by people with any colour vision. Black and yellow are left out: one of them vanishes
# on a light ground, the other on a dark one.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
GREY = "#8A8F98"
CATEGORIES = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION)
MAGNITUDES = "Cividis"

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


def styled(figure: go.Figure, title: str, height: int) -> go.Figure:
    """Give a figure the common look. Backgrounds are left to the page, so that light and dark both work."""
    return figure.update_layout(
        template=TEMPLATE,
        title={"text": title, "font": {"size": 16}, "x": 0, "xanchor": "left", "xref": "container"},
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )


def class_colours(counts: Sequence[int]) -> dict[int, str]:
    """A colour for each of the six classes with most votes; every other class is grey."""
    order = sorted((i for i, c in enumerate(counts) if c), key=lambda i: -counts[i])
    return {index: CATEGORIES[rank] if rank < len(CATEGORIES) else GREY for rank, index in enumerate(order)}
