"""The frame of every page: title, navigation, presenter mode, and the side line that says what computes and how fast.

Presenter mode has large type and no side bar, for a room that looks at a projector: ``?present=1`` in any link.
"""

from pathlib import Path

import streamlit as st
from starlette.exceptions import HTTPException
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from core.engines import program_title
from core.folders import ASSETS
from core.smoothing.certificate import Certificate
from core.ui.jobs.session import attend
from core.ui.linked import newly_asked, read_link, say_refused, write_link
from core.ui.login import enter
from core.ui.memory import collect_for_all

PAGES = (
    ("app.py", "Start", ":material/home:"),
    ("pages/1_Certify.py", "Certify", ":material/verified_user:"),
    ("pages/2_Denoise.py", "Denoise", ":material/blur_off:"),
    ("pages/3_Trade-offs.py", "Trade-offs", ":material/balance:"),
    ("pages/4_Attack.py", "Attack", ":material/bolt:"),
    ("pages/5_Vision_APIs.py", "Vision APIs", ":material/cloud:"),
    ("pages/6_Train.py", "Train", ":material/model_training:"),
    ("pages/7_Learn.py", "Learn", ":material/school:"),
)
SPEED, PROGRAM = "last_speed", "last_program"
PARAMETER, SWITCH = "present", "presenter-mode"
YES = ("1", "true", "yes", "on")
UPLOADS_OF_A_TAB, UPLOADS_OF_ALL = 256 * 2**20, 2**30
"""Bytes of uploaded files that are held for one tab, and for all together."""

_HERE = Path(__file__).parent
ICON = ASSETS / "favicon.svg"  # browsers ask another host for a Material icon


def open_page(title: str) -> None:
    """Set the page up, for whoever may come in. Must be the first thing a page calls."""
    st.set_page_config(page_title=f"{title} · Denoised Smoothing Lab", page_icon=ICON, layout="wide")
    st.html(_HERE / "frame.css")
    asked = newly_asked(PARAMETER)
    if asked and asked[-1].lower() in YES:
        st.session_state[SWITCH] = True
    if presenting():
        st.html(_HERE / "presenter.css")
    with st.sidebar:
        st.markdown("**Denoised Smoothing Lab**")
        for path, label, icon in PAGES:
            st.page_link(path, label=label, icon=icon)
    collect_for_all()
    bound_uploads(admit=False)
    enter()
    bound_uploads(admit=True)
    attend()
    read_link()


def close_page() -> None:
    """Write the foot and the side line, last, so that they know what became of the link and the speed of the run just shown."""
    say_refused()
    # The switch; with it, while presenting, the links that stand in the side bar elsewhere.
    with st.container(horizontal=True, key="presenter"):
        # bind="query-params" would know "true" only, and forget "1" as soon as the page is loaded again.
        on = st.toggle("Presenter mode", key=SWITCH, persist_state="session", help="Large type, no side bar; part of the link.")
        if on:
            for path, label, icon in PAGES:
                st.page_link(path, label=label, icon=icon, query_params={PARAMETER: "1"})
    write_link(PARAMETER, ["1"] if on else [])
    from core.device import describe_device, pick_device  # torch takes seconds the first time; by now the page is drawn

    with st.sidebar:
        st.divider()
        speed = st.session_state.get(SPEED)
        measured = f" · {speed:,.0f} samples/s in the last run, by {st.session_state[PROGRAM]}" if speed else ""
        st.caption(f":material/memory: {describe_device(pick_device())}{measured}")
        st.caption("sigma and radii are in [0, 1] pixel units; 0.25 is 64 of 255 grey levels.")


def note_speed(certificate: Certificate) -> None:
    """Keep how fast a certificate was had, and by what, for the side line."""
    st.session_state[SPEED] = certificate.samples_per_second
    st.session_state[PROGRAM] = program_title(certificate.engine, certificate.precision)


def presenting() -> bool:
    """Whether presenter mode is on."""
    return bool(st.session_state.get(SWITCH, False))


class BoundedUploads:
    """Takes the files of tabs that show a page, up to a limit for each and for all.
    The server by itself takes any number of files from whoever opened a connection, seen or not by a page."""

    def __init__(self, manager: MemoryUploadedFileManager) -> None:
        self._add, self._files = manager.add_file, manager.file_storage
        self._admitted: set[str] = set()

    def admit(self, session: str) -> None:
        """Take files of a tab from now on."""
        if len(self._admitted) > 500:
            self._admitted = {known for known in self._admitted if runtime.get_instance().is_active_session(known)}
        self._admitted.add(session)

    def __call__(self, session_id: str, file: UploadedFileRec) -> None:
        """Take a file, or answer the tab that it is not taken."""
        if session_id not in self._admitted:
            raise HTTPException(403, "Open a page first.")
        held = {tab: sum(len(one.data) for one in list(files.values())) for tab, files in list(self._files.items())}
        held[session_id] = held.get(session_id, 0) + len(file.data)
        if held[session_id] > UPLOADS_OF_A_TAB or sum(held.values()) > UPLOADS_OF_ALL:
            raise HTTPException(413, "Too many files are held: remove some first.")
        self._add(session_id, file)


def bound_uploads(*, admit: bool) -> None:
    """Bound what is uploaded to this server, and let this tab upload."""
    context = get_script_run_ctx()
    manager = runtime.get_instance().uploaded_file_mgr if runtime.exists() else None
    if context is None or not isinstance(manager, MemoryUploadedFileManager):
        return  # a page that runs without a server
    if not isinstance(manager.add_file, BoundedUploads):
        manager.add_file = BoundedUploads(manager)  # type: ignore[method-assign]
    if admit:
        manager.add_file.admit(context.session_id)
