"""Running a new evaluation from a page: what to run, its budget, and the curve as it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.evaluation.curve import best_steps, summarise
from core.evaluation.families import denoiser_words
from core.evaluation.log import LogLine, Outcomes
from core.figures.curves import Curve, certified_curves, curves_alt
from core.report.notation import duration
from core.runs.evaluation import MOST_IMAGES, MOST_MINUTES, EvaluationProgress, EvaluationRequest
from core.ui.controls import ALPHAS, choose_seed, choose_sigma, warn_about_sigma
from core.ui.figure import draw_figure
from core.ui.frame import SPEED
from core.ui.jobs.follow import begin, draw_job, draw_stop, draw_waiting, follow, under_way
from core.ui.jobs.queue import Job
from core.ui.linked import linked_choice, linked_number
from core.ui.models.choice import choose_classifier, choose_denoiser
from core.ui.plain_text import plain
from core.ui.tradeoffs.evaluation_job import EVALUATIONS, EvaluationResult, resume_evaluation, start_evaluation
from core.ui.tradeoffs.new_data import choose_data, title_of_data
from core.ui.tradeoffs.radii import choose_table_radii
from core.ui.tradeoffs.run_store import run_store

RADII = (0.25, 0.5)
WITHIN = 0.05
ENDINGS = {
    "n": "after n",
    "within": "once more would add 5% to its radius at most",
    "table": "once it is settled at each radius of a table",
}
_EVERY = 1.0
"""Seconds between two looks at a run under way."""

DrawCurve = Callable[[Sequence[LogLine]], None]
"""Draws what the images so far say; called anew as more come."""


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


def draw_new_evaluation(draw: DrawCurve = draw_curve) -> None:
    """Everything for a new evaluation: controls, budget, start, progress, curve, stop, and going on."""
    request, name = _choose()
    busy = under_way(EVALUATIONS.latest())
    ready = bool(request.dataset)
    if st.button(
        "Start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=busy or not ready,
        key="evaluation-start",
        help="Another one is under way." if busy else None,
    ):
        _begin(lambda: start_evaluation(request, name))
    _say_effort(request)
    draw_own_job(draw, busy)


def draw_own_job(draw: DrawCurve = draw_curve, busy: bool | None = None) -> None:
    """This session's evaluation, followed while it runs; nothing where there is none."""

    def look(job: Job | None) -> None:
        if job is not None:
            draw_job(job, lambda job: _draw_running(job, draw), lambda result: _draw_ended(result, job.id, draw))

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
            if st.button("Look at it", key="under-way", on_click=_open_new):
                st.rerun()

    follow(look, EVALUATIONS.latest, every=2 * _EVERY)


def _open_new() -> None:
    st.session_state["view"] = "new"


def draw_resume(run: int, missing: int, minutes: float, key: str) -> None:
    """A button that goes on with a run of the store.

    Args:
        missing: images.
        minutes: the budget it is to have.
        key: tells the button from others.
    """
    busy = under_way(EVALUATIONS.latest())
    if st.button(
        f"Resume: {missing:,} images are missing",
        icon=":material/resume:",
        key=f"resume-{key}",
        disabled=busy,
        help="Another one is under way." if busy else None,
    ):
        _begin(lambda: resume_evaluation(run_store().run(run), minutes))


def open_run(run: int) -> None:
    """Turn the page to a stored run. A callback: it runs before the page is drawn anew."""
    st.session_state["view"], st.session_state["run"] = "runs", str(run)


def _choose() -> tuple[EvaluationRequest, str]:
    left, middle, right = st.columns(3)
    with left:
        classifier = choose_classifier()
        denoiser = choose_denoiser(classifier)
    with middle:
        dataset = choose_data(classifier)
        sigma = choose_sigma()
    with right:
        images = linked_number(
            "Images, at most",
            (1, MOST_IMAGES),
            100,
            "evaluation-images",
            step=50,
            help="The interval of a share over 100 images is about 20 points wide, over 1,000 about 6.",
        )
        minutes = linked_number(
            "Minutes, at most",
            (1, int(MOST_MINUTES)),
            10,
            "evaluation-minutes",
            step=5,
            help="Of computing. What is not finished then can be gone on with.",
        )
        n = linked_number(
            "n: samples an image, at most",
            (20, 100_000),
            1_000,
            "evaluation-n",
            step=500,
            help="The papers take 10,000 or 100,000; fewer give smaller radii.",
        )
    with st.expander("Name, samples, confidence, seed", icon=":material/tune:"):
        first, second, third = st.columns(3)
        suggested = f"{title_of_data(dataset) if dataset else 'Hub'}: {denoiser_words(denoiser)}, sigma {sigma:g}"
        with first:
            name = st.text_input("Name of the run", "", key="evaluation-name", placeholder=suggested, max_chars=200)
            within, table_radii = _choose_ending()
        with second:
            n0 = linked_number("n0: samples that choose the class", (1, 1_000), 100, "evaluation-n0", step=10)
            alpha = st.selectbox(
                "alpha: chance that a certificate is wrong",
                ALPHAS,
                index=2,
                format_func=lambda a: f"{a:g}",
                key="evaluation-alpha",
                bind="query-params",
            )
        with third:
            seed = choose_seed("evaluation-seed")
    warn_about_sigma(denoiser, sigma, classifier)
    request = EvaluationRequest(
        dataset,
        "test",
        classifier,
        denoiser,
        int(images),
        sigma,
        int(n0),
        int(n),
        float(alpha),
        seed,
        within,
        table_radii,
        float(minutes),
    )
    return request, name.strip() or suggested


def _choose_ending() -> tuple[float | None, tuple[float, ...] | None]:
    """When an image has enough samples: the part of its radius that may be lost, or the radii that are to be settled."""
    ending = linked_choice(
        "An image has enough samples",
        ENDINGS,
        "n",
        "evaluation-ending",
        help="Ending early is valid at the same alpha, by a bound made for it. By the anytime bound each radius is at most 5%"
        " below what n samples would give. With a table's radii most images need a part of n; the curve then means something"
        " at these radii alone.",
    )
    radii = choose_table_radii("evaluation-radii") if ending == "table" else None
    return (WITHIN if ending == "within" else None), None if radii is None else tuple(radii)


def _say_effort(request: EvaluationRequest) -> None:
    """What it will take, where the speed of this machine has been seen."""
    speed, samples = st.session_state.get(SPEED), request.images * (request.n0 + request.n)
    if speed and request.within is None and not request.table_radii:
        st.caption(
            f"{samples:,} samples; at the {speed:,.0f} a second of the last run about {duration(samples / speed)}, or until"
            " the minutes are over."
        )


def _begin(submit: Callable[[], Job]) -> None:
    if begin(submit):
        st.rerun()


def _draw_running(job: Job, draw: DrawCurve) -> None:
    progress = job.progress
    if not isinstance(progress, EvaluationProgress):
        draw_waiting(job, "Reading the pictures, loading the models…")
        draw_stop(job)
        return
    left = "" if progress.seconds_left is None else f" · about {duration(progress.seconds_left)} left"
    st.progress(progress.done / progress.planned, text=f"{progress.done:,} of {progress.planned:,} images{left}")
    draw_stop(job, "Keeps every image that is finished; it can be gone on with.")
    if progress.done:
        draw(progress.lines[: progress.done])


def _draw_ended(result: EvaluationResult, job: str, draw: DrawCurve) -> None:
    progress = result.progress
    if progress.complete:
        st.success(f"Finished: {progress.done:,} images, in the store of runs.", icon=":material/inventory_2:")
    else:
        over = "The minutes are over" if progress.seconds >= 60 * result.minutes else "Stopped"
        st.info(
            f"{over} after {progress.done:,} of {progress.planned:,} images, which are in the store of runs.",
            icon=":material/pause_circle:",
        )
        minutes = float(st.session_state.get("evaluation-minutes", result.minutes))
        draw_resume(progress.run, progress.planned - progress.done, minutes, f"ended-{job}")
    if result.changed:
        st.caption(
            f"Begun with another version of {', '.join(result.changed)}: the last digits of the images since may differ."
        )
    if progress.skipped:
        st.warning(plain(f"{len(progress.skipped)} pictures were left out: {progress.skipped[0]}."), icon=":material/warning:")
    if progress.done:
        draw(progress.lines)
        if st.button(
            "Compare, name, download",
            icon=":material/inventory_2:",
            key=f"open-{job}",
            on_click=open_run,
            args=(progress.run,),
            help="Among the evaluations made here.",
        ):
            st.rerun()
