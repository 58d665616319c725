"""The certified radius against its ceiling, and how bound and radius grow with the samples."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.figures.template import styled
from core.report.notation import BLUE, GREY, ORANGE, norm_name, radius_text
from core.smoothing.certificate import GrowthPoint


def radius_bar(named: tuple[str, float], ceiling: float, other: tuple[str, float] | None = None, norm: str = "l2") -> go.Figure:
    """The radius as a bar from 0 to the greatest that this n and alpha could show.

    Args:
        named: what to call the run, and its certified radius; 0 where it abstains.
        ceiling: the radius if every vote were the same.
        other: the same of a run to compare with, such as the one without a denoiser.
        norm: of all of them.
    """
    names, values = zip(*([named] if other is None else [named, other]), strict=True)
    colours = [BLUE, ORANGE][: len(names)]
    figure = go.Figure()
    figure.add_bar(
        x=[ceiling] * len(names), y=names, orientation="h", marker={"color": GREY, "opacity": 0.25}, hoverinfo="skip", width=0.6
    )
    figure.add_bar(
        x=values,
        y=names,
        orientation="h",
        marker_color=colours,
        width=0.6,
        text=[radius_text(v) if v else "0 (abstains)" for v in values],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: radius %{x:.4f}<extra></extra>",
    )
    figure.update_layout(barmode="overlay", showlegend=False)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(
        title=f"{norm_name(norm)} radius (ceiling of this run: {radius_text(ceiling)})", range=[0, ceiling * 1.12]
    )
    return styled(figure, "Certified radius", 110 + 46 * len(names))


def growth(points: Sequence[GrowthPoint], until_radius: float | None = None) -> go.Figure:
    """The anytime lower bound (above) and the radius it certifies (below) against the samples counted so far.

    Args:
        points: how it grew.
        until_radius: the radius that is to be settled, drawn as a line; None where there is none.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    samples = [p.samples for p in points]
    figure.add_scatter(
        x=samples,
        y=[p.p_lower for p in points],
        mode="lines",
        line={"color": BLUE, "width": 3},
        name="lower bound",
        row=1,
        col=1,
    )
    figure.add_hline(y=0.5, line={"color": GREY, "dash": "dot"}, row=1, col=1)
    figure.add_scatter(
        x=samples, y=[p.radius for p in points], mode="lines", line={"color": BLUE, "width": 3}, name="radius", row=2, col=1
    )
    figure.add_scatter(
        x=samples,
        y=[p.ceiling for p in points],
        mode="lines",
        line={"color": ORANGE, "dash": "dash", "width": 2},
        name="ceiling",
        row=2,
        col=1,
    )
    if points:
        for value, name, where in ((points[-1].ceiling, "ceiling", "bottom"), (points[-1].radius, "certified", "top")):
            figure.add_annotation(
                x=samples[-1], y=value, text=name, showarrow=False, xanchor="right", yanchor=where, row=2, col=1
            )
    if until_radius is not None:
        figure.add_hline(
            y=until_radius,
            line={"color": GREY, "dash": "dot"},
            annotation={"text": "asked for"},
            annotation_position="top left",
            row=2,
            col=1,
        )
    figure.update_yaxes(title="bound on p", range=[0, 1.02], row=1, col=1)
    figure.update_yaxes(title="radius", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title="samples counted", row=2, col=1)
    figure.update_layout(showlegend=False)
    return styled(figure, "The certificate grows with the samples", 380)


def growth_alt(points: Sequence[GrowthPoint]) -> str:
    """What the growth figure shows, in words."""
    if not points:
        return "Line chart, still empty."
    last = points[-1]
    return (
        f"Two line charts against samples: after {last.samples:,} samples the lower bound is {last.p_lower:.3f} and the"
        f" certified radius {radius_text(last.radius)}, of at most {radius_text(last.ceiling)}."
    )
