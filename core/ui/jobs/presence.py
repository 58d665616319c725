"""Who is there: what a browser tab leaves behind ends by itself soon after its connection did, and waits for nobody."""

import asyncio
import ctypes
import gc
import sys

import streamlit as st
from streamlit import runtime

from core.ui.jobs.session import queue, session_id

GRACE = 15.0
"""Seconds from the end of a connection to that of its jobs. A page that is loaded again, or a short drop, is back sooner."""


def attend() -> None:
    """Have this session watched. Every page calls it: Streamlit drops what is cached for a session when its connection ends."""
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
        _give_back_memory()


def _give_back_memory() -> None:
    """Free what was left, and have the C library give its pages back, where it can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _kept() -> float:
    """Seconds that a session is kept for one who comes back: a little less than Streamlit does, whose own end of it frees
    nothing until somebody else leaves."""
    return max(GRACE, 0.95 * float(st.get_option("server.disconnectedSessionTTL")))


def _is_there(session: str) -> bool:
    return runtime.get_instance().is_active_session(session)
