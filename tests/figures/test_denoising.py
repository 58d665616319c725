"""The figures of a comparison: linked panels, signed maps, the sweep, the sheet to take away."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from core.figures.denoising import (
    GAP,
    SIDE,
    broken,
    contact_sheet,
    linked_alt,
    linked_panels,
    map_limit,
    sweep_alt,
    sweep_figure,
)
from core.pictures.pixels import to_picture
from core.pictures.reading import data_uri
from core.report.notation import GREY
from core.studies.comparison import NOISY, Closeup, Measure, Panel, Summary

TITLES = {NOISY: "Noisy", "classical/tv": "Total variation", "classical/nlm": "Non-local means"}
CLEAN = torch.full((3, 8, 12), 0.5)


def closeup(name: str, wrong: float) -> Closeup:
    return Closeup(name, CLEAN + wrong, torch.full((8, 12), -wrong), torch.full((8, 12), wrong))


def test_data_uri_is_a_png_of_the_clipped_pixels() -> None:
    pixels = torch.linspace(-0.5, 1.5, 3 * 8 * 12).reshape(3, 8, 12)
    kind, _, data = data_uri(to_picture(pixels)).partition(",")
    assert kind == "data:image/png;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(shown, (pixels.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())


def test_all_panels_share_one_zoom_and_one_scale() -> None:
    # The noisy copy comes first even where it was not given first.
    figure = linked_panels(CLEAN, [closeup("classical/tv", 0.1), closeup(NOISY, -0.3), closeup("classical/nlm", 0.2)], TITLES)
    axes = [figure.layout[name] for name in figure.layout if name.startswith(("xaxis", "yaxis"))]
    assert len(axes) == 18
    assert {axis.matches for axis in axes} == {"x", "y"}
    assert figure.layout.yaxis.range == (7.5, -0.5), "row 0 is at the top"
    assert figure.layout.xaxis.range == (-0.5, 11.5)
    maps = [trace for trace in figure.data if trace.type == "heatmap"]
    assert {trace.coloraxis for trace in maps} == {"coloraxis"}
    scale = figure.layout.coloraxis
    assert scale.cmax == -scale.cmin == pytest.approx(0.3)
    assert scale.colorbar.ticktext[0].startswith("darker")
    # In column order: the true noise, then what was taken and what is wrong of each denoiser.
    assert [float(np.asarray(trace.z)[0, 0]) for trace in maps] == pytest.approx([-0.3, -0.1, 0.1, -0.2, 0.2])
    assert len([trace for trace in figure.data if trace.type == "image"]) == 4
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert texts[:3] == ["Noisy", "Total<br>variation", "Non-local<br>means"]
    assert texts[3:] == ["true noise", "taken away", "taken away", "original", "still wrong", "still wrong"]


def test_map_limit_ignores_single_pixels_and_never_is_zero() -> None:
    spiked = torch.full((40, 40), 0.1)
    spiked[0, 0] = 5
    assert map_limit([Closeup("a", CLEAN, spiked, spiked)]) == pytest.approx(0.1)
    assert map_limit([closeup(NOISY, 0.0)]) > 0


def test_panels_in_words() -> None:
    words = linked_alt([closeup(NOISY, -0.3), closeup("classical/tv", 0.1)], TITLES)
    assert "The noise itself is 0.300" in words
    assert "Total variation takes away 0.100 on average per pixel and leaves 0.100 wrong" in words


@pytest.mark.parametrize(
    ("title", "lines"), [("Median", "Median"), ("Wavelet shrinkage", "Wavelet<br>shrinkage"), ("a" * 30, "a" * 30)]
)
def test_titles_break_at_blanks_only(title: str, lines: str) -> None:
    assert broken(title) == lines


def summary(name: str, sigma: float, kept: int) -> Summary:
    return Summary(sigma, name, 10, kept, kept / 10 - 0.02, kept / 10 + 0.03, 20 - sigma, 1.5, 0.6, 0.05)


SUMMARIES = [summary(name, sigma, kept) for sigma, kept in ((0.5, 2), (0.1, 9)) for name in (NOISY, "classical/tv")]


def test_sweep_draws_share_psnr_and_ssim_with_their_spread() -> None:
    figure = sweep_figure(SUMMARIES, TITLES, sigma=0.25)
    assert len(figure.data) == 6, "a denoiser without points gets no line"
    share, psnr, ssim = figure.data[3:]
    assert list(share.x) == pytest.approx([0.1, 0.5], abs=0.01), "sorted by sigma, whatever the order of computing"
    assert share.x[0] > figure.data[0].x[0], "lines stand a little apart"
    assert share.customdata[0] == "sigma 0.1: 9 of 10"
    assert list(share.y) == [0.9, 0.2]
    assert list(share.error_y.array) == pytest.approx([0.03, 0.03])
    assert list(share.error_y.arrayminus) == pytest.approx([0.02, 0.02])
    assert list(psnr.y) == pytest.approx([19.9, 19.5])
    assert list(psnr.error_y.array) == [1.5, 1.5]
    assert list(ssim.error_y.array) == [0.05, 0.05]
    assert [t.showlegend for t in figure.data[:3]] == [None, False, False]
    assert all(shape.x0 == 0.25 for shape in figure.layout.shapes)
    assert len(figure.layout.shapes) == 3


def test_lines_differ_in_more_than_colour() -> None:
    titles = {NOISY: "Noisy"} | {f"d{i}": f"Denoiser {i}" for i in range(4)}
    figure = sweep_figure([summary(name, s, 5) for name in titles for s in (0.1, 0.5)], titles, 0.25)
    upper = figure.data[::3]
    assert len({t.line.dash for t in upper}) == len({t.marker.symbol for t in upper}) == len({t.line.color for t in upper}) == 5
    assert upper[0].line.color == GREY


def test_sweep_in_words() -> None:
    assert "Total variation: from 90% and 19.9 dB at sigma 0.1 to 20% and 19.5 dB at sigma 0.5" in sweep_alt(SUMMARIES, TITLES)


@pytest.mark.parametrize("side", [(8, 12), (300, 200)])
def test_contact_sheet_shows_every_panel_in_its_place(side: tuple[int, int]) -> None:
    panels = [
        Panel(Measure(sigma, 0, name, 20.0, 0.5, ((1, 0.9),)), torch.full((3, *side), value))
        for sigma, name, value in ((0.5, NOISY, 0.1), (0.1, NOISY, 0.2), (0.1, "classical/tv", 0.6))
    ]
    sheet = contact_sheet(panels, TITLES, ("cat", "dog"))
    blank = contact_sheet([], TITLES, None)
    assert blank.width == GAP
    left, step = GAP + 4, SIDE + GAP
    assert sheet.width == GAP + 2 * step
    colours = {colour for _, colour in sheet.getcolors(1 << 24) or []}
    assert {(26, 26, 26), (51, 51, 51), (153, 153, 153)} <= colours
    column = [sheet.getpixel((left, y)) for y in range(sheet.height)]
    assert column.index((51, 51, 51)) < column.index((26, 26, 26)), "the least sigma stands on top"
    assert (153, 153, 153) in [sheet.getpixel((left + step, y)) for y in range(sheet.height)]
