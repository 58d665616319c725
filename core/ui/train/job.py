"""Starting a training from a page."""

from __future__ import annotations

import dataclasses

from core.device import pick_device
from core.errors import LabError
from core.training.classroom import TrainedHere, TrainingState, train_here
from core.training.pictures import Uploaded, pictures_for, read_uploaded
from core.training.trained import check_name, check_room
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import SessionJobs, models
from core.ui.train.controls import TrainingChoice

TRAININGS = SessionJobs("trainings")
SIDE_OF_ANY = 64
"""Pixels of uploaded pictures, before a classifier that takes any size."""


def start_training(choice: TrainingChoice) -> Job:
    """Queue a training.

    Raises:
        LabError: where a number or the name is not usable, too many models are kept, a training of this session is under
            way, or the queue is full.
    """
    request, name, files = choice.request, check_name(choice.name), choice.files
    request.check()
    check_room()
    if request.dataset == "upload" and not files:
        raise LabError("Upload pictures first: a zip with one folder a class, or several pictures.")
    low, high = request.sigma_range
    settings = dataclasses.replace(request.settings, sigma=min(max(request.settings.sigma, low), high))
    request = dataclasses.replace(request, settings=settings)
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

    return TRAININGS.start_alone(f"Train {name}", work, "A training")
