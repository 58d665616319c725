"""A menu whose value stands in the link by its reference, not by the title that is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st


def linked_choice(
    label: str,
    options: Sequence[str],
    default: str,
    title: Callable[[str], str],
    key: str,
    *,
    help: str | None = None,
    disabled: bool = False,
) -> str:
    """A select box bound to the query parameter ``key``.

    Streamlit's own ``bind="query-params"`` would write the title into the link, and model references belong there. A value
    in the link that is no option is dropped. The choice is kept across pages, and left out of the link where it is the
    default.

    Args:
        options: what may be chosen, as it stands in links.
        default: one of them.
        title: what the menu shows for an option.
    """
    written = f"{key}-in-link"
    asked = st.query_params.get(key)
    if asked in options and asked != st.session_state.get(written):
        st.session_state[key] = asked  # a link was followed since the last run
    elif st.session_state.get(key) not in options:
        st.session_state[key] = default
    chosen = st.selectbox(label, options, format_func=title, key=key, help=help, disabled=disabled, persist_state="session")
    if chosen != default:
        st.query_params[key] = chosen
    elif key in st.query_params:
        del st.query_params[key]
    st.session_state[written] = st.query_params.get(key)
    return chosen


def key_for(name: str, classifier: str) -> str:
    """The key of a control whose choices depend on the classifier, so that another one starts from its own default."""
    return name if classifier == "bundled/cifar10" else f"{name}-{classifier.rpartition('/')[2]}"
