"""The grid of a comparison as one picture to take away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from core.pictures.pixels import to_picture
from core.report.notation import class_name
from core.studies.comparison import NOISY, Panel

# The file carries its own ground, so its ink need not follow the page.
GROUND, INK = "#FFFFFF", "#1B2733"
SIDE, GAP, TEXT = 160, 12, 18


def contact_sheet(panels: Sequence[Panel], titles: Mapping[str, str], labels: Sequence[str] | None) -> Image.Image:
    """One row per sigma and draw, one column per denoiser, each panel with PSNR, SSIM and class beneath.

    Args:
        panels: of a comparison.
        titles: of the denoisers, by reference; their order is that of the columns.
        labels: class names.
    """
    columns = [name for name in titles if any(p.measure.denoiser == name for p in panels)]
    rows = sorted({(p.measure.sigma, p.measure.draw) for p in panels})
    found = {(p.measure.sigma, p.measure.draw, p.measure.denoiser): p for p in panels}
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    step_x, step_y = SIDE + GAP, SIDE + 3 * TEXT + GAP
    sheet = Image.new("RGB", (GAP + step_x * len(columns), 2 * GAP + TEXT + step_y * len(rows)), GROUND)
    ink = ImageDraw.Draw(sheet)
    for column, name in enumerate(columns):
        ink.text((GAP + column * step_x, GAP), titles[name], INK, font)
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
    if longest > SIDE:
        scale = SIDE / longest
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        return picture.resize(size, Image.Resampling.NEAREST)  # averaging would take noise away
    times = SIDE // longest
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
