"""Chapter f: what a certificate does not say, each with a figure, and the quiz."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from core.figures.balls import norm_balls
from core.figures.learn import add_circle, add_point, add_smoothed_border, plane_figure, radius_map, repeats_figure
from core.learn.plane import CLASSES
from core.learn.smoothing_in_the_plane import (
    certify_vote,
    repeat,
    share_abstaining,
    share_of_ones,
    votes_at,
    wrong_and_certified,
)
from core.report.notation import radius_text
from core.smoothing.radius import floored
from core.ui.figure import draw_figure
from core.ui.learn.plane import SIGMA, START, choose_plane_alpha, choose_plane_sigma, choose_votes
from core.ui.learn.teaching import PROSE, draw_quiz, draw_terms
from core.ui.linked import linked_number, linked_steps

REPETITIONS = 1_000


def draw_limits() -> None:
    """One of four limits, then the quiz."""
    st.markdown("A certificate is a narrow promise. These are the four places where it is most often read as more.")
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
    found = wrong_and_certified(SIGMA, 10_000, 0.001)
    if found is None:
        st.info("The vote is right wherever it is sure.", icon=":material/info:")
        return
    point, label, c = found
    left, right = st.columns([1.45, 1])
    with left:
        figure = plane_figure("A certified mistake")
        add_smoothed_border(figure, c.sigma)
        add_circle(figure, point, c.radius, f"certified {CLASSES[c.candidate]}: {radius_text(c.radius)}")
        add_point(figure, point, label)
        alt = PROSE["wrong-alt"].format(true=CLASSES[label], c=c, said=CLASSES[c.candidate])
        draw_figure(figure, "limits-wrong", alt, "certified-but-wrong")
    with right:
        st.markdown(PROSE["wrong"].format(true=CLASSES[label], c=c, said=CLASSES[c.candidate]))
        draw_terms("certificate", "certified accuracy")


def _draw_norms() -> None:
    c = certify_vote(votes_at(START, SIGMA, 10_000), 0.001)
    left, right = st.columns([1.45, 1])
    with right:
        values = st.select_slider(
            "Values in the picture (d)",
            (2, 784, 3_072, 12_288, 150_528),
            3_072,
            key="values",
            bind="query-params",
            help="784: a digit of MNIST. 3,072: CIFAR-10. 150,528: ImageNet at 224 x 224 pixels.",
        )
        st.markdown(PROSE["norms"])
        st.latex(
            rf"\frac R{{\sqrt d}}=\frac{{{radius_text(c.radius)}}}{{\sqrt{{{values}}}}}"
            f"={floored(c.radius / values**0.5, '.2g')}"
        )
        st.markdown(PROSE["norms-grey"].format(levels=floored(255 * c.radius / values**0.5, ".2g")))
        draw_terms("l2 norm", "l-infinity norm")
    with left:
        alt = PROSE["norms-alt"].format(radius=radius_text(c.radius), side=radius_text(c.radius / 2**0.5))
        draw_figure(norm_balls(c.radius), "limits-norms", alt, "norms")


def _draw_abstention() -> None:
    left, right = st.columns([1.45, 1])
    with right:
        sigma, n, alpha = max(choose_plane_sigma(), 0.01), choose_votes(), choose_plane_alpha()
        share = share_abstaining(sigma, n, alpha)
        st.markdown(PROSE["abstention"].format(share=share))
        if share == 1:
            st.caption("With so few votes even a unanimous vote cannot pass one half.")
        draw_terms("abstain", "ceiling")
    with left:
        where = f"Map of the certified radius over the plane at sigma {sigma:g}, {n:,} votes"
        alt = f"{where}; {share:.0%} of it is hatched: there it abstains."
        draw_figure(radius_map(sigma, n, alpha), "limits-abstention", alt, "abstention")


def _draw_alpha() -> None:
    left, right = st.columns([1.45, 1])
    with right:
        alpha, n = choose_plane_alpha(), choose_votes()
        seed = linked_number("seed", (0, 2**31 - 1), 0, "seed", step=1, help="Same seed, same votes.")
        p = float(share_of_ones(np.array([START]), SIGMA)[0])
        repeats = repeat(p, n, alpha, REPETITIONS, seed=seed)
        st.markdown(PROSE["alpha"].format(times=REPETITIONS, repeats=repeats, most=REPETITIONS * alpha))
        st.caption(PROSE["alpha-seeds"])
        draw_terms("alpha", "anytime bound", "sound certificate")
    with left:
        alt = f"{REPETITIONS:,} lower bounds as marks around the line of the true p, {p:.4f}: {repeats.wrong:,} lie above it."
        draw_figure(repeats_figure(repeats, alpha), "limits-alpha", alt, "alpha")
