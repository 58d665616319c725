"""Drawing a certificate: the answer, the radius in every norm, the formula, and the other way to bound it."""

import math
from dataclasses import replace

import streamlit as st

from core.figures.balls import balls, balls_alt
from core.pictures.reading import grey_levels_of_radius
from core.plain_text import plain
from core.report import words
from core.report.notation import class_name, norm_name, percent, radius_text
from core.smoothing.certificate import Certificate
from core.smoothing.conclusion import both_ways
from core.smoothing.radius import OWN_NORM, floored, radii
from core.ui.certify.controls import PROSE
from core.ui.figure import FigureSheet, keyed_columns


def draw_headline(certificate: Certificate, key: str) -> None:
    """The answer, its radius, what it means in one sentence, and how the run ended where it ended early."""
    c = certificate
    name = class_name(c.candidate, c.labels)
    answer, radius, bound, votes = keyed_columns(f"paired-{key}", [1.4, 1, 1, 1])
    answer.metric("Smoothed classifier says", "abstains" if c.abstained else plain(name))
    radius.metric(f"Certified radius ({norm_name(c.norm)})", radius_text(c.radius), help="In [0, 1] pixel units.")
    bound.metric("Lower bound on p", floored(c.p_lower, ".4f"), help="p: probability of this class under the noise.")
    if c.candidate is not None and c.n:
        votes.metric("Votes", f"{c.counts[c.candidate]:,} / {c.n:,}", help=f"Noisy copies that said {plain(name)}.")
    st.markdown(plain(words.headline(c)))
    special = [words.noise_text(c)] if c.sound or c.noise != "gaussian" else []
    special += ["two-sided bound"] if c.two_sided else []
    if special:
        st.caption(" · ".join(special))
    if settled := words.settled_text(c):
        st.info(settled, icon=":material/rule:")
    if c.stopped and c.settled is None:
        st.info(PROSE["stopped"].format(c=c, chance=percent(c.failure_probability)), icon=":material/stop_circle:")


def draw_radii(certificate: Certificate, key: str, sheet: FigureSheet) -> None:
    """The radius in every norm as a table, and the balls to scale."""
    c = certificate
    if c.abstained:
        return
    height, width = c.image.height, c.image.width
    # Certificates that were stored by earlier versions have one norm only.
    p_upper = c.p_upper if c.two_sided else None
    found = c.radii or radii(c.noise, c.p_lower, p_upper, sigma=c.sigma, shape=(3, height, width)) | {c.norm: c.radius}
    st.subheader("In every norm")
    left, right = st.columns([1.1, 1])
    with left:
        rows = [
            {
                "norm": norm_name(norm) + (" (chosen)" if norm == c.norm else ""),
                "radius": radius_text(radius),
                "all values by": _levels(grey_levels_of_radius(radius, height, width, norm)),
                "one value by": _levels(255 * radius),
            }
            for norm, radius in found.items()
        ]
        st.dataframe(rows, hide_index=True, width="stretch")
        far, d = PROSE["far-gaussian" if c.noise == "gaussian" else "far"], 3 * height * width
        own = norm_name(OWN_NORM[c.noise])
        st.caption((PROSE["every-norm"] + far).format(d=d, own=own, square=math.sqrt(2), cube=math.sqrt(d)))
    with right:
        sheet.draw(balls(found, c.noise), f"balls-{key}", balls_alt(found, c.noise), "balls")


def draw_formula(certificate: Certificate) -> None:
    """The formula filled with this picture's own numbers, and the four caveats."""
    left, right = st.columns(2)
    with left:
        st.subheader("How it was computed")
        if certificate.abstained:
            st.markdown(words.abstention_reason(certificate))
        else:
            formula = words.radius_formula(certificate)
            st.markdown(formula.words)
            st.latex(formula.own)
            if formula.inside:
                st.markdown(formula.inside)
    with right:
        st.subheader("What it does not say")
        st.markdown("\n".join(f"{number}. {text}" for number, text in enumerate(words.caveats(certificate), 1)))


def draw_both_ways(certificate: Certificate) -> None:
    """The radius by one bound and by two, from the same votes, on demand."""
    c = certificate
    if not c.n or c.candidate is None or c.table_radii:
        return
    wrong, norm, mark = c.failure_probability, norm_name(c.norm), " (this certificate)"
    with st.expander(f"Compare with the {'one' if c.two_sided else 'two'}-sided radius", icon=":material/compare_arrows:"):
        one, two = both_ways(c.counts, c.candidate, c.terms)
        better = max(
            both_ways(c.counts, c.candidate, replace(c.terms, alpha=c.terms.alpha / 2)), key=lambda found: found.radius
        )
        ways = {
            f"one-sided{'' if c.two_sided else mark}": one,
            f"two-sided{mark if c.two_sided else ''}": two,
            "the better of the two, alpha/2 for each": better,
        }
        rows = [
            {
                "bound": way,
                f"{norm} radius": "abstains" if found.abstained else radius_text(found.radius),
                "wrong with probability at most": f"{wrong:g}",
            }
            for way, found in ways.items()
        ]
        st.dataframe(rows, hide_index=True, width="stretch")
        st.caption(PROSE["both-ways"].format(c=c, twice=2 * wrong))


def _levels(levels: float) -> str:
    return "any amount" if levels >= 255 else floored(levels, ".3g")
