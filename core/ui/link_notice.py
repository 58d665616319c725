"""Says which values of a link could not be used. Widgets drop such values silently; a visitor should know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.ui.plain_text import plain

PENDING, SEEN, PLACE = "link-pending", "link-seen", "link-place"
LONGEST = 40


def read_link() -> None:
    """Keep what the link asks for, before any widget takes it up. Call first on a page."""
    # What stood in the link when the last page was done was put there by controls, and they may have been moved since.
    seen: dict[str, list[str]] = st.session_state.get(SEEN, {})
    asked = {key: values for key in st.query_params if (values := st.query_params.get_all(key)) != seen.get(key)}
    # A rerun half way through the page has lost what was refused: keep it until a page was drawn to its end.
    st.session_state[PENDING] = st.session_state.get(PENDING, {}) | asked
    st.session_state[PLACE] = st.empty()


def say_refused() -> None:
    """Name the values that were replaced by defaults, at the top of the page. Call last on a page."""
    asked: dict[str, list[str]] = st.session_state.pop(PENDING, {})
    st.session_state[SEEN] = {key: st.query_params.get_all(key) for key in st.query_params}
    state: Mapping[str, Any] = {key: st.session_state[key] for key in asked if key in st.session_state}
    sentences = refused(asked, state)
    place = st.session_state.pop(PLACE, None)
    if sentences and place is not None:
        place.warning(plain(" ".join(sentences)), icon=":material/link_off:")


def refused(asked: Mapping[str, Sequence[str]], used: Mapping[str, Any]) -> list[str]:
    """A sentence for each value of a link that is not the one in use.

    Args:
        asked: the values of the link, by key.
        used: what the controls hold now; keys that no control has are not spoken of.

    >>> refused({"sigma": ["lots"], "n": ["1000"]}, {"sigma": 0.25, "n": 1000})
    ["The link asks for sigma = 'lots', which is not possible here: 0.25 is used."]
    """
    sentences = []
    for key, value in used.items():
        # A control for several that holds nothing stands as "none" in a link.
        held = ([_text(v) for v in value] or ["none"]) if isinstance(value, list | tuple) else [_text(value)]
        wrong = [text for text in asked.get(key, ()) if not any(_same(text, h) for h in held)]
        if wrong:
            named = ", ".join(repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…") for text in wrong)
            sentences.append(f"The link asks for {key} = {named}, which is not possible here: {', '.join(held)} is used.")
    return sentences


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same(asked: str, held: str) -> bool:
    if asked.strip().lower() == held.lower() or (held == "true" and asked.strip().lower() in ("1", "yes", "on")):
        return True
    try:
        return float(asked) == float(held)
    except ValueError:
        return False
