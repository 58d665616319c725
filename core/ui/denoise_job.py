"""Starting, following and stopping comparisons of denoisers, and their sweeps over sigma, from a page."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import streamlit as st
from PIL import Image

from core.comparison_run import Comparison, ComparisonRequest, run_comparison
from core.device import pick_device
from core.jobs import Job, JobContext
from core.ui.engine import models, queue, session_id

_JOBS = "denoise_jobs"
Key = tuple[object, ...]


def comparison_key(picture: Image.Image, request: ComparisonRequest, sweep: bool) -> Key:
    """Names a comparison or a sweep: the picture's bytes and every number."""
    digest = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()
    return ("sweep" if sweep else "comparison", digest, *dataclasses.astuple(request))


def find_job(key: Key) -> Job | None:
    """This session's job for a key, if it was started."""
    job_id = st.session_state.get(_JOBS, {}).get(key)
    return None if job_id is None else queue().look(job_id)


def start(picture: Image.Image, name: str, request: ComparisonRequest, sweep: bool) -> Job:
    """Queue a comparison, or a sweep (which keeps no pictures). Raises LabError where the queue is full."""
    cache, device = models(), pick_device(request.device)

    def work(context: JobContext) -> Comparison:
        classifier = cache.classifier(request.classifier, device)
        denoisers = {reference: cache.denoiser(reference, device) for reference in request.denoisers}
        return run_comparison(
            picture, classifier, denoisers, request, device=device, keep_pixels=not sweep,
            report=context.report, should_stop=context.should_stop,
        )  # fmt: skip

    key = comparison_key(picture, request, sweep)
    job = queue().submit(session_id(), f"{'Sweep' if sweep else 'Denoise'} {name}", work, key)
    st.session_state.setdefault(_JOBS, {})[key] = job.id
    return job


def keep_only(keys: Sequence[Key]) -> None:
    """Stop this session's other comparisons and sweeps: their controls have moved on. Finished ones are kept."""
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
