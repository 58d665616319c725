"""The other side of the bound: attack the base classifier and the smoothed one, and see where each falls."""

import streamlit as st

from core.ui.attack.at_radius import PROSE
from core.ui.attack.study import ATTACKS, choose_attack, draw_attacked, draw_attacking, start_attack
from core.ui.frame import close_page, open_page
from core.ui.jobs.follow import begin, draw_job, follow
from core.ui.jobs.job import Job
from core.ui.jobs.session import work_key
from core.ui.models import choose_classifier, choose_denoiser
from core.ui.pictures import choose_pictures

open_page("Attack")
st.title("Attack a picture")
st.markdown(PROSE["title"])

left, middle, right = st.columns([1.3, 1, 1.2])
with right:
    classifier = choose_classifier()
    denoiser = choose_denoiser(classifier)
with left:
    choice = choose_pictures(classifier)[0]
picture, name = choice.picture.image, choice.picture.name
request = choose_attack(middle, classifier, denoiser, picture)
key = work_key(picture, request)
ATTACKS.keep_only([key])
job = ATTACKS.find(key)


def start() -> None:
    """Start anew, or say in a sentence why not."""
    ATTACKS.forget(key)
    if begin(lambda: start_attack(picture, name, request)):
        st.rerun()


if job is None:
    with st.container(key="paired-attack"):
        st.image(picture, width=200, alt=f"The picture to attack: {name}.")
    if st.button("Attack", type="primary", icon=":material/bolt:"):
        start()
    st.caption(PROSE["start"])


def draw(now: Job | None) -> None:
    """What is there."""
    if now is None:
        return
    ended = now.finished  # looked at once: it may end while this is drawn
    draw_job(now, draw_attacking, lambda study: draw_attacked(study, name))
    if ended and (now.state == "failed" or not now.result.complete) and st.button("Start over", icon=":material/refresh:"):
        start()


follow(draw, lambda: ATTACKS.find(key), every=0.5)
close_page()
