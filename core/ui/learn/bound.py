"""Chapter c: from votes to a bound on p, and from the bound to the radius."""

import numpy as np
import streamlit as st

from core.figures.bound import posterior_alt, posterior_figure, shift_alt, shift_figure
from core.figures.plane import add_circle, add_point, add_smoothed_border, plane_figure
from core.learn.plane import CLASSES
from core.learn.smoothing_in_the_plane import Flip, PlaneCertificate, certify_vote, flip_of_smoothed, share_of_ones, votes_at
from core.ui.figure import draw_figure
from core.ui.learn.plane import choose_plane_alpha, choose_plane_sigma, choose_point, choose_votes, draw_movable_plane
from core.ui.learn.teaching import draw_terms
from core.ui.linked import linked_slider


def draw_bound() -> None:
    """Controls, then the two steps, then the circle."""
    st.markdown(
        "The vote is a sample. From it follows a number that the true share p surely exceeds, but for a chance alpha; and from"
        " that number a circle in which the majority cannot change."
    )
    first, second = st.columns(2)
    with first:
        n, alpha = choose_votes(), choose_plane_alpha()
    with second:
        sigma, point = choose_plane_sigma(), choose_point()
    c = certify_vote(votes_at(point, sigma, n), alpha)

    st.subheader("1. From votes to p")
    left, right = st.columns([1.45, 1])
    with left:
        draw_figure(posterior_figure(c.k, n, alpha), "bound-posterior", posterior_alt(c.k, n, alpha, c.p_lower), "posterior")
    with right:
        st.markdown(
            f"**{c.k:,} of {n:,}** noisy copies said {CLASSES[c.candidate]}. The curve is what these votes say about p;"
            " the bound leaves a share alpha of its area to the left. **Move n:** the curve narrows, and the bound climbs"
            " towards the share of the votes."
        )
        st.latex(
            rf"\begin{{aligned}}\underline p&=\mathrm{{Beta}}^{{-1}}({alpha:g};\ {c.k},\ {n - c.k + 1})\\"
            rf"&={c.p_lower:.4f}\end{{aligned}}"
        )
        st.caption(
            "Read as a posterior, the curve starts from the cautious prior Beta(0, 1). As a bound it needs no prior: it exceeds"
            f" the truth with probability at most {alpha:g}, whatever p is."
        )
        draw_terms("Clopper-Pearson bound", "n0 and n", "alpha")

    st.subheader("2. From p to the radius")
    if c.abstained or sigma == 0:
        st.info(_no_radius(c), icon=":material/do_not_disturb_on:")
    else:
        _draw_shift(c)

    st.subheader("3. The circle in the plane")
    left, right = st.columns([1.45, 1])
    flip = flip_of_smoothed(point, sigma)
    with left:
        _draw_circle(point, c, flip)
    with right:
        _draw_truth(point, c, flip)
        draw_terms("certified radius", "abstain", "ceiling")


def _no_radius(c: PlaneCertificate) -> str:
    if c.sigma == 0:
        return "Without noise there is no Gaussian to shift, and nothing is certified: raise sigma."
    return (
        f"The bound {c.p_lower:.4f} does not exceed one half, so CERTIFY abstains here: more votes may help, or another point"
        " or sigma."
    )


def _draw_shift(c: PlaneCertificate) -> None:
    left, right = st.columns([1.45, 1])
    with right:
        st.markdown(
            "Whoever moves the point moves the Gaussian. Of all regions that hold a share p of the noise, a half-space loses it"
            " fastest (Neyman and Pearson). **Move the shift:** at R the worst region holds exactly one half, and up to there"
            " the majority is safe."
        )
        share = linked_slider(
            "Shift, as a share of R", (0, 200), 100, "shift", step=5, format="%d%%", help="100%: exactly the certified radius."
        )
        st.latex(
            r"\begin{aligned}R&=\sigma\,\Phi^{-1}(\underline p)\\"
            rf"&={c.sigma:g}\cdot\Phi^{{-1}}({c.p_lower:.4f})={c.radius:.4f}\end{{aligned}}"
        )
        st.caption("Cohen et al. (2019), theorem 1, with everything that is not the majority counted as one other class.")
    with left:
        shift = c.radius * share / 100
        draw_figure(shift_figure(c.p_lower, c.sigma, shift), "bound-shift", shift_alt(c.p_lower, c.sigma, shift), "half-space")


def _draw_circle(point: tuple[float, float], c: PlaneCertificate, flip: Flip | None) -> None:
    figure = plane_figure("Certified, and true", training=False)
    add_smoothed_border(figure, c.sigma)
    if flip is not None and c.sigma > 0:
        add_circle(figure, point, flip.distance, f"true radius: {flip.distance:.3f}", dashed=True)
    if c.radius:
        add_circle(figure, point, c.radius, f"certified: {c.radius:.3f}")
    add_point(figure, point, c.candidate)
    certified = f"a certified circle of radius {c.radius:.3f}" if c.radius else "no certified circle"
    true = f", within the dashed circle of radius {flip.distance:.3f} that reaches its border" if flip is not None else ""
    alt = f"The plane with the border of the vote. Around the point {certified}{true}."
    draw_movable_plane(figure, point, "bound-plane", alt=alt, name="certified-circle")


def _draw_truth(point: tuple[float, float], c: PlaneCertificate, flip: Flip | None) -> None:
    ones = float(share_of_ones(np.array([point]), c.sigma)[0])
    true = ones if c.candidate == 1 else 1 - ones
    verdict = f"says {CLASSES[c.candidate]} within **{c.radius:.3f}**" if c.radius else "abstains"
    st.markdown(f"##### The vote {verdict}")
    if flip is None or c.sigma == 0:
        return
    st.markdown(
        f"In the plane the truth can be computed: p is **{true:.4f}**, and the vote's nearest border lies"
        f" **{flip.distance:.3f}** away. The certificate knows neither."
    )
    if c.p_lower <= true:
        st.markdown("It is smaller for two reasons: the bound is below p, and the border here is no half-space.")
    else:
        st.warning(
            f"Here the bound {c.p_lower:.4f} is above the true p: this is the one case in {1 / c.alpha:,.0f} that alpha"
            " allows.",
            icon=":material/priority_high:",
        )
