"""Figures and pictures on a page, with their text for those who cannot see them and the ways to take them along.

Imports no torch, so that the first page shows them at once.
"""

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import plotly.graph_objects as go
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from core.figures.template import stand_alone
from core.pictures.reading import data_uri
from core.plain_text import file_name, plain
from core.report.notation import STAGES, class_name
from core.studies.records import View
from core.ui.frame import presenting

FORMATS = {"svg": "SVG", "png": "PNG"}
MIME = {"json": "application/json", "csv": "text/csv", "html": "text/html", "png": "image/png", "py": "text/x-python"}
MIME |= {"md": "text/markdown", "tex": "text/x-tex", "zip": "application/zip"}
_BAR: dict[str, Any] = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}


def draw_figure(figure: go.Figure, key: str, alt: str, name: str, *, on_select: Callable[[], None] | None = None) -> None:
    """Draw a figure; offer it as SVG or PNG (Plotly's camera) and as a page of HTML that works by itself.
    ``key`` is unlike any other on the page, a click's selection is in the session's state under it, and ``on_select`` is called
    after the click, before the page runs again. ``alt`` says what is shown in a sentence or two; ``name`` has no ending."""
    figure, config = _presented(figure), _config(key, name)
    clicked: Callable[[], None] | Literal["ignore"] = on_select or "ignore"
    st.plotly_chart(figure, config=config, key=key, alt=alt, on_select=clicked, selection_mode="points")
    _offer([(figure, alt)], key, name)


def draw_live_figure(figure: go.Figure, key: str, alt: str) -> None:
    """Draw a figure of work under way, which is not to be taken along yet; arguments as for :func:`draw_figure`."""
    st.plotly_chart(figure, config=_BAR, key=key, alt=alt)


class FigureSheet:
    """Several figures of one result, offered together below them as files that begin with ``name``."""

    def __init__(self, key: str, name: str) -> None:
        self._key, self._name = f"sheet-{key}", name
        self._drawn: list[tuple[go.Figure, str]] = []

    def draw(
        self, figure: go.Figure, key: str, alt: str, name: str, *, height: int | Literal["stretch", "content"] = "content"
    ) -> None:
        """Draw one of them, here and now; arguments as for :func:`draw_figure`, ``height`` as Streamlit takes it."""
        figure = _presented(figure) if height == "content" else figure
        st.plotly_chart(figure, config=_config(self._key, f"{self._name}-{name}"), key=key, alt=alt, height=height)
        self._drawn.append((figure, alt))

    def offer(self) -> None:
        """The ways to take those along that were drawn."""
        if self._drawn:
            _offer(self._drawn, self._key, self._name)


def _presented(figure: go.Figure) -> go.Figure:
    if not presenting():
        return figure
    height = 1.15 * (figure.layout.height or 450)
    return go.Figure(figure).update_layout(font_size=20, title_font_size=22, height=height, legend_font_size=18)


def _config(key: str, name: str) -> dict[str, Any]:
    chosen = st.session_state.get(f"{key}-format") or "svg"
    return _BAR | {
        "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
        "toImageButtonOptions": {"format": chosen, "filename": name, "scale": 2 if chosen == "png" else 1},
    }


def _offer(drawn: Sequence[tuple[go.Figure, str]], key: str, name: str) -> None:
    several = len(drawn) > 1
    label = "Save the figures" if several else "Save the figure"
    with st.popover(label, icon=":material/download:", type="tertiary", key=f"{key}-save"):
        said = f"The camera above {'each' if several else 'the'} figure saves a"
        choose = partial(st.segmented_control, required=True, format_func=FORMATS.__getitem__, persist_state="session")
        choose(said, list(FORMATS), default="svg", key=f"{key}-format")
        label = "All as interactive HTML" if several else "Interactive HTML"
        help = "About 5 MB: the file brings its own plotting library along."
        make = partial(stand_alone, drawn, name)
        offer_file(label, make, f"{name}.html", f"{key}-html", icon=":material/public:", help=help)


def offer_file(
    label: str,
    data: str | bytes | Callable[[], str | bytes],
    name: str,
    key: str,
    *,
    icon: str = ":material/download:",
    help: str | None = None,
) -> None:
    """A button that saves what ``data`` is, or makes once asked for; its kind follows from the ending of the file's name."""
    mime = MIME[name.rpartition(".")[2]]
    st.download_button(label, data, name, mime, key=key, on_click="ignore", icon=icon, help=help)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive of files by their names."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive.getvalue()


def without_ending(name: str) -> str:
    """The name of a picture's file without its ending, for the names of files made from it.

    >>> without_ending("cat.png"), without_ending("cat"), without_ending("../a/b:c.png")
    ('cat', 'cat', 'a-b-c')
    """
    return file_name(name.rpartition(".")[0] or name, "picture")


def enlarged(picture: Image.Image, side: int = 288) -> Image.Image:
    """Small pictures enlarged pixel by pixel, so that what is shown is what the network sees."""
    times = max(1, side // max(picture.size))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def side_by_side(pictures: Sequence[Image.Image], gap: int, ground: str | None = None) -> Image.Image:
    """Pictures in a row; None leaves the gaps clear."""
    width, height = sum(p.width + gap for p in pictures) - gap, max(p.height for p in pictures)
    row = Image.new("RGB", (width, height), ground) if ground else Image.new("RGBA", (width, height))
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + gap
    return row


def draw_strip(views: Mapping[str, View], labels: tuple[str, ...] | None, sigma: float, key: str) -> None:
    """Original, noisy and denoised, each with what the classifier alone says of it."""
    for column, (name, view) in zip(keyed_columns(f"abreast-{key}", len(STAGES)), views.items(), strict=False):
        said, share = class_name(view.top[0][0], labels), view.top[0][1]
        alt = f"{STAGES[name]} picture; the classifier alone says {said} ({share:.0%})."
        small = max(view.picture.size) <= 64  # as it is: the browser enlarges it pixel by pixel
        column.image(data_uri(view.picture) if small else enlarged(view.picture), width="stretch", alt=alt)
        extra = f" (sigma {sigma:g})" if name == "noisy" else ""
        column.markdown(f"**{STAGES[name]}**{extra}  \nclassifier alone: **{plain(said)}** {share:.0%}")


def keyed_columns(key: str, widths: int | Sequence[float]) -> list[DeltaGenerator]:
    """Columns that stay beside each other on a phone, too, where the key begins with ``abreast``, in pairs with ``paired``."""
    with st.container(key=key):
        return st.columns(widths)
