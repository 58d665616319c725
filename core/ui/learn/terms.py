"""The glossary on the page: a word to hover or tap in its place, and the whole list as a section."""

from __future__ import annotations

import streamlit as st

from core.learn.glossary import GLOSSARY, Term


def draw_terms(*names: str) -> None:
    """The words of a chapter; each opens its meaning."""
    with st.container(horizontal=True, key=f"terms-{names[0].replace(' ', '-')}"):
        for name in names:
            term = GLOSSARY[name]
            with st.popover(term.name, type="tertiary", icon=":material/dictionary:", help=term.meaning):
                draw_term(term)


def draw_term(term: Term) -> None:
    """Meaning, formula, source."""
    st.markdown(f"**{term.name}**: {term.meaning}")
    if term.formula:
        st.latex(term.formula)
    st.caption(f"Source: {term.source}")


def draw_glossary() -> None:
    """All words, by letter, narrowed by what is typed."""
    st.subheader("Glossary", anchor="glossary")
    wanted = st.text_input("Find a word", key="glossary-find", max_chars=60, placeholder="radius").strip().lower()
    found = [term for term in GLOSSARY.values() if wanted in f"{term.name} {term.meaning}".lower()]
    if not found:
        st.caption("No word of the glossary has that in it.")
    with st.expander(f"{len(found)} words", expanded=bool(wanted), icon=":material/dictionary:"):
        for term in sorted(found, key=lambda t: t.name.lower()):
            draw_term(term)
