"""What would more samples buy, or another alpha? A projection from the votes of one log."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError
from core.evaluation.curve import summarise
from core.evaluation.projection import Projection, VoteShares, project, vote_shares
from core.evaluation.recorded import RecordedEvaluation
from core.figures.tradeoff import Projected, samples_effect
from core.ui.figure import draw_figure
from core.ui.linked import linked_choice, linked_number
from core.ui.plain_text import plain
from core.ui.tradeoffs.logs import Chosen

ALPHAS = (0.05, 0.01, 0.001, 0.0001)
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
        alpha = st.selectbox("alpha", ALPHAS, index=2, format_func=lambda a: f"{a:g}", key="samples-alpha", bind="query-params")
    log = chosen.logs[key]
    try:
        shares = vote_shares(log)
        there = project(shares, int(n), float(alpha))
        lines = _lines(shares, log, radius)
    except LabError as error:
        st.info(plain(str(error)), icon=":material/info:")
        return
    own = summarise(log.outcomes, [radius])
    expected = summarise(there.outcomes, [radius])
    with st.container(key="paired-samples"):
        columns = st.columns(3)
    columns[0].metric(f"Certified at {radius:g}", f"{own.certified[radius]:.1%}", help=f"Measured, with n = {shares.n:,}.")
    columns[1].metric(
        f"Projected to n = {int(n):,}",
        f"{expected.certified[radius]:.1%}",
        f"{100 * (expected.certified[radius] - own.certified[radius]):+.1f} points",
        delta_color="off",
        delta_arrow="off",
    )
    columns[2].metric("ACR, measured → projected", f"{own.acr:.3f} → {expected.acr:.3f}")
    made = log.made_by
    measured = (shares.n, own.certified[radius])
    alt = (
        f"Lines of projected certified accuracy at radius {radius:g} against n. Measured: {measured[1]:.0%} at n ="
        f" {measured[0]:,}; projected to {int(n):,} at alpha {alpha:g}: {expected.certified[radius]:.0%}."
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
        certified = tuple(summarise(project(shares, n, alpha).outcomes, [radius]).certified[radius] for n in samples)
        lines.append(Projected(alpha, samples, certified, alpha == own))
    return lines


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
