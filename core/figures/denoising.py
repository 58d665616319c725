"""What denoisers did, as figures: panels that zoom together, and the sweep over sigma."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from core.figures.template import styled
from core.pictures.pixels import to_picture
from core.pictures.reading import data_uri
from core.report.notation import BLUE, CATEGORIES, GREY, VERMILION
from core.studies.comparison import NOISY, Closeup, Summary

# Blue and vermilion are equally dark, so the sign is told by hue and the size by lightness; grey stands for nothing.
DIVERGING = [[0.0, BLUE], [0.5, "#E6E8EC"], [1.0, VERMILION]]
DASHES = ("solid", "dash", "dashdot", "longdash")
SYMBOLS = ("square", "diamond", "triangle-up", "star")
ROWS = ("out", "taken", "wrong")
PANEL, WIDE_PANEL = 168, 230
"""Height of a panel in pixels: where there are more than three columns, and where there are fewer."""
PANELS_AROUND = 200
"""Pixels of titles, gaps, colour bar and margins around three rows of panels."""
DODGE = 0.004
"""Sigma by which the lines stand apart, so that their bars can be told apart."""


def map_limit(closeups: Sequence[Closeup]) -> float:
    """One scale for all signed maps: what 99% of their values stay within, so that one pixel does not pale the rest."""
    values = np.concatenate([m.abs().flatten().numpy() for c in closeups for m in (c.taken, c.wrong)])
    return max(float(np.quantile(values, 0.99)), 1e-3)


def linked_panels(clean: Tensor, closeups: Sequence[Closeup], titles: Mapping[str, str]) -> go.Figure:
    """Three rows of panels that zoom and pan in step: what came out, what was taken away, what is wrong.

    The first column is the yardstick of each row: the noisy copy, the true noise, the clean picture.

    Args:
        clean: (3, H, W).
        closeups: from :func:`core.studies.comparison.close_up`; the noisy copy among them comes first.
        titles: of the denoisers, by reference.
    """
    height, width = clean.shape[1:]
    ordered = sorted(closeups, key=lambda c: c.denoiser != NOISY)
    figure = make_subplots(
        rows=3,
        cols=len(ordered),
        horizontal_spacing=0.012,
        vertical_spacing=0.06,
        subplot_titles=[
            *(broken(titles[c.denoiser]) for c in ordered),
            "true noise",
            *["taken away"] * (len(ordered) - 1),
            "original",
            *["still wrong"] * (len(ordered) - 1),
        ],
    )
    for column, closeup in enumerate(ordered, 1):
        noisy = closeup.denoiser == NOISY
        _add_picture(figure, closeup.picture, 1, column)
        # Of the noisy copy itself, what is wrong is the noise.
        _add_map(figure, closeup.wrong if noisy else closeup.taken, 2, column)
        if noisy:
            _add_picture(figure, clean, 3, column)
        else:
            _add_map(figure, closeup.wrong, 3, column)
    figure.update_xaxes(matches="x", visible=False, range=[-0.5, width - 0.5], constrain="domain")
    figure.update_yaxes(
        matches="y", visible=False, range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain", constraintoward="top"
    )
    limit = map_limit(ordered)
    figure.update_layout(
        dragmode="zoom",
        coloraxis={
            "colorscale": DIVERGING,
            "cmin": -limit,
            "cmax": limit,
            "colorbar": {
                "orientation": "h",
                "y": -0.02,
                "yanchor": "top",
                "thickness": 12,
                "len": 0.9,
                "outlinewidth": 0,
                "tickvals": [-limit, 0, limit],
                "ticktext": [f"darker by {limit:.2f}<br>or more", "no change", f"brighter by {limit:.2f}<br>or more"],
            },
        },
    )
    figure = styled(figure, "", 3 * (PANEL if len(ordered) > 3 else WIDE_PANEL) + 136)
    figure.update_annotations(font={"size": 13})
    return figure.update_layout(title=None, margin={"l": 4, "r": 4, "t": 72, "b": 64})


def _add_picture(figure: go.Figure, pixels: Tensor, row: int, column: int) -> None:
    figure.add_trace(
        go.Image(source=data_uri(to_picture(pixels)), hovertemplate="column %{x}, row %{y}<extra></extra>"), row, column
    )


def _add_map(figure: go.Figure, values: Tensor, row: int, column: int) -> None:
    figure.add_trace(
        go.Heatmap(z=values.numpy(), coloraxis="coloraxis", hovertemplate="column %{x}, row %{y}: %{z:+.3f}<extra></extra>"),
        row,
        column,
    )


def broken(title: str) -> str:
    """A title over two lines at the blank nearest its middle, so that it fits above a narrow panel.

    >>> broken("Non-local means")
    'Non-local<br>means'
    """
    blanks = [place for place, letter in enumerate(title) if letter == " "]
    if len(title) <= 10 or not blanks:
        return title
    middle = min(blanks, key=lambda place: abs(place - len(title) / 2))
    return title[:middle] + "<br>" + title[middle + 1 :]


def linked_alt(closeups: Sequence[Closeup], titles: Mapping[str, str]) -> str:
    """What the panels show, in words."""
    parts = [
        f"{titles[c.denoiser]} takes away {_size(c.taken)} on average per pixel and leaves {_size(c.wrong)} wrong"
        for c in closeups
        if c.denoiser != NOISY
    ]
    noise = next((f"The noise itself is {_size(c.wrong)}. " for c in closeups if c.denoiser == NOISY), "")
    return f"Panels of the noisy picture and each denoiser's, with signed maps below. {noise}{'; '.join(parts)}."


def _size(values: Tensor) -> str:
    return f"{float(values.abs().mean()):.3f}"


def sweep_figure(summaries: Sequence[Summary], titles: Mapping[str, str], sigma: float) -> go.Figure:
    """Votes kept, PSNR and SSIM against sigma, a line a denoiser, with bars for their spread.

    Args:
        summaries: of several sigmas and denoisers.
        titles: of the denoisers, by reference; their order is the order of the lines.
        sigma: marked by an upright line.
    """
    figure = make_subplots(
        rows=3,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.09,
        subplot_titles=("Same class as on the clean picture", "PSNR (dB)", "SSIM"),
    )
    trained = [name for name in titles if name != NOISY]
    for name, title in titles.items():
        points = sorted((s for s in summaries if s.denoiser == name), key=lambda s: s.sigma)
        if not points:
            continue
        place = trained.index(name) % len(DASHES) if name != NOISY else 0
        colour = GREY if name == NOISY else CATEGORIES[place]
        shift = DODGE * (list(titles).index(name) - (len(titles) - 1) / 2)
        look = {
            "mode": "lines+markers",
            "name": title,
            "legendgroup": name,
            "x": [p.sigma + shift for p in points],
            "line": {"color": colour, "dash": "dot" if name == NOISY else DASHES[place], "width": 2.5},
            "marker": {"symbol": "circle" if name == NOISY else SYMBOLS[place], "size": 9, "color": colour},
        }
        bar = {"type": "data", "thickness": 1.2, "width": 3, "color": colour}
        shares = [p.kept_share for p in points]
        up = [p.kept_high - p.kept_share for p in points]
        down = [p.kept_share - p.kept_low for p in points]
        counts = [f"sigma {p.sigma:g}: {p.kept} of {p.draws}" for p in points]
        figure.add_scatter(
            y=shares,
            error_y={**bar, "array": up, "arrayminus": down, "symmetric": False},
            customdata=counts,
            hovertemplate="%{customdata} draws",
            row=1,
            col=1,
            **look,
        )
        qualities = (
            (2, [p.psnr for p in points], [p.psnr_sd for p in points], " dB"),
            (3, [p.ssim for p in points], [p.ssim_sd for p in points], ""),
        )
        for row, values, spreads, unit in qualities:
            figure.add_scatter(
                y=values,
                error_y={**bar, "array": spreads},
                showlegend=False,
                hovertemplate=f"%{{customdata}}: %{{y:.3g}}{unit}",
                customdata=[f"sigma {p.sigma:g}" for p in points],
                row=row,
                col=1,
                **look,
            )
    figure.add_vline(x=sigma, line={"color": GREY, "width": 1.5, "dash": "dot"})
    figure.update_yaxes(range=[-0.04, 1.04], tickformat=".0%", row=1, col=1)
    figure.update_xaxes(title="noise sigma, in [0, 1] units", row=3, col=1)
    figure.update_xaxes(range=[0, 1.04 * max([sigma, *(s.sigma for s in summaries)])])
    figure = styled(figure, "", 760)
    return figure.update_layout(
        title=None, hovermode="closest", legend={"y": 1.06, "yanchor": "bottom"}, margin={"t": 110, "l": 48, "r": 8}
    )


def sweep_alt(summaries: Sequence[Summary], titles: Mapping[str, str]) -> str:
    """What the sweep shows, in words."""
    parts = []
    for name, title in titles.items():
        points = sorted((s for s in summaries if s.denoiser == name), key=lambda s: s.sigma)
        if points:
            first, last = points[0], points[-1]
            parts.append(
                f"{title}: from {first.kept_share:.0%} and {first.psnr:.1f} dB at sigma {first.sigma:g}"
                f" to {last.kept_share:.0%} and {last.psnr:.1f} dB at sigma {last.sigma:g}"
            )
    return f"Three line charts over sigma: draws that keep the class, PSNR and SSIM. {'; '.join(parts)}."
