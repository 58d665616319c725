"""Evaluations from a page: what to run and its budget; started, resumed, followed; each image goes to the store at once."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import streamlit as st

from core.data.classes import in_classes_of
from core.data.datasets import load_dataset
from core.data.local import CIFAR10_ON_THE_HUB, cifar10_folder, local_data_sets, title_of_data
from core.device import pick_device
from core.errors import LabError
from core.evaluation.curve import best_steps, summarise
from core.evaluation.families import denoiser_words
from core.evaluation.log import LogLine, Outcomes
from core.figures.curves import Curve, certified_curves, curves_alt
from core.plain_text import named, plain
from core.report.notation import duration
from core.runs.evaluation import MOST_IMAGES, MOST_MINUTES, EvaluationProgress, EvaluationRequest, evaluate_into, request_of
from core.runs.store import StoredRun, is_growing
from core.smoothing.settings import Settings, fresh_seed
from core.ui.figure import draw_figure, keyed_columns
from core.ui.frame import SPEED
from core.ui.jobs.follow import begin, draw_job, draw_stop, draw_waiting, follow, under_way
from core.ui.jobs.job import Job, JobContext
from core.ui.jobs.session import SessionJobs, models
from core.ui.linked import (
    choose_alpha,
    choose_program,
    choose_seed,
    choose_sigma,
    key_for,
    link_seed,
    linked_choice,
    linked_number,
)
from core.ui.login import visitor
from core.ui.models import choose_classifier, choose_denoiser, warn_about_sigma
from core.ui.tradeoffs.logs import PROSE, choose_table_radii
from core.ui.tradeoffs.run_store import run_store, stored_runs

FROM_HUB = "hub"
WITHIN = 0.05


def draw_new_evaluation() -> None:
    """Everything for a new evaluation: controls, budget, start, progress, curve, stop, and going on."""
    _offer_interrupted()
    request, name = _choose()
    busy = under_way(EVALUATIONS.latest())
    off, help = busy or not request.dataset, "Another one is under way." if busy else None
    if st.button("Start", type="primary", icon=":material/play_arrow:", disabled=off, key="evaluation-start", help=help):
        begin_anew(lambda: start_evaluation(request, name))
    s, speed = request.settings, st.session_state.get(SPEED)
    if speed and not s.may_end_early:
        samples = request.images * (s.n0 + s.n)
        st.caption(PROSE["effort"].format(samples=samples, speed=speed, time=duration(samples / speed)))
    draw_own_job(busy=busy)


def _offer_interrupted() -> None:
    """Lead to the visitor's newest run whose worker is gone; where the store cannot be used, starting a run says so."""
    with suppress(LabError):
        cut = (run for run in stored_runs() if run.interrupted and run.may_resume and visitor().owns(run.owner))
        if run := next(cut, None):
            st.info(plain(f"{run.name} was cut short after {run.images:,} images."), icon=":material/power_off:")
            st.button("Go on with it", icon=":material/resume:", on_click=_turn_to, args=("runs", run.id), key="interrupted")


def _choose() -> tuple[EvaluationRequest, str]:
    left, middle, right = st.columns(3)
    with left:
        classifier = choose_classifier()
        denoiser = choose_denoiser(classifier)
    with middle:
        dataset = choose_data(classifier)
        sigma = choose_sigma()
    with right:
        span, label = (1, MOST_IMAGES), "Images, at most"
        images = linked_number(label, span, 100, "evaluation-images", step=50, help=PROSE["images"])
        span, label = (1, int(MOST_MINUTES)), "Minutes, at most"
        minutes = linked_number(label, span, 10, "evaluation-minutes", step=5, help=PROSE["minutes"])
        span, label = (20, 100_000), "n: samples an image, at most"
        n = linked_number(label, span, 1_000, "evaluation-n", step=500, help=PROSE["n"])
    with st.expander("Name, samples, confidence, seed", icon=":material/tune:"):
        first, second, third = st.columns(3)
        suggested = f"{title_of_data(dataset) if dataset else 'Hub'}: {denoiser_words(denoiser)}, sigma {sigma:g}"
        with first:
            name = st.text_input("Name of the run", "", key="evaluation-name", placeholder=suggested, max_chars=200)
            within, table_radii = _choose_ending()
        with second:
            n0 = linked_number("n0: samples that choose the class", (1, 1_000), 100, "evaluation-n0", step=10)
            alpha = choose_alpha("evaluation-alpha", "alpha: chance that a certificate is wrong")
        with third:
            seed = choose_seed("evaluation-seed")
    warn_about_sigma(denoiser, sigma, classifier)
    link_seed(seed, "evaluation-seed")
    drawn = fresh_seed() if seed is None else seed  # anew whenever this is drawn: each run has its own
    asked = Settings(sigma=sigma, n0=n0, n=n, alpha=alpha, seed=drawn, norm="l2", within=within, table_radii=table_radii)
    request = EvaluationRequest(
        dataset=dataset,
        split="test",
        classifier=classifier,
        denoiser=denoiser,
        images=images,
        settings=choose_program(replace(asked, method=asked.usual_method)),
        minutes=float(minutes),
    )
    return request, name.strip() or suggested


def _choose_ending() -> tuple[float | None, tuple[float, ...] | None]:
    """When an image has enough samples: the part of its radius that may be lost, or the radii that are to be settled."""
    ending = linked_choice("An image has enough samples", PROSE["endings"], "n", "evaluation-ending", help=PROSE["ending"])
    if ending == "table":
        return None, tuple(choose_table_radii("evaluation-radii"))
    return (WITHIN if ending == "within" else None), None


def choose_data(classifier: str) -> str:
    """The reference of a data set; of the Hub's as ``hub/OWNER/NAME``, empty until one is named."""
    known = local_data_sets()
    # Links name data sets by words, not by paths of this machine.
    words = {_word(reference): reference for reference in known}
    first = "shapes" if classifier == "bundled/shapes" or "cifar10" not in words else "cifar10"
    titles = {word: known[reference] for word, reference in words.items()} | {FROM_HUB: "A data set of the Hub…"}
    word = linked_choice("Data set", titles, first, key_for("evaluation-data", classifier), help=PROSE["data"])
    if word != FROM_HUB:
        return words[word]
    example, help = f"OWNER/NAME, such as {CIFAR10_ON_THE_HUB}", "In parquet files, with pictures of one size; fetched once."
    name = st.text_input("Name on the Hub", "", key="evaluation-hub", placeholder=example, max_chars=200, help=help)
    return f"hub/{name.strip().removeprefix('hub/')}" if name.strip() else ""


def _word(reference: str) -> str:
    if reference == "shapes":
        return reference
    cifar10 = cifar10_folder()
    return "cifar10" if cifar10 is not None and reference == f"parquet/{cifar10}" else f"own-{Path(reference).name}"


EVALUATIONS = SessionJobs("evaluations")
RADII = (0.25, 0.5)
_EVERY = 1.0
"""Seconds between two looks at a run under way."""


def start_evaluation(request: EvaluationRequest, name: str, run: StoredRun | None = None) -> Job:
    """Queue an evaluation, or what a run lacks. Raises LabError where a number or the store is unusable, or the queue full."""
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
        data = in_classes_of(classifier, data)
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
            st.caption(PROSE["under-way"].format(done=done), width="content")
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
        draw_curve(progress.lines[: progress.done], growing=True)


def _draw_ended(progress: EvaluationProgress, job: str, curve: bool) -> None:
    if progress.complete:
        st.success(f"Finished: {progress.done:,} images, in the store of runs.", icon=":material/inventory_2:")
    else:
        over = "The minutes are over" if progress.seconds >= 60 * progress.minutes else "Stopped"
        st.info(PROSE["ended"].format(over=over, p=progress), icon=":material/pause_circle:")
        minutes = float(st.session_state.get("evaluation-minutes", progress.minutes))
        draw_resume(progress.run, progress.planned - progress.done, minutes, f"ended-{job}")
    if progress.changed:
        st.caption(PROSE["changed"].format(others=plain(", ".join(map(named, progress.changed)))))
    if progress.skipped:
        st.warning(plain(f"{len(progress.skipped)} pictures were left out: {progress.skipped[0]}."), icon=":material/warning:")
    if progress.done and curve:
        growing = not progress.complete
        with suppress(LabError):  # it may have been deleted meanwhile
            growing = is_growing(run_store(), run_store().run(progress.run))
        draw_curve(progress.lines, growing=growing)
    if progress.done:
        help, turn = "Among the evaluations made here.", partial(_turn_to, "runs", progress.run)
        if st.button("Compare, name, download", icon=":material/inventory_2:", key=f"open-{job}", on_click=turn, help=help):
            st.rerun()


def draw_curve(lines: Sequence[LogLine], *, growing: bool) -> None:
    """Certified accuracy against radius with its interval over the images so far, and three figures of it; ``growing`` where
    images are missing."""
    outcomes = Outcomes.of(lines, growing=growing)
    summary = summarise(outcomes, RADII)
    shares = [("Right", summary.clean, summary.clean_interval)]
    shares += [(f"Right and certified at {r:g}", summary.certified[r], summary.interval[r]) for r in RADII]
    for column, (label, share, (low, high)) in zip(keyed_columns("paired-evaluation", len(shares)), shares, strict=True):
        column.metric(label, f"{share:.0%}", f"{low:.0%} to {high:.0%}", delta_color="off", delta_arrow="off")
    curve = Curve(f"{len(lines):,} images", "", 0, best_steps({"": outcomes}, 150))
    draw_figure(certified_curves([curve]), "evaluation-curve", curves_alt([curve], [], list(RADII)), "certified-accuracy")
    st.caption(PROSE["band"] + PROSE["growing" if growing else "complete"])


def draw_resume(run: int, missing: int, minutes: float, key: str) -> None:
    """A button that goes on with a run of the store, ``missing`` images of it, within so many minutes."""
    label, busy = f"Resume: {missing:,} images are missing", under_way(EVALUATIONS.latest())
    help = "Another one is under way." if busy else None
    if st.button(label, icon=":material/resume:", key=f"resume-{key}", disabled=busy, help=help):
        begin_anew(lambda: _resume(run_store().run(run), minutes))


def _resume(run: StoredRun, minutes: float) -> Job:
    if not run.may_resume:
        raise LabError(PROSE["no-resume"].format(name=run.name))
    return start_evaluation(request_of(run, minutes), run.name, run)


def begin_anew(submit: Callable[[], Job]) -> None:
    """Start or go on, and draw the page anew; or say in a sentence why not."""
    if begin(submit):
        st.rerun()
