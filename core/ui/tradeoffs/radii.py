"""The radii of the Trade-offs page: one for figures, several for tables; both part of the link."""

from __future__ import annotations

import math

import streamlit as st

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
    radii, wrong = parse_radii(str(text))
    if wrong:
        named = ", ".join(repr(part) for part in wrong[:3])
        st.warning(plain(f"Not a radius: {named}. Expected numbers from 0 to 100, such as 0.25."), icon=":material/warning:")
    if len(radii) > MOST:
        st.warning(f"{len(radii)} radii were given: the first {MOST} are used.", icon=":material/warning:")
    return radii[:MOST] or parse_radii(USUAL)[0]


def parse_radii(text: str) -> tuple[list[float], list[str]]:
    """The radii of a text, ascending and each once, and the parts of it that are none.

    >>> parse_radii("0.5, 0.25, x")
    ([0.25, 0.5], ['x'])
    """
    radii, wrong = set(), []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            radius = float(part)
        except ValueError:
            radius = math.nan
        if 0 <= radius <= 100:
            radii.add(radius)
        else:
            wrong.append(part)
    return sorted(radii), wrong
