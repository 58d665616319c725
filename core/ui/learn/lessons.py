"""The prepared lessons of docs/lessons, shown on the page with links that work where the app runs."""

from __future__ import annotations

import re
from functools import cache

import streamlit as st

from core.folders import ROOT

LESSONS = ROOT / "docs" / "lessons"
MINUTES = (15, 45, 90)


def draw_lessons() -> None:
    """Each lesson folded away; nothing where the documents were not brought along."""
    texts = {minutes: text for minutes in MINUTES if (text := lesson_text(minutes)) is not None}
    if not texts:
        return
    st.subheader("Lessons", anchor="lessons")
    st.caption("For those who teach: goals, steps as links, questions and answers. Presenter mode is at the foot of the page.")
    for minutes, text in texts.items():
        with st.expander(f"{minutes} minutes", icon=":material/co_present:"):
            st.markdown(text)


@cache
def lesson_text(minutes: int) -> str | None:
    """A lesson without its title, its headings made smaller, its links relative to the page; None where there is none."""
    path = LESSONS / f"{minutes}-minutes.md"
    if not path.exists():
        return None
    body = path.read_text(encoding="utf-8").partition("\n")[2]
    body = re.sub(r"^## ", "##### ", body, flags=re.MULTILINE)
    return body.replace("](/", "](")
