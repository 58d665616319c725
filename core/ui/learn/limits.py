"""Chapter f: what a certificate does not say, each with a figure, and the quiz."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from core.figures import learn as figures
from core.figures.balls import norm_balls
from core.learn import smoothing_in_the_plane as smoothing
from core.learn.plane import CLASSES
from core.report.notation import radius_text
from core.smoothing.radius import floored
from core.ui.figure import draw_figure
from core.ui.learn.plane import SIGMA, START, choose_plane_alpha, choose_plane_sigma, choose_votes
from core.ui.learn.teaching import PROSE, draw_quiz, draw_terms
from core.ui.linked import linked_number, linked_steps

REPETITIONS = 1_000


def draw_limits() -> None:
    """One of four limits, then the quiz."""
    st.markdown(PROSE["limits"])
    parts: dict[str, tuple[str, Callable[[], None]]] = {
        "wrong": ("Certified, but wrong", _draw_wrong),
        "norms": ("Other norms", _draw_norms),
        "abstention": ("Abstaining", _draw_abstention),
        "alpha": ("The chance alpha", _draw_alpha),
    }
    chosen = linked_steps("What it does not say", {name: title for name, (title, _) in parts.items()}, "wrong", "limit")
    parts[chosen][1]()
    draw_quiz()


def _draw_wrong() -> None:
    found = smoothing.wrong_and_certified(SIGMA, 10_000, 0.001)
    if found is None:
        st.info("The vote is right wherever it is sure.", icon=":material/info:")
        return
    point, label, c = found
    left, right = st.columns([1.45, 1])
    with left:
        figure = figures.plane_figure("A certified mistake")
        figures.add_smoothed_border(figure, c.sigma)
        figures.add_circle(figure, point, c.radius, f"certified {CLASSES[c.candidate]}: {radius_text(c.radius)}")
        figures.add_point(figure, point, label)
        alt = PROSE["wrong-alt"].format(true=CLASSES[label], c=c, said=CLASSES[c.candidate])
        draw_figure(figure, "limits-wrong", alt, "certified-but-wrong")
    with right:
        st.markdown(PROSE["wrong"].format(true=CLASSES[label], c=c, said=CLASSES[c.candidate]))
        draw_terms("certificate", "certified accuracy")


def _draw_norms() -> None:
    c = smoothing.certify_vote(smoothing.votes_at(START, SIGMA, 10_000), 0.001)
    left, right = st.columns([1.45, 1])
    with right:
        label, sizes, help = "Values in the picture (d)", (2, 784, 3_072, 12_288, 150_528), PROSE["norms-values"]
        values = st.select_slider(label, sizes, 3_072, key="values", bind="query-params", help=help)
        st.markdown(PROSE["norms"])
        own, inside = radius_text(c.radius), floored(c.radius / values**0.5, ".2g")
        st.latex(rf"\frac R{{\sqrt d}}=\frac{{{own}}}{{\sqrt{{{values}}}}}={inside}")
        st.markdown(PROSE["norms-grey"].format(levels=floored(255 * c.radius / values**0.5, ".2g")))
        draw_terms("l2 norm", "l-infinity norm")
    with left:
        alt = PROSE["norms-alt"].format(radius=radius_text(c.radius), side=radius_text(c.radius / 2**0.5))
        draw_figure(norm_balls(c.radius), "limits-norms", alt, "norms")


def _draw_abstention() -> None:
    left, right = st.columns([1.45, 1])
    with right:
        sigma, n, alpha = max(choose_plane_sigma(), 0.01), choose_votes(), choose_plane_alpha()
        share = smoothing.share_abstaining(sigma, n, alpha)
        st.markdown(PROSE["abstention"].format(share=share))
        if share == 1:
            st.caption(PROSE["abstention-few"])
        draw_terms("abstain", "ceiling")
    with left:
        alt = PROSE["abstention-alt"].format(sigma=sigma, n=n, share=share)
        draw_figure(figures.radius_map(sigma, n, alpha), "limits-abstention", alt, "abstention")


def _draw_alpha() -> None:
    left, right = st.columns([1.45, 1])
    with right:
        alpha, n = choose_plane_alpha(), choose_votes()
        seed = linked_number("seed", (0, 2**31 - 1), 0, "seed", step=1, help="Same seed, same votes.")
        p = float(smoothing.share_of_ones(np.array([START]), SIGMA)[0])
        repeats = smoothing.repeat(p, n, alpha, REPETITIONS, seed=seed)
        st.markdown(PROSE["alpha"].format(times=REPETITIONS, repeats=repeats, most=REPETITIONS * alpha))
        st.caption(PROSE["alpha-seeds"])
        draw_terms("alpha", "anytime bound", "sound certificate")
    with left:
        alt = PROSE["alpha-alt"].format(times=REPETITIONS, p=p, repeats=repeats)
        draw_figure(figures.repeats_figure(repeats, alpha), "limits-alpha", alt, "alpha")
