"""Chapter b: noisy copies vote, and the border of the vote is smooth."""

import streamlit as st

from core.figures.certificate import vote_bars, votes_alt
from core.figures.plane import CLOUD, COLOURS, add_cloud, add_point, add_smoothed_border, plane_figure
from core.learn.plane import CLASSES
from core.learn.smoothing_in_the_plane import votes_at
from core.ui.figure import draw_figure
from core.ui.learn.plane import VOTES, choose_plane_sigma, choose_point, draw_movable_plane
from core.ui.learn.teaching import draw_terms


def draw_voting() -> None:
    """The cloud, the vote, the smoothed border over the jagged one."""
    st.markdown(
        "Instead of asking once, ask about many noisy copies of the point and let the majority decide. **Raise sigma from 0:**"
        " first the islands drown, then the border smooths, and in the end the moons themselves are lost."
    )
    left, right = st.columns([1.45, 1])
    with right:
        sigma, point = choose_plane_sigma(), choose_point()
        votes = votes_at(point, sigma, VOTES)
        said = int(votes.counts[1] > votes.counts[0])
        bars = vote_bars(votes.counts, CLASSES, f"Votes of {VOTES:,} noisy copies", dict(enumerate(COLOURS)))
        draw_figure(bars, "voting-bars", votes_alt(votes.counts, CLASSES), "votes")
        if sigma == 0:
            st.caption("Without noise every copy is the point itself, and the vote is the network's own answer.")
        else:
            st.caption(
                f"Drawn are the first {CLOUD} copies. The same noise is used around every point, so the cloud moves along."
            )
        st.caption(
            "The thick border is computed, not sampled: the Gaussian's exact weight of every cell of a grid of 1/128, added up."
            " That works in two dimensions only; for a picture one must sample."
        )
        draw_terms("smoothed classifier", "vote", "sigma")
    with left:
        figure = plane_figure("Jagged: the network. Thick: the vote", training=False)
        add_smoothed_border(figure, sigma)
        if sigma > 0:
            add_cloud(figure, votes.cloud, votes.said)
        add_point(figure, point, said)
        alt = (
            f"The plane with the jagged border of the network and, over it, the border of the vote at sigma {sigma:g}. Around"
            f" the point a cloud of noisy copies: {votes.counts[0]:,} of {VOTES:,} say circle, {votes.counts[1]:,} diamond."
        )
        draw_movable_plane(figure, point, "voting-plane", alt=alt, name="voting")
