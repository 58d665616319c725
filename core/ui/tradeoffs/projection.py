"""What certified accuracy costs in samples, seconds and money, and what more samples would buy: measured and projected."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.errors import LabError
from core.evaluation.curve import summarise
from core.evaluation.families import cost_of
from core.evaluation.projection import Projection, VoteShares, project, vote_shares
from core.evaluation.recorded import RecordedEvaluation
from core.figures.tradeoff import Projected, Spot, pareto_view, samples_effect, tradeoff_alt
from core.plain_text import plain
from core.smoothing.radius import asked_text
from core.ui.figure import draw_figure, keyed_columns
from core.ui.linked import ALPHAS, choose_alpha, linked_choice, linked_number, linked_switch
from core.ui.tradeoffs.logs import Chosen
from core.ui.tradeoffs.view import spot_of

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
            help = "What you pay for the machine that the seconds were measured on."
            price = linked_number("Price of the machine, $ an hour", (0.01, 1000.0), 1.0, "price", step=0.1, help=help)
    help = (
        "What fewer or more samples would be expected to give, at each image's observed share of votes: no certificates."
        " Seconds and money are taken to grow with the samples."
    )
    with_other_n = linked_switch("Other numbers of samples, projected", True, "other-n", help=help)
    spots, projected, unknown = [], [], []
    for key, log in chosen.logs.items():
        there = cost_of(log)
        x = {"samples": there.samples, "seconds": there.seconds, "money": there.dollars(price)}[cost]
        if x is None or x <= 0:
            unknown.append(chosen.titles[key])
            continue
        spots.append(spot_of(chosen, key, radius, x))
        path = _path(log, spots[-1], radius) if with_other_n and len(chosen.logs) <= MOST_PATHS else []
        if path:
            projected.append(path)
    if unknown:
        st.info(plain(f"The log does not say what {_first_of(unknown)} cost: left out."), icon=":material/info:")
    if not spots:
        return
    title = COSTS[cost] + (f" at ${price:g} an hour" if cost == "money" else "")
    figure = pareto_view(spots, radius, title, money=cost == "money", projected=projected)
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
        x, y = spot.x * (n + first) / (shares.n + first), _expected(shares, n, float(made.alpha or 0), radius)
        path.append(replace(spot, name=f"{spot.name}, n = {n:,}", x=x, y=y))
    return path


def _first_of(names: Sequence[str], most: int = 3) -> str:
    """The first few of them, and how many more.

    >>> _first_of(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


SAMPLES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)


def draw_samples(chosen: Chosen, radius: float) -> None:
    """Certified accuracy at a radius against n, by alpha, and the numbers for one n and alpha."""
    keys = list(chosen.logs)
    first, second, third = st.columns([2, 1, 1])
    with first:
        key = linked_choice("Log", chosen.titles, keys[0], "samples-log")
    with second:
        n = linked_number("n", (100, 1_000_000), 100_000, "samples-n", step=1_000)
    with third:
        alpha = choose_alpha("samples-alpha")
    log = chosen.logs[key]
    try:
        shares = vote_shares(log)
        there = project(shares, n, alpha)
        lines = _lines(shares, log, radius)
    except LabError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    own = summarise(log.outcomes, [radius])
    expected = summarise(there.outcomes, [radius])
    columns = keyed_columns("paired-samples", 3)
    columns[0].metric(
        f"Certified at {asked_text(radius)}", f"{own.certified[radius]:.1%}", help=f"Measured, with n = {shares.n:,}."
    )
    columns[1].metric(
        f"Projected to n = {n:,}",
        f"{expected.certified[radius]:.1%}",
        f"{100 * (expected.certified[radius] - own.certified[radius]):+.1f} points",
        delta_color="off",
        delta_arrow="off",
    )
    columns[2].metric("ACR, measured → projected", f"{own.acr:.3f} → {expected.acr:.3f}")
    made = log.made_by
    measured = (shares.n, own.certified[radius])
    alt = (
        f"Lines of projected certified accuracy at radius {asked_text(radius)} against n. Measured: {measured[1]:.0%} at n ="
        f" {measured[0]:,}; projected to {n:,} at alpha {alpha:g}: {expected.certified[radius]:.0%}."
    )
    draw_figure(samples_effect(lines, measured, radius), "tradeoffs-samples", alt, "samples")
    st.warning(_words(shares, there), icon=":material/insights:")
    if made.alpha is not None and made.alpha not in ALPHAS:
        st.caption(f"The log's own alpha is {made.alpha:g}.")


def _lines(shares: VoteShares, log: RecordedEvaluation, radius: float) -> list[Projected]:
    own = float(log.made_by.alpha or 0.001)
    samples = tuple(sorted({*SAMPLES, shares.n}))
    lines = []
    for alpha in sorted({own, *ALPHAS}, reverse=True):
        certified = tuple(_expected(shares, n, alpha, radius) for n in samples)
        lines.append(Projected(alpha, samples, certified, alpha == own))
    return lines


def _expected(shares: VoteShares, n: int, alpha: float, radius: float) -> float:
    """Certified accuracy at a radius, projected."""
    return summarise(project(shares, n, alpha).outcomes, [radius]).certified[float(radius)]


def _words(shares: VoteShares, there: Projection) -> str:
    parts = [
        "A projection, not a certificate: it takes each image's share of votes to stay as it was observed. To certify, the"
        " samples must be drawn."
    ]
    if there.unanimous:
        parts.append(
            f"In {there.unanimous:,} images every vote was the same; more samples may bring others, so theirs is too hopeful."
        )
    if there.unknown:
        parts.append(
            f"The log has no votes of its {there.unknown:,} abstentions: they are taken to abstain still, though more samples"
            " may certify some of them."
        )
    if not shares.from_votes:
        parts.append("The votes were worked out from the radii, which determine them.")
    return " ".join(parts)
