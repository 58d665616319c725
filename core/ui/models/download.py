"""Drawing a download from the Hub: bytes, time left."""

from __future__ import annotations

import streamlit as st

from core.models.hub.download import DownloadProgress


def draw_download(progress: DownloadProgress) -> None:
    """A bar of bytes."""
    left = "" if progress.seconds_left is None else f" · about {progress.seconds_left:.0f} s left"
    st.progress(
        min(1.0, progress.done / max(1, progress.total)),
        text=f"Downloading {progress.name}: {progress.done / 1e6:,.1f} of {progress.total / 1e6:,.1f} MB{left}",
    )
