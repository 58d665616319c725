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
from core.smoothing.radius import asked_text, floored
from core.ui.figure import draw_figure, keyed_columns
from core.ui.linked import ALPHAS, choose_alpha, linked_choice, linked_number, linked_switch
from core.ui.tradeoffs.logs import PROSE, Chosen
from core.ui.tradeoffs.view import spot_of

OTHER_N = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
MOST_PATHS = 16


def draw_cost(chosen: Chosen, radius: float) -> None:
    """Certified accuracy against what it costs, measured and, with other numbers of samples, projected."""
    left, right = st.columns([2, 1])
    with left:
        cost = linked_choice("Cost", PROSE["costs"], "samples", "cost")
    price = 1.0
    if cost == "money":
        with right:
            help = "What you pay for the machine that the seconds were measured on."
            price = linked_number("Price of the machine, $ an hour", (0.01, 1000.0), 1.0, "price", step=0.1, help=help)
    with_other_n = linked_switch("Other numbers of samples, projected", True, "other-n", help=PROSE["other-n"])
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
    title = PROSE["costs"][cost] + (f" at ${price:g} an hour" if cost == "money" else "")
    figure = pareto_view(spots, radius, title, money=cost == "money", projected=projected)
    draw_figure(figure, "tradeoffs-cost", tradeoff_alt(spots, cost, "certified"), "cost")
    if with_other_n and len(chosen.logs) > MOST_PATHS:
        st.caption(f"Projections are drawn for at most {MOST_PATHS} logs at once.")
    if projected:
        st.caption(PROSE["projected"])
    if cost != "samples":
        devices = sorted({log.made_by.device or "an unnamed device" for log in chosen.logs.values()})
        st.caption(PROSE["devices"].format(devices=plain(", ".join(devices))))


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
    now, then = (summarise(outcomes, [radius]) for outcomes in (log.outcomes, there.outcomes))
    own, expected, at = now.certified[radius], then.certified[radius], asked_text(radius)
    first, second, third = keyed_columns("paired-samples", 3)
    first.metric(f"Certified at {at}", f"{own:.1%}", help=f"Measured, with n = {shares.n:,}.")
    points = f"{100 * (expected - own):+.1f} points"
    second.metric(f"Projected to n = {n:,}", f"{expected:.1%}", points, delta_color="off", delta_arrow="off")
    third.metric("ACR, measured → projected", f"{floored(now.acr, '.3f')} → {floored(then.acr, '.3f')}")
    alt = PROSE["samples-alt"].format(radius=at, own=own, shares=shares, n=n, alpha=alpha, expected=expected)
    draw_figure(samples_effect(lines, (shares.n, own), radius), "tradeoffs-samples", alt, "samples")
    st.warning(_words(shares, there), icon=":material/insights:")
    made = log.made_by
    if made.alpha is not None and made.alpha not in ALPHAS:
        st.caption(f"The log's own alpha is {made.alpha:g}.")


def _lines(shares: VoteShares, log: RecordedEvaluation, radius: float) -> list[Projected]:
    own = float(log.made_by.alpha or 0.001)
    samples = tuple(sorted({*SAMPLES, shares.n}))
    return [
        Projected(alpha, samples, tuple(_expected(shares, n, alpha, radius) for n in samples), alpha == own)
        for alpha in sorted({own, *ALPHAS}, reverse=True)
    ]


def _expected(shares: VoteShares, n: int, alpha: float, radius: float) -> float:
    return summarise(project(shares, n, alpha).outcomes, [radius]).certified[float(radius)]


def _words(shares: VoteShares, there: Projection) -> str:
    said = {"projection": True, "unanimous": there.unanimous, "unknown": there.unknown, "from-radii": not shares.from_votes}
    return " ".join(PROSE[name].format(there=there) for name, is_so in said.items() if is_so)
