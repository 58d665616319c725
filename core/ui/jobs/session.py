"""The jobs that one browser tab has started, by what they compute."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.ui.jobs.queue import Job, Work
from core.ui.jobs.shared import queue, session_id

Key = tuple[object, ...]


class SessionJobs:
    """Starts, finds and stops this session's jobs of one kind.

    Args:
        slot: names the kind; studies and comparisons do not stop each other.
    """

    def __init__(self, slot: str) -> None:
        self._slot = f"jobs-{slot}"

    def start(self, key: Key, title: str, work: Work, *, shared: bool = True) -> Job:
        """Queue work under a key; where ``shared``, a result that anybody's job of this key had comes back at once.

        Raises LabError where the queue is full.
        """
        job = queue().submit(session_id(), title, work, key if shared else None)
        st.session_state.setdefault(self._slot, {})[key] = job.id
        return job

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
