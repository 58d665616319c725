"""Starting evaluations from a page, and going on with them; every image goes to the store at once."""

from __future__ import annotations

from dataclasses import dataclass

from core.data.classes import check_classes
from core.data.datasets import load_dataset
from core.device import pick_device
from core.errors import LabError
from core.runs.evaluation import EvaluationProgress, EvaluationRequest, chosen_images, document_of, evaluate_into, request_of
from core.runs.resuming import changed_since
from core.runs.store import StoredRun
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import SessionJobs, models
from core.ui.tradeoffs.run_store import run_store

EVALUATIONS = SessionJobs("evaluations")


@dataclass(frozen=True)
class EvaluationResult:
    """What a job came to.

    Attributes:
        progress: the last.
        minutes: the budget it had.
        changed: packages whose version is another than when the run was begun.
    """

    progress: EvaluationProgress
    minutes: float
    changed: tuple[str, ...] = ()


def start_evaluation(request: EvaluationRequest, name: str) -> Job:
    """Queue a new evaluation, whose run is called ``name``.

    Raises:
        LabError: where a number is out of range, the store cannot be used, or the queue is full.
    """
    return _start(request, name, None)


def resume_evaluation(run: StoredRun, minutes: float) -> Job:
    """Queue what a run lacks.

    Raises:
        LabError: where nothing is missing or somebody is at it, it does not say how it was made, or as
            :func:`start_evaluation`.
    """
    if not run.may_resume:
        raise LabError(f"The run {run.name!r} cannot be gone on with: it has all its images, or somebody works on it already.")
    return _start(request_of(run, minutes), run.name, run)


def _start(request: EvaluationRequest, name: str, run: StoredRun | None) -> Job:
    book, cache = run_store(), models()
    device = pick_device("auto" if run is None else str(run.settings.get("device", "auto")))
    settings = request.settings()

    def work(context: JobContext) -> EvaluationResult:
        tell, stop = context.report, context.should_stop
        with context.aside():  # downloads may take minutes
            data = load_dataset(request.dataset, request.split, on_progress=tell, should_stop=stop)
            bundled = request.classifier.startswith("bundled/")
            size = None if bundled else (int(data.images.shape[2]), int(data.images.shape[3]))
            classifier = cache.classifier(request.classifier, device, size=size, on_progress=tell, should_stop=stop)
            denoiser = cache.denoiser(request.denoiser, device, on_progress=tell, should_stop=stop)
        check_classes(data, classifier)
        chosen = chosen_images(data, request.images, request.seed)
        document = document_of(request, classifier, denoiser, device=str(device))
        if run is None:
            changed, number = [], book.begin(name, document, len(chosen))
        else:
            begun, otherwise = f"The run {run.name!r}", " than is here now: begin a new one."
            changed, number = changed_since(run.settings, document, begun=begun, otherwise=otherwise), run.id
        with book.working_on(number, begun=run is None):
            progress = evaluate_into(
                book,
                number,
                chosen,
                classifier,
                denoiser,
                settings,
                device=str(device),
                minutes=request.minutes,
                report=tell,
                should_stop=stop,
            )
        return EvaluationResult(progress, request.minutes, tuple(changed))

    return EVALUATIONS.start_alone(f"Evaluate {name}", work, "An evaluation")
