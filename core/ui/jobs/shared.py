"""The process-wide queue and models that all pages share, and who is asking."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.models.cache import ModelCache
from core.ui.jobs.queue import JobQueue


@st.cache_resource(show_spinner=False)
def queue() -> JobQueue:
    """The one job queue of this process."""
    return JobQueue()


@st.cache_resource(show_spinner=False)
def models() -> ModelCache:
    """The one cache of loaded models of this process."""
    return ModelCache()


def session_id() -> str:
    """Names the browser tab that asks, for fair turns."""
    context = get_script_run_ctx()
    return "no-session" if context is None else context.session_id
