"""Sentences on a page: those that pages say, which lie in assets; what was done, what went wrong."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from core.errors import LabError
from core.folders import ASSETS
from core.plain_text import plain

_DONE = "done"


def stored_texts(name: str) -> Any:
    """What ``assets/NAME.json`` holds, as texts by their names; what stands in braces is filled in where it is shown."""
    return json.loads((ASSETS / f"{name}.json").read_text(encoding="utf-8"))


def show_error(error: Exception | str, icon: str = ":material/error:") -> None:
    """What went wrong, as it stands: it may hold a file's name, or what a server answered."""
    st.error(plain(str(error)), icon=icon)


@contextmanager
def errors_shown(icon: str = ":material/error:") -> Iterator[None]:
    """Within ``with``, or around a function, a LabError ends what is done there and is shown as a sentence."""
    try:
        yield
    except LabError as error:
        show_error(error, icon)


def attempt(action: Callable[[], object], done: str) -> None:
    """Do something and draw the page anew, which says what was done; or say in a sentence why not."""
    with errors_shown():
        action()
        st.session_state[_DONE] = done
        st.rerun(scope="app")


def offer_to_share(label: str, is_shared: bool, key: str, share: Callable[[bool], object], help: str | None = None) -> None:
    """A switch, called "Others may …", by which a visitor shares what is theirs, or has it back for themselves."""
    wanted = st.toggle(label, is_shared, key=f"share-{key}-{is_shared}", help=help)
    if wanted != is_shared:
        attempt(lambda: share(wanted), f"{label} now." if wanted else "Yours alone now.")


def offer_to_delete(name: str, fate: str, key: str, delete: Callable[[], object]) -> None:
    """A button to delete something, which says what is gone then before it does so."""
    with st.popover("Delete…", icon=":material/delete:", key=f"deleting-{key}"):
        st.markdown(f"**{plain(name)}** {fate}")
        if st.button("Delete for good", icon=":material/delete_forever:", key=f"delete-{key}"):
            attempt(delete, f"Deleted: {name}.")


def say_done() -> None:
    """What :func:`attempt` did, once."""
    done = st.session_state.pop(_DONE, None)
    if done:
        st.success(plain(done), icon=":material/check:")
