"""Train a denoiser for a classifier within minutes, and watch it learn."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError
from core.models.catalogue import classifiers
from core.training.classroom import TrainedHere
from core.ui.frame import close_page, open_page
from core.ui.plain_text import plain
from core.ui.train.controls import TrainingChoice, choose_training
from core.ui.train.job import current_job, start
from core.ui.train.models import draw_kept
from core.ui.train.view import draw_trained, draw_training

open_page("Train")
st.title("Train a denoiser")
st.markdown(
    "The denoiser that suits a classifier best is one trained for it. Here one learns within minutes: it is shown pictures with"
    " noise, and is kept to be chosen on every page."
)
if not classifiers():
    st.warning("No classifier is bundled: train one with 'python -m core train-classifier'.", icon=":material/warning:")
    close_page()
    st.stop()

choice = choose_training()
job = current_job()
busy = job is not None and not job.finished


def begin(asked: TrainingChoice) -> None:
    """Start, or say in a sentence why not."""
    try:
        started = start(asked)
    except LabError as error:
        st.error(plain(str(error)), icon=":material/error:")
    else:
        st.session_state["trained-before"] = (started.id, asked.request.classifier)
        st.rerun()


if st.button("Train", type="primary", icon=":material/play_arrow:", disabled=busy, help="One is under way." if busy else None):
    begin(choice)


@st.fragment(run_every=1.0 if busy else None)
def follow() -> None:
    """Poll while it runs; draw what is there."""
    now = current_job()
    if now is None:
        return
    ended = now.finished  # looked at once: it may end while this is drawn
    if busy and ended:
        st.rerun()
    if not ended:
        draw_training(now)
    elif now.state == "failed":
        st.error(plain(now.error or ""), icon=":material/error:")
    elif isinstance(now.result, TrainedHere):
        draw_trained(now.result, st.session_state["trained-before"][1], now.id[:8])


follow()
draw_kept()
close_page()
