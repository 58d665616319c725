"""The store of runs as pages see it: opened once a process, and not at all while there is none. Imports no torch."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import LabError
from core.evaluation.recorded import RecordedEvaluation
from core.folders import home_folder
from core.ui.login import visitor

# SQLAlchemy takes a while to be imported: it is once there is a store.
if TYPE_CHECKING:
    from core.runs.store import RunStore, StoredRun

KEY = "run-"
RETRY_SECONDS = 20.0
"""A server that does not answer keeps a page waiting: it is asked no more often than this."""
_FAILED = "store-failed"


def run_store() -> RunStore:
    """The store of runs as the visitor may use it, made where there is none. Raises LabError where it cannot be used."""
    return _opened(os.environ.get("LAB_STORE"), os.environ.get("LAB_HOME")).used_by(visitor())


def store_is_there() -> bool:
    """Whether something may be in it: a database was named, or the file of the Lab's own folder exists."""
    return bool(os.environ.get("LAB_STORE")) or (home_folder() / "runs.sqlite").exists()


def stored_runs() -> list[StoredRun]:
    """All runs, the newest first; none, and nothing made, where there is no store yet. Raises LabError where it is unusable."""
    if not store_is_there():
        return []
    since, sentence = st.session_state.get(_FAILED, (0.0, ""))
    if sentence and time.monotonic() - since < RETRY_SECONDS:
        raise LabError(sentence)
    try:
        found = run_store().runs()
    except LabError as error:
        _opened.clear()  # a file that was taken away, say, is made anew
        st.session_state[_FAILED] = (time.monotonic(), str(error))
        raise
    st.session_state.pop(_FAILED, None)
    return found


def recorded(run: StoredRun) -> RecordedEvaluation:
    """A run as curves and tables take it, read once for as long as no image is added; raises LabError as ``recorded_run``."""
    store = run_store()
    return _recorded(store.where, run.id, created=run.created.timestamp(), name=run.name, images=run.images)


def key_of(run: StoredRun) -> str:
    """What a run is called in links."""
    return f"{KEY}{run.id}"


def run_titles(runs: Sequence[StoredRun]) -> dict[str, str]:
    """What to call each run in a menu, by its key: its name, and where several share it, which it is."""
    names = [run.name for run in runs]
    return {key_of(run): run.name if names.count(run.name) == 1 else f"{run.name} ({key_of(run)})" for run in runs}


@st.cache_resource(show_spinner=False, on_release=lambda store: store.close())
def _opened(url: str | None, home: str | None) -> RunStore:
    from core.runs.store import RunStore

    return RunStore()


# Resources are shared, not copied: nobody writes to a log that was read.
@st.cache_resource(max_entries=64, show_spinner="Reading the stored runs…")
def _recorded(where: str, run: int, created: float, name: str, images: int) -> RecordedEvaluation:
    from core.runs.store import recorded_run

    return recorded_run(run_store(), run)
