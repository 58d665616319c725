"""A row of steps, one of which is chosen; part of the link by name, not by title."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st


def linked_steps(label: str, titles: Mapping[str, str], default: str, key: str) -> str:
    """A segmented control bound to the query parameter ``key``, as :func:`core.ui.linked.linked_choice` binds a menu.

    Args:
        titles: what is shown for each step, by the name that stands in links.
        default: one of the names; it is left out of the link.
    """
    written = f"{key}-in-link"
    asked = st.query_params.get(key)
    if asked in titles and asked != st.session_state.get(written):
        st.session_state[key] = asked  # a link was followed since the last run
    elif st.session_state.get(key) not in titles:
        st.session_state[key] = default
    chosen = (
        st.segmented_control(
            label,
            list(titles),
            format_func=titles.__getitem__,
            key=key,
            required=True,
            persist_state="session",
            label_visibility="collapsed",
        )
        or default
    )
    if chosen != default:
        st.query_params[key] = chosen
    elif key in st.query_params:
        del st.query_params[key]
    st.session_state[written] = st.query_params.get(key)
    return chosen
