"""A menu for several choices whose values stand in the link by their keys, and numbers that do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st


def linked_choices(
    label: str,
    options: Sequence[str],
    default: Sequence[str],
    title: Callable[[str], str],
    key: str,
    *,
    help: str | None = None,
    placeholder: str | None = None,
) -> list[str]:
    """A multi-select bound to the query parameter ``key``, one value an option; left out of the link where it is the default.

    Values in the link that are no options are dropped. An empty choice stands in the link as ``none``.

    Args:
        options: what may be chosen, as it stands in links.
        default: some of them.
        title: what the menu shows for an option.
    """
    written = f"{key}-in-link"
    asked = st.query_params.get_all(key)
    if asked and asked != st.session_state.get(written):
        known = [value for value in asked if value in options]  # a link was followed since the last run
        st.session_state[key] = known if known or asked == ["none"] else list(default)
    elif key not in st.session_state:
        st.session_state[key] = list(default)
    else:
        st.session_state[key] = [value for value in st.session_state[key] if value in options]
    chosen = st.multiselect(
        label, options, format_func=title, key=key, help=help, placeholder=placeholder, persist_state="session"
    )
    if list(chosen) != list(default):
        st.query_params[key] = list(chosen) or "none"
    elif key in st.query_params:
        del st.query_params[key]
    st.session_state[written] = st.query_params.get_all(key)
    return list(chosen)
