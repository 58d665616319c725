"""The sentence on the Certify page that says what moving a control did."""

from __future__ import annotations

import streamlit as st

from core.report.words import what_changed
from core.smoothing.certificate import Certificate
from core.ui.plain_text import plain

_LAST, _SENTENCE = "change-last", "change-sentence"


def note_change(certificate: Certificate) -> None:
    """Compare with the last certificate that this session was shown, and say what changed until another one is shown."""
    last: Certificate | None = st.session_state.get(_LAST)
    if last is None or last != certificate:
        st.session_state[_SENTENCE] = "" if last is None else what_changed(last, certificate)
        st.session_state[_LAST] = certificate
    sentence = st.session_state[_SENTENCE]
    if sentence:
        st.markdown(f":material/compare_arrows: {plain(sentence)}")
