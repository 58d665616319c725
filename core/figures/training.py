"""The curves of a training: loss, PSNR and agreement over the seconds of computing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.figures.template import DASHES, styled
from core.report.notation import BLUE, CATEGORIES, GREY, ORANGE

if TYPE_CHECKING:
    from core.training.validation import Moment

LOSSES = [digit * 10.0**power for power in range(-4, 3) for digit in (1, 2, 5)]
"""Where the axis of the loss is labelled."""
PHASES = {"mse": "MSE", "stab": "STAB"}


def training_curves(moments: Sequence[Moment], best: Moment | None) -> go.Figure:
    """Training loss on the left (logarithmic, a line for each objective), PSNR of the held-out pictures on the right."""
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.12, subplot_titles=("Training loss", "PSNR, dB"))
    for (phase, title), colour in zip(PHASES.items(), (ORANGE, BLUE), strict=True):
        part = [m for m in moments if m.phase == phase and math.isfinite(m.loss)]
        if part:
            x, y = [m.seconds for m in part], [m.loss for m in part]
            line = {"color": colour, "dash": "solid" if phase == "stab" else "dash"}
            look = {"mode": "lines+markers", "line": line, "marker": {"size": 5}}
            figure.add_scatter(x=x, y=y, name=f"loss, {title}", row=1, col=1, **look)
    for number, sigma in enumerate(moments[0].measured.psnr if moments else ()):
        line = {"color": CATEGORIES[(number + 2) % len(CATEGORIES)], "dash": DASHES[number % len(DASHES)]}
        x, y = [m.seconds for m in moments], [m.measured.psnr[sigma] for m in moments]
        figure.add_scatter(x=x, y=y, name=f"PSNR, sigma {sigma:g}", mode="lines", line=line, row=1, col=2)
    if best is not None and best.step:
        figure.add_vline(best.seconds, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_yaxes(type="log", tickvals=LOSSES, tickformat="~g", row=1, col=1)
    figure.update_xaxes(title_text="seconds of computing", rangemode="tozero")
    return styled(figure, "", 330, legend_at=-0.28, margin={"t": 40, "b": 110})


def training_alt(moments: Sequence[Moment], best: Moment | None) -> str:
    """The curves in a sentence or two."""
    seen = [m for m in moments if math.isfinite(m.loss)]
    if not seen:
        return "Training loss and PSNR over time: nothing was measured yet."
    first, last = moments[0].measured.psnr, seen[-1].measured.psnr
    told = ", ".join(f"from {first[s]:.1f} to {last[s]:.1f} dB at sigma {s:g}" for s in last)
    kept = f" The best moment is second {best.seconds:.0f}." if best is not None and best.step else ""
    return f"Training loss from {seen[0].loss:.3g} to {seen[-1].loss:.3g} in {seen[-1].seconds:.0f} s; PSNR {told}.{kept}"
