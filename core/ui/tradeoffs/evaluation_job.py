"""Evaluations from a page: started, gone on with, followed as their curve grows; every image goes to the store at once."""

from collections.abc import Callable, Sequence

import streamlit as st

from core.data.classes import check_classes
from core.data.datasets import load_dataset
from core.device import pick_device
from core.errors import LabError
from core.evaluation.curve import best_steps, summarise
from core.evaluation.log import LogLine, Outcomes
from core.figures.curves import Curve, certified_curves, curves_alt
from core.report.notation import duration
from core.runs.evaluation import EvaluationProgress, EvaluationRequest, evaluate_into, request_of
from core.runs.store import StoredRun
from core.ui.figure import draw_figure
from core.ui.jobs.follow import begin, draw_job, draw_stop, draw_waiting, follow, under_way
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import SessionJobs, models
from core.ui.plain_text import plain
from core.ui.tradeoffs.run_store import run_store

EVALUATIONS = SessionJobs("evaluations")
RADII = (0.25, 0.5)
_EVERY = 1.0
"""Seconds between two looks at a run under way."""


def start_evaluation(request: EvaluationRequest, name: str) -> Job:
    """Queue a new evaluation. Raises LabError where a number is out of range, the store unusable, or the queue is full."""
    return _start(request, name, None)


def resume_evaluation(run: StoredRun, minutes: float) -> Job:
    """Queue what a run lacks.

    Raises LabError where nothing is missing, somebody is at it or it does not say how it was made, and as above.
    """
    if not run.may_resume:
        raise LabError(f"The run {run.name!r} cannot be gone on with: it has all its images, or somebody works on it already.")
    return _start(request_of(run, minutes), run.name, run)


def _start(request: EvaluationRequest, name: str, run: StoredRun | None) -> Job:
    book, cache = run_store(), models()
    device = pick_device("auto" if run is None else str(run.settings.get("device", "auto")))
    request.check()

    def work(context: JobContext) -> EvaluationProgress:
        tell, stop = context.report, context.should_stop
        with context.aside():  # downloads may take minutes
            data = load_dataset(request.dataset, request.split, on_progress=tell, should_stop=stop)
            bundled = request.classifier.startswith("bundled/")
            size = None if bundled else (int(data.images.shape[2]), int(data.images.shape[3]))
            classifier = cache.classifier(request.classifier, device, size=size, on_progress=tell, should_stop=stop)
            denoiser = cache.denoiser(request.denoiser, device, on_progress=tell, should_stop=stop)
        check_classes(data, classifier)
        return evaluate_into(
            book,
            request,
            data=data,
            classifier=classifier,
            denoiser=denoiser,
            device=str(device),
            name=name,
            begun=run,
            report=tell,
            should_stop=stop,
        )

    return EVALUATIONS.start_alone(f"Evaluate {name}", work, "An evaluation")


def draw_own_job(*, curve: bool = True, busy: bool | None = None) -> None:
    """This session's evaluation, followed while it runs; nothing where there is none. Its curve may stand elsewhere."""

    def look(job: Job | None) -> None:
        if job is not None:
            draw_job(job, lambda job: _draw_running(job, curve), lambda result: _draw_ended(result, job.id, curve))

    follow(look, EVALUATIONS.latest, busy=busy, every=_EVERY)


def draw_under_way() -> None:
    """A line about this session's evaluation where another view is drawn: it goes on as long as it is looked at."""

    def look(job: Job | None) -> None:
        if job is None or job.finished:
            return
        progress = job.progress
        done = f": {progress.done:,} of {progress.planned:,} images" if isinstance(progress, EvaluationProgress) else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/hourglass_top: An evaluation of yours is under way{done}.", width="content")
            if st.button("Look at it", key="under-way", on_click=_turn_to, args=("new",)):
                st.rerun()

    follow(look, EVALUATIONS.latest, every=2 * _EVERY)


def _turn_to(view: str, run: int | None = None) -> None:
    """Turn the page to a view, or to a stored run. A callback: it runs before the page is drawn anew."""
    st.session_state["view"] = view
    if run is not None:
        st.session_state["run"] = str(run)


def _draw_running(job: Job, curve: bool) -> None:
    progress = job.progress
    if not isinstance(progress, EvaluationProgress):
        draw_waiting(job, "Reading the pictures, loading the models…")
        draw_stop(job)
        return
    left = "" if progress.seconds_left is None else f" · about {duration(progress.seconds_left)} left"
    st.progress(progress.done / progress.planned, text=f"{progress.done:,} of {progress.planned:,} images{left}")
    draw_stop(job, "Keeps every image that is finished; it can be gone on with.")
    if progress.done and curve:
        draw_curve(progress.lines[: progress.done])


def _draw_ended(progress: EvaluationProgress, job: str, curve: bool) -> None:
    if progress.complete:
        st.success(f"Finished: {progress.done:,} images, in the store of runs.", icon=":material/inventory_2:")
    else:
        over = "The minutes are over" if progress.seconds >= 60 * progress.minutes else "Stopped"
        st.info(
            f"{over} after {progress.done:,} of {progress.planned:,} images, which are in the store of runs.",
            icon=":material/pause_circle:",
        )
        minutes = float(st.session_state.get("evaluation-minutes", progress.minutes))
        draw_resume(progress.run, progress.planned - progress.done, minutes, f"ended-{job}")
    if progress.changed:
        st.caption(
            f"Begun with another version of {', '.join(progress.changed)}: the last digits of the images since may differ."
        )
    if progress.skipped:
        st.warning(plain(f"{len(progress.skipped)} pictures were left out: {progress.skipped[0]}."), icon=":material/warning:")
    if progress.done and curve:
        draw_curve(progress.lines)
    if progress.done and st.button(
        "Compare, name, download",
        icon=":material/inventory_2:",
        key=f"open-{job}",
        on_click=_turn_to,
        args=("runs", progress.run),
        help="Among the evaluations made here.",
    ):
        st.rerun()


def draw_curve(lines: Sequence[LogLine]) -> None:
    """Certified accuracy against radius with its interval over the images so far, and three figures of it."""
    summary = summarise(lines, RADII)
    shares = [("Right", summary.clean, summary.clean_interval)]
    shares += [(f"Right and certified at {r:g}", summary.certified[r], summary.interval[r]) for r in RADII]
    with st.container(key="paired-evaluation"):
        for column, (label, share, (low, high)) in zip(st.columns(len(shares)), shares, strict=True):
            column.metric(label, f"{share:.0%}", f"{low:.0%} to {high:.0%}", delta_color="off", delta_arrow="off")
    curve = Curve(f"{len(lines):,} images", "", 0, best_steps({"": Outcomes.of(lines)}, 150))
    draw_figure(certified_curves([curve]), "evaluation-curve", curves_alt([curve], [], list(RADII)), "certified-accuracy")
    st.caption("The band is the 95% interval over images: it narrows as more of them are done.")


def draw_resume(run: int, missing: int, minutes: float, key: str) -> None:
    """A button that goes on with a run of the store, ``missing`` images of it, within so many minutes."""
    busy = under_way(EVALUATIONS.latest())
    if st.button(
        f"Resume: {missing:,} images are missing",
        icon=":material/resume:",
        key=f"resume-{key}",
        disabled=busy,
        help="Another one is under way." if busy else None,
    ):
        begin_anew(lambda: resume_evaluation(run_store().run(run), minutes))


def begin_anew(submit: Callable[[], Job]) -> None:
    """Start or go on, and draw the page anew; or say in a sentence why not."""
    if begin(submit):
        st.rerun()
