"""Starting the study of a picture from a page."""

from __future__ import annotations

import streamlit as st
from PIL import Image

from core.device import pick_device
from core.studies.certify import study
from core.studies.records import Study, StudyRequest
from core.ui.frame import SPEED
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs, models, picture_key

STUDIES = SessionJobs("studies")


def study_key(picture: Image.Image, request: StudyRequest) -> Key:
    """Names a study: the picture's bytes and every number."""
    return ("study", picture_key(picture), request)


def start_study(picture: Image.Image, name: str, request: StudyRequest) -> Job:
    """Queue the study of a picture. Raises LabError where the queue is full."""
    cache, device = models(), pick_device(request.device)

    def work(context: JobContext) -> Study:
        size = None if request.size is None else (request.size, request.size)
        tell, stop = context.report, context.should_stop
        with context.aside():  # a download may take minutes
            classifier = cache.classifier(request.classifier, device, size=size, on_progress=tell, should_stop=stop)
            denoiser = cache.denoiser(request.denoiser, device, on_progress=tell, should_stop=stop)
        return study(
            picture, classifier, denoiser, request, device=device, report=context.report, should_stop=context.should_stop
        )

    return STUDIES.start(study_key(picture, request), f"Certify {name}", work)


def note_speed(result: Study) -> None:
    """Remember the speed for the side line."""
    st.session_state[SPEED] = result.certificate.samples_per_second
