"""Chapters a to c and f, in the plane: a fragile answer, the vote, the bound and the radius, and what they do not say."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from core.figures import learn as figures
from core.figures.balls import norm_balls
from core.figures.certificate import vote_bars, votes_alt
from core.learn import smoothing_in_the_plane as smoothing
from core.learn.plane import CLASSES, plane_network
from core.report.notation import radius_text
from core.smoothing.radius import floored
from core.ui.figure import draw_figure
from core.ui.learn.teaching import PROSE, draw_quiz, draw_terms
from core.ui.linked import ALPHAS, linked_number, linked_slider, linked_steps

START = (0.5, 0.3)
SIGMA, VOTES, ALPHA = 0.1, 1_000, 0.001
VOTE_COUNTS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)


def choose_point() -> tuple[float, float]:
    """Two sliders, which a click or a drag on the figure moves too."""
    left, right = st.columns(2)
    with left:
        x = linked_slider("Point, left to right", (0.0, 1.0), START[0], "x", step=0.005, format="%.3f")
    with right:
        y = linked_slider("Point, bottom to top", (0.0, 1.0), START[1], "y", step=0.005, format="%.3f")
    return x, y


def choose_plane_sigma() -> float:
    """Sigma from 0 up, in units of the plane's side."""
    return linked_slider("Noise sigma", (0.0, 0.3), SIGMA, "plane-sigma", step=0.01, help=PROSE["plane-sigma"])


def choose_votes() -> int:
    """How many noisy copies vote."""
    n = st.select_slider("n: votes counted", VOTE_COUNTS, VOTES, key="plane-n", bind="query-params")
    return int(n)


def choose_plane_alpha() -> float:
    """The chance that the bound may be wrong."""
    label, written = "alpha: chance of a wrong bound", "{:g}".format
    return float(st.select_slider(label, ALPHAS, ALPHA, format_func=written, key="plane-alpha", bind="query-params"))


def draw_movable_plane(figure: go.Figure, point: tuple[float, float], key: str, alt: str, name: str) -> None:
    """Draw a plane, as :func:`draw_figure`. A click or a drag moves the sliders ``x`` and ``y``, the keyboard's way to move it.
    Streamlit's own clicks reach only points that are drawn, and it hears of no drag; hence a small script."""
    dragged = f"{key}-drag"

    def moved() -> None:
        place = st.session_state[dragged]["place"]
        st.session_state["x"], st.session_state["y"] = (min(max(float(place[axis]), 0.0), 1.0) for axis in "xy")

    draw_figure(figure, key, alt, name)
    style, script = ((Path(__file__).parent / name).read_text("utf-8") for name in ("drag_point.css", "drag_point.js"))
    draggable = st.components.v2.component("draggable_point", css=style, js=script)
    draggable(data={"figure": key, "x": point[0], "y": point[1]}, key=dragged, on_place_change=moved)


def draw_fragile() -> None:
    """The plane, the point, the smallest flip."""
    st.markdown(PROSE["fragile"])
    left, right = st.columns([1.45, 1])
    with right:
        point = choose_point()
        said = int(plane_network().classify(np.array([point]))[0])
        flip = smoothing.flip_of_base(point)
        st.markdown(f"##### The network says {CLASSES[said]}")
        if flip is not None:
            st.markdown(PROSE["fragile-flip"].format(flip=flip, other=CLASSES[1 - said]))
            st.caption(PROSE["fragile-grid"])
        draw_terms("adversarial example", "base classifier")
    with left:
        figure = figures.plane_figure("What the network says, all over the plane")
        figures.add_point(figure, point, said)
        if flip is not None:
            figures.add_flip(figure, point, flip)
        distance = f" The nearest {CLASSES[1 - said]} is {flip.distance:.3f} away." if flip is not None else ""
        alt = PROSE["fragile-alt"].format(point=point, said=CLASSES[said]) + distance
        draw_movable_plane(figure, point, "fragile-plane", alt=alt, name="fragile")


def draw_voting() -> None:
    """The cloud, the vote, the smoothed border over the jagged one."""
    st.markdown(PROSE["voting"])
    left, right = st.columns([1.45, 1])
    with right:
        sigma, point = choose_plane_sigma(), choose_point()
        votes = smoothing.votes_at(point, sigma, VOTES)
        said = int(votes.counts[1] > votes.counts[0])
        bars = vote_bars(votes.counts, CLASSES, f"Votes of {VOTES:,} noisy copies", dict(enumerate(figures.COLOURS)))
        draw_figure(bars, "voting-bars", votes_alt(votes.counts, CLASSES), "votes")
        st.caption(PROSE["voting-cloud" if sigma else "voting-still"].format(drawn=figures.CLOUD))
        st.caption(PROSE["voting-border"])
        draw_terms("smoothed classifier", "vote", "sigma")
    with left:
        figure = figures.plane_figure("Jagged: the network. Thick: the vote", training=False)
        figures.add_smoothed_border(figure, sigma)
        if sigma > 0:
            figures.add_cloud(figure, votes.cloud, votes.said)
        figures.add_point(figure, point, said)
        alt = PROSE["voting-alt"].format(sigma=sigma, counts=votes.counts, n=VOTES)
        draw_movable_plane(figure, point, "voting-plane", alt=alt, name="voting")


def draw_bound() -> None:
    """Controls, then the two steps, then the circle."""
    st.markdown(PROSE["bound"])
    first, second = st.columns(2)
    with first:
        n, alpha = choose_votes(), choose_plane_alpha()
    with second:
        sigma, point = choose_plane_sigma(), choose_point()
    c = smoothing.certify_vote(smoothing.votes_at(point, sigma, n), alpha)

    st.subheader("1. From votes to p")
    left, right = st.columns([1.45, 1])
    with left:
        figure, alt = figures.posterior_figure(c.k, n, alpha), figures.posterior_alt(c.k, n, alpha, c.p_lower)
        draw_figure(figure, "bound-posterior", alt, "posterior")
    with right:
        st.markdown(PROSE["bound-votes"].format(c=c, n=n, said=CLASSES[c.candidate]))
        st.latex(
            rf"\begin{{aligned}}\underline p&=\mathrm{{Beta}}^{{-1}}({alpha:g};\ {c.k},\ {n - c.k + 1})\\"
            rf"&={floored(c.p_lower, '.4f')}\end{{aligned}}"
        )
        st.caption(PROSE["bound-prior"].format(alpha=alpha))
        draw_terms("Clopper-Pearson bound", "n0 and n", "alpha")

    st.subheader("2. From p to the radius")
    if c.abstained or sigma == 0:
        st.info(PROSE["bound-abstains" if c.sigma else "bound-still"].format(c=c), icon=":material/do_not_disturb_on:")
    else:
        _draw_shift(c)

    st.subheader("3. The circle in the plane")
    left, right = st.columns([1.45, 1])
    flip = smoothing.flip_of_smoothed(point, sigma)
    with left:
        _draw_circle(point, c, flip)
    with right:
        _draw_truth(point, c, flip)
        draw_terms("certified radius", "abstain", "ceiling")


def _draw_shift(c: smoothing.PlaneCertificate) -> None:
    left, right = st.columns([1.45, 1])
    with right:
        st.markdown(PROSE["bound-shift"])
        look = {"format": "%d%%", "help": "100%: exactly the certified radius."}
        share = linked_slider("Shift, as a share of R", (0, 200), 100, "shift", step=5, **look)
        st.latex(
            r"\begin{aligned}R&=\sigma\,\Phi^{-1}(\underline p)\\"
            rf"&={c.sigma:g}\cdot\Phi^{{-1}}({floored(c.p_lower, '.4f')})={floored(c.radius, '.4f')}\end{{aligned}}"
        )
        st.caption(PROSE["bound-theorem"])
    with left:
        shifted = c.p_lower, c.sigma, c.radius * share / 100
        draw_figure(figures.shift_figure(*shifted), "bound-shift", figures.shift_alt(*shifted), "half-space")


def _draw_circle(point: tuple[float, float], c: smoothing.PlaneCertificate, flip: smoothing.Flip | None) -> None:
    figure = figures.plane_figure("Certified, and true", training=False)
    figures.add_smoothed_border(figure, c.sigma)
    if flip is not None and c.sigma > 0:
        figures.add_circle(figure, point, flip.distance, f"true radius: {flip.distance:.3f}", dashed=True)
    if c.radius:
        figures.add_circle(figure, point, c.radius, f"certified: {radius_text(c.radius)}")
    figures.add_point(figure, point, c.candidate)
    certified = f"a certified circle of radius {radius_text(c.radius)}" if c.radius else "no certified circle"
    true = f", within the dashed circle of radius {flip.distance:.3f} that reaches its border" if flip is not None else ""
    alt = f"The plane with the border of the vote. Around the point {certified}{true}."
    draw_movable_plane(figure, point, "bound-plane", alt=alt, name="certified-circle")


def _draw_truth(point: tuple[float, float], c: smoothing.PlaneCertificate, flip: smoothing.Flip | None) -> None:
    ones = float(smoothing.share_of_ones(np.array([point]), c.sigma)[0])
    true = ones if c.candidate == 1 else 1 - ones
    verdict = f"says {CLASSES[c.candidate]} within **{radius_text(c.radius)}**" if c.radius else "abstains"
    st.markdown(f"##### The vote {verdict}")
    if flip is None or c.sigma == 0:
        return
    st.markdown(PROSE["bound-truth"].format(true=true, flip=flip))
    if c.p_lower <= true:
        st.markdown(PROSE["bound-smaller"])
    else:
        st.warning(PROSE["bound-wrong"].format(c=c, once_in=1 / c.alpha), icon=":material/priority_high:")


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
