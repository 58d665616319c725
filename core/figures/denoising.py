"""What denoisers did, as figures: panels that zoom together, the sweep over sigma, and a sheet to take away."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image, ImageDraw, ImageFont
from plotly.subplots import make_subplots
from torch import Tensor

from core.figures.template import GROUND, INK, SYMBOLS, add_curve, error_bars, marks, styled
from core.pictures.pixels import to_picture
from core.pictures.reading import data_uri
from core.plain_text import figure_text, named
from core.report.notation import BLUE, GREY, VERMILION, class_name
from core.studies.comparison import NOISY, Closeup, Panel, Summary

# Blue and vermilion are equally dark, so the sign is told by hue and the size by lightness; grey stands for nothing.
DIVERGING = [[0.0, BLUE], [0.5, "#E6E8EC"], [1.0, VERMILION]]
DASHES = ("solid", "dash", "dashdot", "longdash")
"""Of the denoisers; dots are the noisy copy's."""
PANEL, WIDE_PANEL = 168, 230
"""Height of a panel in pixels: where there are more than three columns, and where there are fewer."""
PANELS_AROUND = 200
"""Pixels of titles, gaps, colour bar and margins around three rows of panels."""
# Of the sheet.
SIDE, GAP, TEXT = 160, 12, 18
DODGE = 0.004
"""Sigma by which the lines stand apart, so that their bars can be told apart."""


def map_limit(closeups: Sequence[Closeup]) -> float:
    """One scale for all signed maps: what 99% of their values stay within, so that one pixel does not pale the rest."""
    values = np.concatenate([m.abs().flatten().numpy() for c in closeups for m in (c.taken, c.wrong)])
    return max(float(np.quantile(values, 0.99)), 1e-3)


def linked_panels(clean: Tensor, closeups: Sequence[Closeup], titles: Mapping[str, str]) -> go.Figure:
    """Three rows of panels that zoom and pan in step: what came out, what was taken away, what is wrong.
    The first column is the yardstick of each row: the noisy copy, the true noise, the clean picture (3, H, W)."""
    height, width = clean.shape[1:]
    ordered = sorted(closeups, key=lambda c: c.denoiser != NOISY)
    above = [broken(figure_text(titles[c.denoiser])) for c in ordered]
    others = len(ordered) - 1
    above += ["true noise", *["taken away"] * others, "original", *["still wrong"] * others]
    spacing = {"horizontal_spacing": 0.012, "vertical_spacing": 0.06}
    figure = make_subplots(rows=3, cols=len(ordered), subplot_titles=above, **spacing)
    for column, closeup in enumerate(ordered, 1):
        noisy = closeup.denoiser == NOISY
        # Of the noisy copy itself, what is wrong is the noise.
        maps = {2: closeup.wrong} if noisy else {2: closeup.taken, 3: closeup.wrong}
        for row, pixels in {1: closeup.picture, 3: clean}.items():
            if row not in maps:
                shown = go.Image(source=data_uri(to_picture(pixels)), hovertemplate="column %{x}, row %{y}<extra></extra>")
                figure.add_trace(shown, row, column)
        for row, values in maps.items():
            hover = "column %{x}, row %{y}: %{z:+.3f}<extra></extra>"
            figure.add_trace(go.Heatmap(z=values.numpy(), coloraxis="coloraxis", hovertemplate=hover), row, column)
    axis = {"visible": False, "constrain": "domain"}
    figure.update_xaxes(matches="x", range=[-0.5, width - 0.5], **axis)
    figure.update_yaxes(matches="y", range=[height - 0.5, -0.5], scaleanchor="x", constraintoward="top", **axis)
    limit = map_limit(ordered)
    bar = {"orientation": "h", "y": -0.02, "yanchor": "top", "thickness": 12, "len": 0.9, "outlinewidth": 0}
    bar["tickvals"] = [-limit, 0, limit]
    bar["ticktext"] = [f"darker by {limit:.2f}<br>or more", "no change", f"brighter by {limit:.2f}<br>or more"]
    axis = {"colorscale": DIVERGING, "cmin": -limit, "cmax": limit, "colorbar": bar}
    figure.update_layout(dragmode="zoom", coloraxis=axis)
    height = 3 * (PANEL if len(ordered) > 3 else WIDE_PANEL) + 136
    figure.update_annotations(font={"size": 13})
    return styled(figure, "", height, margin={"l": 4, "r": 4, "t": 72, "b": 64})


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
    """Votes kept, PSNR and SSIM against sigma, a line a denoiser in the order of ``titles``, with bars for their spread."""
    charts = ("Same class as on the clean picture", "PSNR (dB)", "SSIM")
    figure = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.09, subplot_titles=charts)
    trained = [name for name in titles if name != NOISY]
    for name, title in titles.items():
        points = sorted((s for s in summaries if s.denoiser == name), key=lambda s: s.sigma)
        if not points:
            continue
        place = trained.index(name) if name != NOISY else 0
        colour, symbol = (GREY, "circle") if name == NOISY else marks(place, SYMBOLS[1:])
        dash = "dot" if name == NOISY else DASHES[place % len(DASHES)]
        shift = DODGE * (list(titles).index(name) - (len(titles) - 1) / 2)
        shares = [p.kept_share for p in points]
        told = [f"sigma {p.sigma:g}" for p in points]
        draws = [f"sigma {p.sigma:g}: {p.kept} of {p.draws}" for p in points]
        psnr, ssim = [p.psnr for p in points], [p.ssim for p in points]
        kept = error_bars(shares, [p.kept_low for p in points], [p.kept_high for p in points], colour)
        rows = (
            (shares, kept, draws, "%{customdata} draws"),
            (psnr, _spread([p.psnr_sd for p in points], colour), told, "%{customdata}: %{y:.3g} dB"),
            (ssim, _spread([p.ssim_sd for p in points], colour), told, "%{customdata}: %{y:.3g}"),
        )
        for row, (values, bars, customdata, hover) in enumerate(rows, 1):
            look: dict[str, Any] = {"colour": colour, "dash": dash, "symbol": symbol, "row": row, "col": 1}
            look |= {"legendgroup": name, "showlegend": None if row == 1 else False}
            look |= {"customdata": customdata, "hover": hover, "error_y": bars}
            add_curve(figure, [p.sigma + shift for p in points], values, name=figure_text(title), **look)
    figure.add_vline(x=sigma, line={"color": GREY, "width": 1.5, "dash": "dot"})
    figure.update_yaxes(range=[-0.04, 1.04], tickformat=".0%", row=1, col=1)
    figure.update_xaxes(title="noise sigma, in [0, 1] units", row=3, col=1)
    figure.update_xaxes(range=[0, 1.04 * max([sigma, *(s.sigma for s in summaries)])])
    above, margin = {"y": 1.06, "yanchor": "bottom"}, {"t": 110, "l": 48, "r": 8}
    return styled(figure, "", 760, hovermode="closest", legend=above, margin=margin)


def _spread(deviations: Sequence[float], colour: str) -> dict[str, Any]:
    return {"type": "data", "array": deviations, "thickness": 1.2, "width": 3, "color": colour}


def sweep_alt(summaries: Sequence[Summary], titles: Mapping[str, str]) -> str:
    """What the sweep shows, in words."""
    parts = []
    for name, title in titles.items():
        points = sorted((s for s in summaries if s.denoiser == name), key=lambda s: s.sigma)
        if points:
            ends = [f"{p.kept_share:.0%} and {p.psnr:.1f} dB at sigma {p.sigma:g}" for p in (points[0], points[-1])]
            parts.append(f"{title}: from {' to '.join(ends)}")
    return f"Three line charts over sigma: draws that keep the class, PSNR and SSIM. {'; '.join(parts)}."


def contact_sheet(panels: Sequence[Panel], titles: Mapping[str, str], labels: Sequence[str] | None) -> Image.Image:
    """One row per sigma and draw, one column per denoiser in the order of ``titles``; beneath each PSNR, SSIM and class."""
    columns = [name for name in titles if any(p.measure.denoiser == name for p in panels)]
    rows = sorted({(p.measure.sigma, p.measure.draw) for p in panels})
    found = {(p.measure.sigma, p.measure.draw, p.measure.denoiser): p for p in panels}
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    step_x, step_y = SIDE + GAP, SIDE + 3 * TEXT + GAP
    sheet = Image.new("RGB", (GAP + step_x * len(columns), 2 * GAP + TEXT + step_y * len(rows)), GROUND)
    ink = ImageDraw.Draw(sheet)
    for column, name in enumerate(columns):
        ink.text((GAP + column * step_x, GAP), named(titles[name]), INK, font)
        for row, (sigma, draw) in enumerate(rows):
            panel = found.get((sigma, draw, name))
            if panel is None:
                continue
            left, top = GAP + column * step_x, 2 * GAP + TEXT + row * step_y
            sheet.paste(_fitted(to_picture(panel.pixels)), (left, top))
            m = panel.measure
            ink.text((left, top + SIDE + 3), f"{m.psnr:.1f} dB, SSIM {m.ssim:.2f}", INK, small)
            ink.text((left, top + SIDE + 3 + TEXT), f"{class_name(m.top[0][0], labels)} {m.top[0][1]:.0%}", INK, small)
            if name == NOISY:
                ink.text((left, top + SIDE + 3 + 2 * TEXT), f"sigma {sigma:g}, draw {draw + 1}", INK, small)
    return sheet


def _fitted(picture: Image.Image) -> Image.Image:
    """Enlarged by whole pixels, or made smaller, to fit the square."""
    longest = max(picture.size)
    scale = SIDE / longest if longest > SIDE else SIDE // longest
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.NEAREST)  # averaging would take noise away
