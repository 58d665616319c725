"""Starting a training from a page."""

from __future__ import annotations

import dataclasses
import uuid

import streamlit as st

from core.device import pick_device
from core.errors import LabError
from core.training.classroom import TrainedHere, TrainingState, train_here
from core.training.kept import check_name, check_room
from core.training.pictures import pictures_for
from core.training.request import check_training
from core.training.uploads import Uploaded, read_uploaded
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs
from core.ui.jobs.shared import models
from core.ui.train.controls import TrainingChoice

TRAININGS = SessionJobs("trainings")
_CURRENT = "training-job"
SIDE_OF_ANY = 64
"""Pixels of uploaded pictures, before a classifier that takes any size."""


def current_job() -> Job | None:
    """This session's training, under way or the last that ended."""
    key = st.session_state.get(_CURRENT)
    return None if key is None else TRAININGS.find(key)


def start(choice: TrainingChoice) -> Job:
    """Queue a training.

    Raises:
        LabError: where a number or the name is not usable, too many models are kept, a training of this session is under
            way, or the queue is full.
    """
    request, name, files = choice.request, check_name(choice.name), choice.files
    check_training(request)
    check_room()
    if request.dataset == "upload" and not files:
        raise LabError("Upload pictures first: a zip with one folder a class, or several pictures.")
    earlier = current_job()
    if earlier is not None and not earlier.finished:
        raise LabError("A training of yours is under way: stop it first, or wait for its end.")
    low, high = request.sigma_range
    request = dataclasses.replace(request, sigma=min(max(request.sigma, low), high))
    cache, device = models(), pick_device("auto")

    def work(context: JobContext) -> TrainedHere:
        stop = context.should_stop
        context.report(TrainingState("pictures"))
        with context.aside():  # downloads and files may take minutes
            classifier = cache.classifier(request.classifier, device, on_progress=context.report, should_stop=stop)
            size = classifier.input_size or (SIDE_OF_ANY, SIDE_OF_ANY)

            def uploaded() -> Uploaded:
                return read_uploaded(files, size, should_stop=stop)

            pictures = pictures_for(request.dataset, classifier.labels, request.checked, uploaded)
        if stop():
            raise LabError("Stopped before the training began: nothing is kept.")
        return train_here(request, classifier, pictures, name, device=device, report=context.report, should_stop=stop)

    key: Key = ("training", uuid.uuid4().hex)
    job = TRAININGS.start(key, f"Train {name}", work, shared=False)
    st.session_state[_CURRENT] = key
    return job
