"""Certify a picture: choose, watch the vote, read the certificate."""

from functools import partial

import streamlit as st

from core.studies.records import StudyRequest
from core.ui.certify.controls import choose_guarantee, choose_samples, link_part, note_tries, objection, say_tries, with_part
from core.ui.certify.study import STUDIES, draw_running, draw_shown, draw_table, finished_study, is_stored, seeded, start_study
from core.ui.certify.verify import draw_verify
from core.ui.frame import close_page, open_page
from core.ui.jobs.follow import begin, follow
from core.ui.jobs.job import Job
from core.ui.jobs.session import picture_key, work_key
from core.ui.linked import choose_program, choose_sigma, link_seed, linked_switch
from core.ui.models import choose_classifier, choose_denoiser, choose_size, draw_find_button, warn_about_sigma
from core.ui.pictures import choose_pictures, choose_shown
from core.ui.sentences import show_error

open_page("Certify")
st.title("Certify a picture")

left, middle, right = st.columns([1.3, 1, 1.2])
with right:
    classifier = choose_classifier()
    draw_find_button("classifier")
    denoiser = choose_denoiser(classifier)
    draw_find_button("denoiser", classifier)
    size = choose_size(classifier)
with left:
    choices = choose_pictures(classifier)
with middle:
    sigma = choose_sigma()
    automatic = linked_switch("Compute as I change things", True, "auto")
settings, compare, seed = choose_samples(sigma)
settings = choose_program(choose_guarantee(settings))
warn_about_sigma(denoiser, sigma, classifier)
request = StudyRequest(classifier, denoiser, settings, compare, size=size)
pictures = [picture_key(choice.picture.image) for choice in choices]
requests = [with_part(key, seeded(choice, request, seed)) for key, choice in zip(pictures, choices, strict=True)]
wrong = next(filter(None, (objection(asked.settings) for asked in requests)), None)
if wrong is not None:
    show_error(wrong)
keys = [work_key(choice.picture.image, asked) for choice, asked in zip(choices, requests, strict=True)]


def start(number: int) -> bool:
    """Start the study of a choice anew, or say why not."""
    picture = choices[number].picture
    STUDIES.forget(keys[number])
    begun = begin(lambda: start_study(picture.image, picture.name, requests[number]))
    if begun:
        note_tries(pictures[number], requests[number])
    return begun


STUDIES.keep_only(keys)
for number, (choice, asked, key) in enumerate(zip(choices, requests, keys, strict=True)):
    job = STUDIES.find(key)
    if automatic and wrong is None and job is None and finished_study(choice, asked, job) is None:
        start(number)
shown = choose_shown(choices)
place = choices.index(shown)
link_seed(None if seed is None and is_stored(shown, requests[place]) else requests[place].settings.seed)
link_part(requests[place])


def draw(*jobs: Job | None) -> None:
    """What is there of all, and of the one to look at."""
    if len(choices) > 1:
        draw_table(choices, requests, jobs)
    job = jobs[place]
    result = finished_study(shown, requests[place], job)
    if result is not None:
        note_tries(pictures[place], requests[place], result)
        say_tries(pictures[place], settings.alpha)
        label = draw_shown(result, shown.picture.name, str(keys[place][0])[:12], stored=job is None)
        if label and st.button(label, icon=":material/play_arrow:") and start(place):
            st.rerun()
    elif job is None:
        if wrong is None and st.button("Start", type="primary", icon=":material/play_arrow:") and start(place):
            st.rerun()
    elif job.state == "failed":
        show_error(job.error or "")
        if st.button("Try again", icon=":material/refresh:") and start(place):
            st.rerun()
    else:
        draw_running(job, sigma)


follow(draw, *(partial(STUDIES.find, key) for key in keys))
draw_verify()
close_page()
