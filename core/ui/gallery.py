"""Ten random pictures of a data set of the Hub, to choose one from."""

from __future__ import annotations

import streamlit as st

from core.data.hub import LabelledPicture, fetch_split, sample_pictures
from core.pictures.reading import Picture
from core.ui.jobs.follow import begin, draw_stop, draw_waiting, follow
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import SessionJobs
from core.ui.plain_text import show_error
from core.ui.strip import enlarged

GALLERIES = SessionJobs("galleries")
USUAL = "hub/uoft-cs/cifar10"
COUNT = 10


def choose_from_gallery() -> Picture | None:
    """A folded-away chooser; None where nothing is chosen there."""
    with st.expander("Or from a data set of the Hub", icon=":material/collections:"):
        reference = st.text_input("Data set", USUAL, key="gallery-set", max_chars=200, persist_state="session").strip()
        split = st.text_input("Split", "test", key="gallery-split", max_chars=40, persist_state="session").strip()
        draws = st.session_state.setdefault("gallery-draws", 0)
        if st.button(f"{COUNT} at random", icon=":material/casino:", key="gallery-draw"):
            draws = st.session_state["gallery-draws"] = draws + 1
            st.session_state.pop("gallery-chosen", None)
            _start(reference, split, draws)
        if not draws:
            st.caption("The files of the split are downloaded once, with progress, and stay on this machine.")
            return None
        job = GALLERIES.find(_key(reference, split, draws))
        if job is None:
            return None
        if not job.finished:
            follow(_draw_running, lambda: GALLERIES.find(_key(reference, split, draws)))
            return None
        if job.state == "failed":
            show_error(job.error or "")
            return None
        return _choose(job.result)


def _key(reference: str, split: str, draws: int) -> tuple[object, ...]:
    return ("gallery", reference, split, draws)


def _start(reference: str, split: str, draws: int) -> None:
    def work(context: JobContext) -> list[LabelledPicture]:
        with context.aside():
            found = fetch_split(reference, split, on_progress=context.report, should_stop=context.should_stop)
        return sample_pictures(found, COUNT, seed=draws)

    begin(lambda: GALLERIES.start(_key(reference, split, draws), f"Pictures of {reference}", work))


def _draw_running(job: Job | None) -> None:
    if job is not None:
        draw_waiting(job, "Asking the Hub…")
        draw_stop(job)


def _choose(found: list[LabelledPicture]) -> Picture | None:
    with st.container(key="paired-gallery"):
        for start in range(0, len(found), 5):
            for column, one in zip(st.columns(5), found[start : start + 5], strict=False):
                name = one.name or f"class {one.label}"
                column.image(enlarged(one.picture, 96), width="stretch", alt=f"Picture {one.number} of the data set: {name}.")
                column.caption(f"{one.number}: {name}")
    titles = {one.number: f"{one.number}: {one.name or f'class {one.label}'}" for one in found}
    chosen = st.pills("Take", list(titles), format_func=titles.__getitem__, key="gallery-chosen", persist_state="session")
    picked = next((one for one in found if one.number == chosen), None)
    return None if picked is None else Picture(picked.picture, f"{picked.name or picked.label}-{picked.number}.png")
