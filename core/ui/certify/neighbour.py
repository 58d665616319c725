"""How far the certified radius goes towards the nearest picture of another class: looked for by a job, drawn when found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import streamlit as st
from PIL import Image

from core.attacks.at_radius import Neighbour, nearest_of_another_class
from core.data.local import local_pictures
from core.pictures.pixels import to_pixels
from core.report.notation import norm_name, radius_text
from core.smoothing.certificate import Certificate
from core.ui.figure import enlarged
from core.ui.jobs.follow import begin, follow
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs
from core.ui.plain_text import plain

NEIGHBOURS = SessionJobs("neighbours")


@dataclass(frozen=True)
class FoundNeighbour:
    """The nearest picture of another class, and where it was looked for."""

    neighbour: Neighbour
    what: str


def neighbour_key(certificate: Certificate) -> Key:
    """Names a search: the picture, its certified class among which, and the norm."""
    c = certificate
    return ("neighbour", c.image.sha256, c.image.height, c.image.width, c.labels, c.prediction, c.norm)


def start_search(picture: Image.Image, certificate: Certificate) -> Job:
    """Queue the search for a certificate with a class and labels.

    Args:
        picture: at the size at which it was certified.
        certificate: says class and norm.

    Raises:
        LabError: where the queue is full.
    """
    labels, label, norm = certificate.labels, certificate.prediction, certificate.norm
    size = (certificate.image.height, certificate.image.width)

    def work(_: JobContext) -> FoundNeighbour:
        assert labels is not None
        assert label is not None
        found = local_pictures(labels, size)
        return FoundNeighbour(nearest_of_another_class(to_pixels(picture), label, found.data, norm), found.what)

    return NEIGHBOURS.start(neighbour_key(certificate), "Nearest picture of another class", work)


def draw_neighbour(picture: Image.Image, certificate: Certificate, key: str) -> None:
    """On demand, for a certificate of a class with labels: the distance, and the radius as a share of it."""
    if certificate.prediction is None or certificate.labels is None:
        return
    wanted = neighbour_key(certificate)

    def draw(job: Job | None) -> None:
        if job is None:
            if st.button(
                "Compare with the nearest picture of another class", icon=":material/social_distance:", key=f"near-{key}"
            ) and begin(lambda: start_search(picture, certificate)):
                st.rerun()
        elif not job.finished:
            st.caption(":material/hourglass_top: Looking through the pictures on this machine…")
        elif job.state == "failed":
            st.info(plain(job.error or ""), icon=":material/info:")
        else:
            _draw(picture, certificate, job.result)

    follow(draw, partial(NEIGHBOURS.find, wanted))


def share_text(certificate: Certificate, found: FoundNeighbour) -> str:
    """What was searched, how far the nearest picture of another class is, and what share of it the radius is."""
    c, near = certificate, found.neighbour
    labels = c.labels or ()
    other, own, norm = labels[near.label], labels[c.prediction or 0], norm_name(near.norm)
    searched = (
        f"Searched: {near.searched:,} picture{'s' if near.searched > 1 else ''} of classes other than {own} in {found.what}."
    )
    if near.distance == 0:
        return f"{searched} One of them is this very picture, there of class {other}: the certified answer is not its class."
    where = f"The nearest shows {other} and lies at {norm} distance {radius_text(near.distance)}"
    share = near.share(c.radius)
    words = f"{searched} {where}; the certified radius is {100 * share:.3g}% of that."
    if share >= 1:
        return f"{words} So this picture of another class is certified to get the same answer: robust is not the same as right."
    return f"{words} Were that one certified as {other}, the two balls could not overlap: they share the distance between them."


def _draw(picture: Image.Image, certificate: Certificate, found: FoundNeighbour) -> None:
    near = found.neighbour
    other = Image.fromarray(near.pixels.permute(1, 2, 0).numpy())
    name = (certificate.labels or ())[near.label]
    with st.container(key="abreast-neighbour"):
        first, second, _ = st.columns([1, 1, 2])
    with first:
        st.image(enlarged(picture, 160), width="stretch", alt="The picture that was certified.")
        st.markdown("**This picture**")
    with second:
        st.image(enlarged(other, 160), width="stretch", alt=f"The nearest picture of another class found: {name}.")
        st.markdown(f"**Nearest of another class**: {plain(name)}")
    st.markdown(plain(share_text(certificate, found)))
