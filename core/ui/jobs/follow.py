"""Following a job on a page: started or said why not, looked at while it is under way, stopped, drawn when it ended; and what a
kill cut short, to be gone on with."""

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import streamlit as st

from core.models.hub.download import DownloadProgress
from core.plain_text import plain
from core.runs.unfinished import Unfinished, unfinished
from core.ui.jobs.job import Job
from core.ui.jobs.session import queue, session_id
from core.ui.login import visitor
from core.ui.sentences import attempt, errors_shown, show_error

LOOKS = 6.0
"""Times a second that all pages together look at jobs: what one costs stands in docs/benchmarks.md."""
RECONSIDERED = 8.0
"""Seconds after which a page asks anew how often it is to look."""
LATER = 1.0
"""Seconds that a look lets pages be drawn first at most."""

_pacing = threading.Lock()
_lookers: dict[tuple[str, str], float] = {}
"""Who looks at jobs, and until when that is to be thought."""


def begin(submit: Callable[[], object]) -> bool:
    """Start a job, or say in a sentence why not; returns whether it was started."""
    with errors_shown():
        submit()
        return True
    return False


def under_way(job: Job | None) -> bool:
    """Whether a job is there and something will change yet."""
    return job is not None and not job.finished


def redrawn(draw: Callable[[], None], every: float | None) -> None:
    """Draw something, and anew every so many seconds: less often where many pages do so. None draws it once."""
    who = session_id(), f"{draw.__module__}.{draw.__qualname__}"

    @st.fragment(run_every=None if every is None else RECONSIDERED)
    def paced() -> None:
        @st.fragment(run_every=None if every is None else _pace(who, every))
        def look() -> None:
            if every is not None:
                _pace(who, every)
                queue().pages.let_through(LATER)
            draw()

        look()

    paced()


def _pace(who: tuple[str, str], every: float) -> float:
    """Seconds until ``who``, who looks now, is to look again: so long that all who look keep to :data:`LOOKS` together."""
    now = time.monotonic()
    with _pacing:
        for other in [other for other, until in _lookers.items() if until < now]:
            del _lookers[other]
        crowd = len(_lookers) + (who not in _lookers)
        # In steps, so that one who comes or goes does not set everybody's clock anew.
        pause = every * 1.5 ** max(0, math.ceil(math.log(crowd / (LOOKS * every), 1.5)))
        _lookers[who] = now + 3 * max(pause, RECONSIDERED)
    return pause


def follow(draw: Callable[..., None], *finds: Callable[[], Job | None], busy: bool | None = None, every: float = 0.4) -> None:
    """Draw jobs, anew every few tenths of a second while one is under way, and the whole page once more when all have ended.

    Args:
        draw: called with what each of ``finds`` finds, in their order. A job may end while it is drawn: look at its state once.
        finds: look a job up, which keeps it alive; None where it was not started, or was dropped to make room.
        busy: whether one was under way when the page drew what depends on it, which is drawn anew when all have ended.
        every: seconds between two looks, where few pages look.
    """
    busy = any(under_way(find()) for find in finds) if busy is None else busy

    @wraps(draw)
    def look() -> None:
        jobs = [find() for find in finds]
        if busy and not any(under_way(job) for job in jobs):
            st.rerun()  # the whole page, which then no longer polls
        draw(*jobs)
        if busy and not any(under_way(job) for job in jobs):
            st.rerun()  # the last ended while it was drawn

    redrawn(look, every if busy else None)


def draw_job(job: Job, running: Callable[[Job], None], done: Callable[[Any], None]) -> None:
    """Draw a job by what became of it: ``running`` while it is under way, why it failed, or ``done`` with its result."""
    if not job.finished:
        running(job)
    elif job.state == "failed":
        show_error(job.error or "")
    else:
        done(job.result)


def draw_waiting(job: Job, loading: str = "Loading the models…") -> None:
    """A bar for a job that has not computed anything yet: a download, a place in the queue, or ``loading``."""
    progress = job.progress
    if isinstance(progress, DownloadProgress):
        left = "" if progress.seconds_left is None else f" · about {progress.seconds_left:.0f} s left"
        st.progress(
            min(1.0, progress.done / max(1, progress.total)),
            text=f"Downloading {plain(progress.name)}: {progress.done / 1e6:,.1f} of {progress.total / 1e6:,.1f} MB{left}",
        )
        return
    ahead = queue().ahead_of(job) if job.state == "queued" else 0
    st.progress(0.0, text=f"Waiting for {ahead} other computations…" if ahead else loading)


def draw_stop(job: Job, help: str | None = None) -> None:
    """A button that stops the job."""
    if st.button("Stop", icon=":material/stop_circle:", key=f"stop-{job.id}", help=help):
        queue().stop(job)


def draw_left(kind: str, tell: Callable[[Unfinished], str], go_on: Callable[[Unfinished], None], **button: Any) -> None:
    """What the visitor's work of a kind left when it was cut short, with buttons to go on and to drop it; often nothing.

    Args:
        tell: what it was, and what is to be done before it can go on, in sentences with ``{when}`` for the last that is kept.
        go_on: called before the page is drawn again.
        button: how the first button differs from others.
    """
    for work in unfinished(kind):
        if not visitor().owns(str(work.asked.get("owner"))):
            continue
        when = f"{datetime.fromtimestamp(work.when, UTC):%Y-%m-%d %H:%M} UTC"
        st.info(plain(tell(work).replace("{when}", when)), icon=":material/power_off:")
        with st.container(horizontal=True):
            st.button("Go on", icon=":material/resume:", key=f"go-on-{work.id}", on_click=go_on, args=(work,), **button)
            if st.button("Drop it", icon=":material/delete:", key=f"drop-{work.id}"):
                attempt(work.drop, "Dropped.")
