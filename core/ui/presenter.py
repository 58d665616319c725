"""Presenter mode: large type and no side bar, for a room that looks at a projector. `?present=1` in any link."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.ui.linked import newly_asked, write_link

PARAMETER, SWITCH = "present", "presenter-mode"
YES = ("1", "true", "yes", "on")

_STYLE = """
<style>
  html {font-size: 125%;}
  [data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"], [data-testid="stExpandSidebarButton"],
    [data-testid="stHeader"], [data-testid="stToolbar"] {display: none !important;}
  .block-container {max-width: 100% !important; padding-top: 1.2rem !important;}
  [data-testid="stMarkdownContainer"] p, [data-testid="stMarkdownContainer"] li {font-size: 1.1rem; line-height: 1.5;}
  [data-testid="stCaptionContainer"] p {font-size: 0.95rem !important;}
</style>
"""


def presenting() -> bool:
    """Whether presenter mode is on."""
    return bool(st.session_state.get(SWITCH, False))


def open_presenting() -> None:
    """Hear what the link asks for, and set the large type where the mode is on. Call first on a page."""
    asked = newly_asked(PARAMETER)
    if asked and asked[-1].lower() in YES:
        st.session_state[SWITCH] = True
    if presenting():
        st.html(_STYLE)


def close_presenting(pages: Sequence[tuple[str, str, str]]) -> None:
    """The switch, at the foot of the page; with it, while presenting, the links that stand in the side bar elsewhere.

    Args:
        pages: path, label and icon of each.
    """
    with st.container(horizontal=True, key="presenter"):
        # bind="query-params" would know "true" only, and forget "1" as soon as the page is loaded again.
        on = st.toggle("Presenter mode", key=SWITCH, persist_state="session", help="Large type, no side bar; part of the link.")
        if on:
            for path, label, icon in pages:
                st.page_link(path, label=label, icon=icon, query_params={PARAMETER: "1"})
    write_link(PARAMETER, ["1"] if on else [])
