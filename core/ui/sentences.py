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


def say_done() -> None:
    """What :func:`attempt` did, once."""
    done = st.session_state.pop(_DONE, None)
    if done:
        st.success(plain(done), icon=":material/check:")
