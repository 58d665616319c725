"""What every page shows of a job under way: what it waits for, and a button to stop it."""

from __future__ import annotations

import streamlit as st

from core.models.hub.download import DownloadProgress
from core.ui.jobs.queue import Job
from core.ui.jobs.shared import queue
from core.ui.models.download import draw_download


def draw_waiting(job: Job, loading: str = "Loading the models…") -> None:
    """A bar for a job that has not computed anything yet: a download, a place in the queue, or ``loading``."""
    if isinstance(job.progress, DownloadProgress):
        draw_download(job.progress)
        return
    ahead = queue().ahead_of(job) if job.state == "queued" else 0
    st.progress(0.0, text=f"Waiting for {ahead} other computations…" if ahead else loading)


def draw_stop(job: Job, help: str | None = None) -> None:
    """A button that stops the job."""
    if st.button("Stop", icon=":material/stop_circle:", key=f"stop-{job.id}", help=help):
        queue().stop(job)
