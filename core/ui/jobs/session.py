"""The queue and the models that all sessions share, the jobs that one browser tab has started, and their end when it is gone:
what a tab leaves behind ends by itself soon after its connection did, and waits for nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.errors import LabError
from core.ui.jobs.job import Job, JobWork
from core.ui.jobs.queue import JobQueue
from core.ui.memory import give_back_memory

if TYPE_CHECKING:
    from core.models.cache import ModelCache

Key = tuple[Hashable, ...]

GRACE = 15.0
"""Seconds from the end of a connection to that of its jobs. A page that is loaded again, or a short drop, is back sooner."""


@st.cache_resource(show_spinner=False)
def queue() -> JobQueue:
    """The one job queue of this process."""
    return JobQueue()


@st.cache_resource(show_spinner=False)
def models() -> ModelCache:
    """The one cache of loaded models of this process."""
    from core.models.cache import ModelCache  # torch takes seconds, and the first page needs only the queue

    return ModelCache()


def session_id() -> str:
    """Names the browser tab that asks, for fair turns."""
    context = get_script_run_ctx()
    return "no-session" if context is None else context.session_id


def picture_key(picture: Image.Image) -> str:
    """Names a picture by its size and pixels: 64 hexadecimal digits."""
    return hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()


def work_key(picture: Image.Image, *asked: Hashable) -> Key:
    """Names work on a picture: its size and pixels, and all that is asked of it."""
    return (picture_key(picture), *asked)


class SessionJobs:
    """Starts, finds and stops this session's jobs of one kind.

    Args:
        slot: names the kind; studies and comparisons do not stop each other.
    """

    def __init__(self, slot: str) -> None:
        self._slot = f"jobs-{slot}"

    def start(self, key: Key, title: str, work: JobWork, *, shared: bool = True) -> Job:
        """Queue work under a key; where ``shared``, a result that anybody's job of this key had comes back at once.

        Raises LabError where the queue is full.
        """
        job = queue().submit(session_id(), title, work, key if shared else None)
        st.session_state.setdefault(self._slot, {})[key] = job.id
        return job

    def start_alone(self, title: str, work: JobWork, what: str) -> Job:
        """Queue work of which a session does one at a time; it takes the place of the last.

        Raises LabError where the last is under way, which is called ``what``, and where the queue is full.
        """
        last = self.latest()
        if last is not None and not last.finished:
            raise LabError(f"{what} of yours is under way: stop it first, or wait for its end.")
        st.session_state.pop(self._slot, None)
        return self.start((self._slot, uuid.uuid4().hex), title, work, shared=False)

    def latest(self) -> Job | None:
        """What :meth:`start_alone` started last, under way or ended, if its result was not dropped since."""
        keys = list(st.session_state.get(self._slot, {}))
        return self.find(keys[-1]) if keys else None

    def find(self, key: Key) -> Job | None:
        """The job for a key, if it was started here and its result was not dropped since to make room for others'."""
        job_id = st.session_state.get(self._slot, {}).get(key)
        job = None if job_id is None else queue().look(job_id)
        if job is None:
            self.forget(key)
        return job

    def forget(self, key: Key) -> None:
        """Drop a job, so that it may be started again."""
        st.session_state.get(self._slot, {}).pop(key, None)

    def keep_only(self, keys: Sequence[Key]) -> None:
        """Stop the others: their controls have moved on. Finished ones are kept."""
        for key, job_id in list(st.session_state.get(self._slot, {}).items()):
            job = queue().look(job_id)
            if job is None:
                self.forget(key)
            elif key not in keys and not job.finished:
                queue().stop(job)
                self.forget(key)


def attend() -> None:
    """Have jobs give way while the page is drawn that calls this, as every page does, and its session watched: Streamlit drops
    what is cached for a session when its connection ends."""
    queue().pages.draw()
    _watched()


def _left(session: str) -> None:
    """The connection of a session has ended. Streamlit says so in the thread of its event loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # the whole cache is cleared, not because somebody left
    queue().mark_away(session)
    followed, _left_at[session] = session in _left_at, loop.time()
    loop.call_later(GRACE, _end_jobs, session)
    if not followed:
        loop.call_later(_kept(), _end_session, session)


@st.cache_resource(scope="session", show_spinner=False, on_release=_left)
def _watched() -> str:
    name = session_id()
    queue().mark_present(name)
    return name


_left_at: dict[str, float] = {}
"""When each session that is followed was last seen to leave, by the event loop's clock. Only its thread reads and writes it."""


def _end_jobs(session: str) -> None:
    if _is_there(session):
        queue().mark_present(session)
    else:
        queue().leave(session)


def _end_session(session: str) -> None:
    """Close a session that did not come back; one that did is looked at again: it may leave without having drawn a page."""
    loop = asyncio.get_running_loop()
    wait = _kept() if _is_there(session) else _left_at[session] + _kept() - loop.time()
    if wait > 0:
        loop.call_later(wait, _end_session, session)
        return
    del _left_at[session]
    queue().leave(session)
    runtime.get_instance().close_session(session)
    if not _left_at:
        give_back_memory()


def _kept() -> float:
    """Seconds that a session is kept for one who comes back: a little less than Streamlit does, whose own end of it frees
    nothing until somebody else leaves."""
    return max(GRACE, 0.95 * float(st.get_option("server.disconnectedSessionTTL")))


def _is_there(session: str) -> bool:
    return runtime.get_instance().is_active_session(session)
