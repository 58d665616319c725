"""Starting, following and stopping the study of a picture from a page."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import streamlit as st
from PIL import Image

from core.device import pick_device
from core.jobs import Job, JobContext
from core.study import Study, StudyRequest, study
from core.ui.engine import models, queue, session_id
from core.ui.frame import SPEED

_JOBS = "study_jobs"
Key = tuple[object, ...]


def study_key(picture: Image.Image, request: StudyRequest) -> Key:
    """Names a study: the picture's bytes and every number."""
    digest = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()
    return ("study", digest, *dataclasses.astuple(request))


def find_job(key: Key) -> Job | None:
    """This session's job for a study, if it was started."""
    job_id = st.session_state.get(_JOBS, {}).get(key)
    return None if job_id is None else queue().look(job_id)


def start(picture: Image.Image, name: str, request: StudyRequest) -> Job:
    """Queue the study of a picture. Raises LabError where the queue is full."""
    cache, device = models(), pick_device(request.device)

    def work(context: JobContext) -> Study:
        classifier = cache.classifier(request.classifier, device)
        denoiser = cache.denoiser(request.denoiser, device)
        return study(
            picture, classifier, denoiser, request, device=device, report=context.report, should_stop=context.should_stop
        )

    key = study_key(picture, request)
    job = queue().submit(session_id(), f"Certify {name}", work, key)
    st.session_state.setdefault(_JOBS, {})[key] = job.id
    return job


def keep_only(keys: Sequence[Key]) -> None:
    """Stop this session's other studies: their controls have moved on. Finished ones are kept."""
    for key, job_id in list(st.session_state.get(_JOBS, {}).items()):
        job = queue().look(job_id)
        if job is None:
            del st.session_state[_JOBS][key]
        elif key not in keys and not job.finished:
            queue().stop(job)
            del st.session_state[_JOBS][key]


def forget(key: Key) -> None:
    """Drop a job, so that it may be started again."""
    st.session_state.get(_JOBS, {}).pop(key, None)


def note_speed(result: Study) -> None:
    """Remember the speed for the side line."""
    st.session_state[SPEED] = result.certificate.samples_per_second
