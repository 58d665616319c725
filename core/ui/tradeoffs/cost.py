"""The cost view of the Trade-offs page: certified accuracy against samples, seconds and money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.errors import LabError
from core.evaluation.curve import summarise
from core.evaluation.families import cost_of
from core.evaluation.projection import project, vote_shares
from core.evaluation.recorded import RecordedEvaluation
from core.figures.tradeoff import Spot, pareto_view, tradeoff_alt
from core.ui.figure import draw_figure
from core.ui.linked import linked_choice, linked_number, linked_switch
from core.ui.plain_text import plain
from core.ui.tradeoffs.logs import Chosen
from core.ui.tradeoffs.view import group_titles, spot_of

COSTS = {"samples": "Samples an image", "seconds": "Seconds an image", "money": "Money for 1,000 images"}
OTHER_N = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
MOST_PATHS = 16


def draw_cost(chosen: Chosen, radius: float) -> None:
    """Certified accuracy against what it costs, measured and, with other numbers of samples, projected."""
    left, right = st.columns([2, 1])
    with left:
        cost = linked_choice("Cost", COSTS, "samples", "cost")
    price = 1.0
    if cost == "money":
        with right:
            price = linked_number(
                "Price of the machine, $ an hour",
                (0.01, 1000.0),
                1.0,
                "price",
                step=0.1,
                help="What you pay for the machine that the seconds were measured on.",
            )
    with_other_n = linked_switch(
        "Other numbers of samples, projected",
        True,
        "other-n",
        help="What fewer or more samples would be expected to give, at each image's observed share of votes: no certificates."
        " Seconds and money are taken to grow with the samples.",
    )
    groups = group_titles(chosen)
    spots, projected, unknown = [], [], []
    for key, log in chosen.logs.items():
        x = _cost(log, cost, price)
        if x is None or x <= 0:
            unknown.append(chosen.titles[key])
            continue
        spots.append(spot_of(key, log, chosen, groups, radius, x))
        path = _path(log, spots[-1], radius) if with_other_n and len(chosen.logs) <= MOST_PATHS else []
        if path:
            projected.append(path)
    if unknown:
        st.info(plain(f"The log does not say what {_first_of(unknown)} cost: left out."), icon=":material/info:")
    if not spots:
        return
    title = COSTS[cost] + (f" at ${price:g} an hour" if cost == "money" else "")
    figure = pareto_view(spots, radius, title, cost == "money", projected)
    draw_figure(figure, "tradeoffs-cost", tradeoff_alt(spots, cost, "certified"), "cost")
    if with_other_n and len(chosen.logs) > MOST_PATHS:
        st.caption(f"Projections are drawn for at most {MOST_PATHS} logs at once.")
    if projected:
        st.caption("Dotted, with open marks: projections to other n, and no certificates. Filled marks are measured.")
    if cost != "samples":
        devices = sorted({log.made_by.device or "an unnamed device" for log in chosen.logs.values()})
        st.caption(
            f"Seconds are those of the logs, measured on: {plain(', '.join(devices))}. Logs of different machines, or of one"
            " that had other work to do, cannot be compared by them; samples can."
        )


def _cost(log: RecordedEvaluation, cost: str, price: float) -> float | None:
    there = cost_of(log)
    return {"samples": there.samples, "seconds": there.seconds, "money": there.dollars(price)}[cost]


def _path(log: RecordedEvaluation, spot: Spot, radius: float) -> list[Spot]:
    """The same evaluation at other n; empty where its votes are not known. n0 samples choose the class whatever n is."""
    made = log.made_by
    try:
        shares = vote_shares(log)
    except LabError:
        return []
    first = made.n0 or 0
    path = []
    for n in sorted({*OTHER_N, shares.n}):
        outcomes = project(shares, n, float(made.alpha or 0)).outcomes
        y = summarise(outcomes, [radius]).certified[float(radius)]
        path.append(replace(spot, name=f"{spot.name}, n = {n:,}", x=spot.x * (n + first) / (shares.n + first), y=y))
    return path


def _first_of(names: Sequence[str], most: int = 3) -> str:
    """The first few of them, and how many more.

    >>> _first_of(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
