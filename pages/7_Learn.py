"""Learn: six short chapters, each with a figure that answers to the hand; a quiz, lessons, a glossary."""

import streamlit as st

from core.ui.frame import close_page, open_page
from core.ui.learn.pictures import draw_dimensions, draw_trade_off
from core.ui.learn.plane import draw_bound, draw_fragile, draw_limits, draw_voting
from core.ui.learn.teaching import draw_glossary, draw_lessons
from core.ui.linked import linked_steps

CHAPTERS = {
    "fragile": ("Fragile", draw_fragile),
    "voting": ("Voting", draw_voting),
    "bound": ("The bound", draw_bound),
    "dimensions": ("Dimensions", draw_dimensions),
    "trade-off": ("Trade-off", draw_trade_off),
    "limits": ("What it does not say", draw_limits),
}

open_page("Learn")
st.title("Learn: from a fragile answer to a certified one")

names = list(CHAPTERS)
titles = {name: f"{number}. {title}" for number, (name, (title, _)) in enumerate(CHAPTERS.items(), 1)}
chapter = linked_steps("Chapter", titles, names[0], "chapter")
st.header(CHAPTERS[chapter][0], anchor=False)
# A fragment: moving a control draws the chapter anew, and not what stands around it.
st.fragment(CHAPTERS[chapter][1])()


def turn_to(name: str) -> None:
    """Go to a chapter. A callback: it runs before the page is drawn anew."""
    st.session_state["chapter"] = name


here = names.index(chapter)
with st.container(horizontal=True, key="turn-pages"):
    if here > 0:
        st.button(
            f"Back: {CHAPTERS[names[here - 1]][0]}", icon=":material/arrow_back:", on_click=turn_to, args=[names[here - 1]]
        )
    if here + 1 < len(names):
        st.button(
            f"Next: {CHAPTERS[names[here + 1]][0]}",
            icon=":material/arrow_forward:",
            type="primary",
            on_click=turn_to,
            args=[names[here + 1]],
        )
st.divider()
draw_lessons()
draw_glossary()
close_page()
