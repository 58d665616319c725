"""The radii of the Trade-offs page: one for figures, several for tables; both part of the link."""

from __future__ import annotations

import streamlit as st

from core.report.notation import read_numbers
from core.ui.linked import linked_slider
from core.ui.plain_text import plain

USUAL = "0.25, 0.5, 0.75, 1"
MOST = 12


def choose_radius() -> float:
    """The radius at which figures are made."""
    radius = linked_slider(
        "At radius", (0.0, 3.0), 0.25, "radius", step=0.05, help="In [0, 1] pixel units, l2. 0: right and not abstained."
    )
    return float(radius)


def choose_table_radii(key: str = "radii") -> list[float]:
    """The radii of a table, ascending, named ``key`` in links; what is none is named and left out."""
    text = st.text_input(
        "Radii of the table",
        USUAL,
        key=key,
        bind="query-params",
        max_chars=200,
        help=f"Numbers of at least 0, with commas between; at most {MOST}.",
    )
    found, wrong = read_numbers(str(text), lambda radius: 0 <= radius <= 100)
    radii = sorted(set(found))
    if wrong:
        named = ", ".join(repr(part) for part in wrong[:3])
        st.warning(plain(f"Not a radius: {named}. Expected numbers from 0 to 100, such as 0.25."), icon=":material/warning:")
    if len(radii) > MOST:
        st.warning(f"{len(radii)} radii were given: the first {MOST} are used.", icon=":material/warning:")
    return radii[:MOST] or read_numbers(USUAL)[0]
