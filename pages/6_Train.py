"""Train a denoiser for a classifier within minutes, and watch it learn."""

import streamlit as st

from core.models.catalogue import classifiers
from core.runs.unfinished import Unfinished
from core.ui.frame import close_page, open_page
from core.ui.jobs.follow import begin, draw_job, draw_left, follow, under_way
from core.ui.jobs.job import Job
from core.ui.train.controls import PROSE, TRAININGS, choose_training, go_on_training, start_training
from core.ui.train.view import draw_kept, draw_trained, draw_training, told_of_training

open_page("Train")
st.title("Train a denoiser")
st.markdown(PROSE["title"])
if not classifiers():
    st.warning("No classifier is bundled: train one with 'python -m core train-classifier'.", icon=":material/warning:")
    close_page()
    st.stop()

choice = choose_training()
busy = under_way(TRAININGS.latest())
pressed = st.button(
    "Train", type="primary", icon=":material/play_arrow:", disabled=busy, help="One is under way." if busy else None
)
if pressed and begin(lambda: start_training(choice)):
    st.session_state["trained-before"] = choice.request.classifier
    st.rerun()


def go_on(left: Unfinished) -> None:
    """Go on with a training that was cut short, or say in a sentence why not."""
    if begin(lambda: go_on_training(left, choice.files)):
        st.session_state["trained-before"] = str(left.asked["request"]["classifier"])


def draw(job: Job | None) -> None:
    """What is there."""
    if job is not None:
        draw_job(job, draw_training, lambda result: draw_trained(result, st.session_state["trained-before"], job.id[:8]))


draw_left("training", told_of_training, go_on, disabled=busy)
follow(draw, TRAININGS.latest, busy=busy, every=1.0)
draw_kept()
close_page()
