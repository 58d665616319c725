"""One look for all figures: Okabe-Ito colours for categories, Cividis for magnitudes, nothing told by colour alone."""

from __future__ import annotations

import plotly.graph_objects as go

from core.report.notation import CATEGORIES

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
