"""The strip of pictures: original, noisy, denoised. Needs no torch, so that the first page shows it at once."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from PIL import Image

from core.report.notation import STAGES, class_name
from core.studies.records import View

CHART = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}


def enlarged(picture: Image.Image, side: int = 288) -> Image.Image:
    """Small pictures enlarged pixel by pixel, so that what is shown is what the network sees."""
    times = max(1, side // max(picture.size))
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def draw_strip(views: Mapping[str, View], labels: tuple[str, ...] | None, sigma: float, key: str) -> None:
    """Original, noisy and denoised, each with what the classifier alone says of it."""
    with st.container(key=f"abreast-{key}"):
        columns = st.columns(len(STAGES))
    for column, (name, view) in zip(columns, views.items(), strict=False):
        best, share = view.top[0]
        with column:
            st.image(
                enlarged(view.picture),
                width="stretch",
                alt=f"{STAGES[name]} picture; the classifier alone says {class_name(best, labels)} ({share:.0%}).",
            )
            extra = f" (sigma {sigma:g})" if name == "noisy" else ""
            st.markdown(f"**{STAGES[name]}**{extra}  \nclassifier alone: **{class_name(best, labels)}** {share:.0%}")
