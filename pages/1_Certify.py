"""Certify a picture: choose, watch the vote, read the certificate."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.report.export import to_csv
from core.report.notation import norm_name
from core.studies.records import Study, StudyRequest
from core.studies.stored import stored_study
from core.ui.certify.change_notice import note_change
from core.ui.certify.guarantee import choose_guarantee, objection
from core.ui.certify.job import STUDIES, note_speed, start_study, study_key
from core.ui.certify.verify_view import draw_verify
from core.ui.certify.view import draw_running, draw_study
from core.ui.controls import choose_numbers, choose_sigma, request_of, warn_about_sigma
from core.ui.frame import close_page, open_page
from core.ui.jobs.follow import begin, follow
from core.ui.jobs.queue import Job
from core.ui.linked import linked_switch
from core.ui.models.browser import draw_find_button
from core.ui.models.choice import choose_classifier, choose_denoiser, choose_size
from core.ui.pictures import Choice, choose_pictures, choose_shown
from core.ui.plain_text import show_error

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
numbers = choose_numbers()
guarantee = choose_guarantee()
warn_about_sigma(denoiser, sigma, classifier)
request = request_of(classifier, denoiser, sigma, numbers, size, guarantee)
wrong = objection(request.settings)
if wrong is not None:
    show_error(wrong)


def finished(choice: Choice, wanted: StudyRequest) -> Study | None:
    """The study of a choice, from the files that come with the Lab or from this session's finished job."""
    if choice.sample is not None:
        stored = stored_study(choice.sample)
        if stored is not None and stored[1] == wanted and STUDIES.find(study_key(choice.picture.image, wanted)) is None:
            return stored[0]
    job = STUDIES.find(study_key(choice.picture.image, wanted))
    return job.result if job is not None and job.state == "done" else None


def start(choice: Choice) -> bool:
    """Start the study of a choice anew, or say why not."""
    STUDIES.forget(study_key(choice.picture.image, request))
    return begin(lambda: start_study(choice.picture.image, choice.picture.name, request))


keys = [study_key(choice.picture.image, request) for choice in choices]
STUDIES.keep_only(keys)
for choice, key in zip(choices, keys, strict=True):
    if automatic and wrong is None and finished(choice, request) is None and STUDIES.find(key) is None:
        start(choice)

shown = choose_shown(choices)
shown_key = study_key(shown.picture.image, request)


def draw(*jobs: Job | None) -> None:
    """What is there."""
    if len(choices) > 1:
        draw_table()
    job, result = jobs[keys.index(shown_key)], finished(shown, request)
    if result is not None:
        if job is not None:
            note_speed(result)
        note_change(result.certificate)
        draw_study(result, shown.picture.name, shown_key[1][:12] if isinstance(shown_key[1], str) else "study")
        c = result.certificate
        draw_again(stored=job is None, stopped=c.stopped and c.settled is None)
    elif job is None:
        if wrong is None and st.button("Start", type="primary", icon=":material/play_arrow:") and start(shown):
            st.rerun()
    elif job.state == "failed":
        show_error(job.error or "")
        if st.button("Try again", icon=":material/refresh:") and start(shown):
            st.rerun()
    else:
        draw_running(job, sigma)


def draw_again(stored: bool, stopped: bool) -> None:
    """Say where a stored result comes from; offer to compute what is stored or was stopped."""
    if stored:
        st.caption("This result comes with the Lab, computed beforehand with these very numbers.")
    if stored or stopped:
        label = "Compute it here" if stored else "Run it to the end"
        if st.button(label, icon=":material/play_arrow:") and start(shown):
            st.rerun()


def draw_table() -> None:
    """One row a picture."""
    rows, done = [], []
    for number, choice in enumerate(choices, 1):
        job, result = STUDIES.find(study_key(choice.picture.image, request)), finished(choice, request)
        row: dict[str, object] = {
            "#": number,
            "picture": choice.picture.name,
            "state": "not started" if job is None else job.state,
        }
        if result is not None:
            c = result.certificate
            done.append((choice.picture.name, c))
            row |= {
                "state": c.settled or ("stopped" if c.stopped else "done"),
                "prediction": "abstains" if c.abstained else c.label,
                f"radius ({norm_name(c.norm)})": float(f"{c.radius:.4g}"),
                "p_lower": round(c.p_lower, 4),
                "n": c.n,
            }
        rows.append(row)
    st.dataframe(rows, hide_index=True, width="stretch")
    if done:
        st.download_button(
            "All as CSV", to_csv(done), "certificates.csv", "text/csv", icon=":material/download:", on_click="ignore"
        )


follow(draw, *(partial(STUDIES.find, key) for key in keys))
draw_verify()
close_page()
