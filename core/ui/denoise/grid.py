"""The grid of noisy and denoised pictures as an HTML table that keeps its columns on a phone."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from core.pictures.pixels import to_picture
from core.pictures.reading import data_uri
from core.report.notation import class_name
from core.studies.comparison import Measure, Panel, Top

STYLE = Path(__file__).with_name("grid.css")
"""Must be on the page once."""


def grid_html(panels: Sequence[Panel], titles: Mapping[str, str], labels: Sequence[str] | None, clean_class: int) -> str:
    """A row a sigma and draw, a column a denoiser; under each picture PSNR, SSIM and what the classifier alone says.

    Args:
        panels: of a comparison, perhaps not all yet.
        titles: of the denoisers, by reference; their order is that of the columns.
        labels: class names.
        clean_class: what the classifier says of the clean picture; others are marked.
    """
    found = {(p.measure.sigma, p.measure.draw, p.measure.denoiser): p for p in panels}
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles.values())
    body = []
    for sigma, draw in sorted({(p.measure.sigma, p.measure.draw) for p in panels}):
        level = f"sigma {sigma:g} ({sigma * 255:.0f}/255), draw {draw + 1}"
        body.append(f'<tr><th class="level" scope="rowgroup" colspan="{len(titles)}">{level}</th></tr>')
        cells = (found.get((sigma, draw, name)) for name in titles)
        row = "".join("<td></td>" if panel is None else _cell(panel, titles, labels, clean_class) for panel in cells)
        body.append(f"<tr>{row}</tr>")
    width = f"max-width: {12 * len(titles)}rem"  # few columns stand close together
    return f'<table class="lab-grid" style="{width}"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'


def _cell(panel: Panel, titles: Mapping[str, str], labels: Sequence[str] | None, clean_class: int) -> str:
    m = panel.measure
    index, share = m.top[0]
    says = f"{class_name(index, labels)} {share:.0%}"
    mark = "✓" if index == clean_class else "✗"
    alt = (
        f"{titles[m.denoiser]}, sigma {m.sigma:g}, draw {m.draw + 1}: PSNR {m.psnr:.1f} dB, SSIM {m.ssim:.2f};"
        f" the classifier alone says {says}."
    )
    source = data_uri(to_picture(panel.pixels))
    return (
        f'<td><img src="{source}" alt="{escape(alt, quote=True)}"><p>{mark} <b>{escape(says)}</b><br>'
        f'<span class="faint">{m.psnr:.1f} dB · {m.ssim:.2f}</span></p></td>'
    )


def top_html(clean_top: Top, measures: Sequence[Measure], titles: Mapping[str, str], labels: Sequence[str] | None) -> str:
    """The classifier's best classes on the clean picture and on each panel of one draw, side by side with small bars."""
    columns = [("Original", clean_top)]
    columns += [(titles[m.denoiser], m.top) for name in titles for m in measures if m.denoiser == name]
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title, _ in columns)
    rows = "".join(
        "<tr>" + "".join(_rank(top[rank], labels) if rank < len(top) else "<td></td>" for _, top in columns) + "</tr>"
        for rank in range(max(len(top) for _, top in columns))
    )
    return f'<table class="lab-grid"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _rank(entry: tuple[int, float], labels: Sequence[str] | None) -> str:
    index, share = entry
    return (
        f'<td><p>{escape(class_name(index, labels))} <span class="faint">{share:.1%}</span>'
        f'<span class="bar" style="display:block;width:{max(share, 0.005):.1%}"></span></p></td>'
    )
