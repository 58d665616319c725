"""What can be done with a stored run: compare, rename, download, delete; and bringing logs into the store."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import streamlit as st

from core.errors import LabError
from core.evaluation.log import MOST_LINES
from core.runs.files import export_files, file_stem, import_recorded
from core.runs.store import LONGEST_NAME, StoredRun
from core.ui.plain_text import plain
from core.ui.tradeoffs.logs import MOST_LOGS, MOST_MEGABYTES, TYPES, compare_run, read_uploads
from core.ui.tradeoffs.run_store import key_of, run_store

_ROUND = "import-round"
_DONE = "runs-done"


def draw_actions(run: StoredRun) -> None:
    """Buttons for one run. What fails is said in a sentence."""
    with st.container(horizontal=True):
        st.button(
            "Compare",
            type="primary",
            icon=":material/balance:",
            key=f"compare-{run.id}",
            on_click=compare_run,
            args=(key_of(run),),
            disabled=not run.images,
            help="Its curve among the others, with every view of this page.",
        )
        st.download_button(
            "Download",
            lambda: run_archive(run.id),
            f"{file_stem(run.name)}.zip",
            "application/zip",
            key=f"download-{run.id}",
            on_click="ignore",
            icon=":material/folder_zip:",
            help="The log in the field's format, what made it, and the votes where they were kept.",
        )
        with st.popover("Rename", icon=":material/edit:", key=f"renaming-{run.id}"):
            name = st.text_input("Name", run.name, max_chars=LONGEST_NAME, key=f"name-{run.id}-{run.name}")
            if st.button("Rename", icon=":material/check:", key=f"rename-{run.id}", disabled=name.strip() == run.name):
                _do(lambda: run_store().rename(run.id, name), "Renamed.")
        with st.popover("Delete…", icon=":material/delete:", key=f"deleting-{run.id}"):
            st.markdown(f"**{plain(run.name)}** and its {run.images:,} images will be gone for good.")
            if st.button("Delete for good", icon=":material/delete_forever:", key=f"delete-{run.id}"):
                _do(lambda: run_store().delete(run.id), f"Deleted: {run.name}.")


def run_archive(run: int) -> bytes:
    """The files of a run as a ZIP archive.

    Raises:
        LabError: where there is no such run any more.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in export_files(run_store(), run).items():
            archive.writestr(name, content)
    return file.getvalue()


def say_done() -> None:
    """What was just done, once."""
    done = st.session_state.pop(_DONE, None)
    if done:
        st.success(plain(done), icon=":material/check:")


def draw_import() -> None:
    """Bringing logs of one's own into the store."""
    with st.expander("Bring logs into the store", icon=":material/upload_file:"):
        st.markdown(
            "Logs of certified images in the field's format (Cohen et al.), of `evaluate` or from elsewhere. With the `.json`"
            " and `.votes.jsonl` of the same name, sigma, n, alpha and the votes come along."
        )
        turn = int(st.session_state.get(_ROUND, 0))  # another key empties the uploader once its files were taken over
        files = st.file_uploader(
            "Logs, several at once",
            TYPES,
            accept_multiple_files=True,
            key=f"import-logs-{turn}",
            max_upload_size=MOST_MEGABYTES,
            help=f"At most {MOST_LOGS} logs of {MOST_LINES:,} lines and {MOST_MEGABYTES} MB.",
        )
        logs = read_uploads(files)
        if logs and st.button(
            f"Bring {len(logs)} logs in" if len(logs) > 1 else "Bring it in", icon=":material/download:", key="import"
        ):

            def bring() -> None:
                for log in logs:
                    import_recorded(run_store(), log)
                st.session_state[_ROUND] = turn + 1

            _do(bring, f"In the store now: {', '.join(log.name for log in logs[:3])}{', …' if len(logs) > 3 else ''}.")


def _do(action: Callable[[], None], done: str) -> None:
    """Do it and draw the page anew, or say in a sentence why not."""
    try:
        action()
    except LabError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state[_DONE] = done
    st.rerun()
