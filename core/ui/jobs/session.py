"""The queue and the models that all sessions of the process share, and the jobs that one browser tab has started."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.errors import LabError
from core.ui.jobs.queue import Job, JobQueue, JobWork

if TYPE_CHECKING:
    from core.models.cache import ModelCache

Key = tuple[Hashable, ...]


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
