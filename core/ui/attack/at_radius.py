"""What a certified radius looks like: the picture changed by just so much, and the nearest picture of another class."""

from functools import partial

import streamlit as st
from PIL import Image
from torch import Tensor

from core.attacks.at_radius import Neighbour, nearest_of_another_class, pictures_at_radius
from core.data.local import local_pictures
from core.pictures.pixels import to_picture, to_pixels
from core.plain_text import plain
from core.report.notation import class_name, norm_name, radius_text
from core.smoothing.certificate import Certificate
from core.ui.figure import enlarged, keyed_columns
from core.ui.jobs.follow import begin, follow
from core.ui.jobs.job import Job, JobContext
from core.ui.jobs.session import SessionJobs
from core.ui.sentences import stored_texts

PROSE = stored_texts("pages/attack")


def draw_at_radius(image: Tensor, radius: float, norm: str, key: str, *, seed: int = 0, change: Tensor | None = None) -> None:
    """Pictures at a certified radius of (3, H, W) pixels; along ``change``, too, where there is one."""
    st.subheader("What this radius looks like")
    along = change if change is not None and float(change.abs().max()) > 0 else None
    found = pictures_at_radius(image, radius, norm, seed=seed, gradient=along)
    for column, one in zip(keyed_columns(f"abreast-meaning-{key}", len(found)), found, strict=True):
        title = PROSE["directions"][one.kind]
        if one.pixels is None:
            column.caption(f"**{title}**: {one.missing}")
            continue
        words = f"at most {one.greatest:.3g} of 255 on {one.changed:,} pixel{'s' if one.changed > 1 else ''}"
        alt = f"The picture changed by the certified radius: {title.lower()}, {words}."
        column.image(enlarged(to_picture(one.pixels)), width="stretch", alt=alt)
        column.markdown(f"**{title}**  \n{words}")
    st.caption(PROSE["edge"].format(norm=norm_name(norm), radius=radius_text(radius)))


NEIGHBOURS = SessionJobs("neighbours")


def draw_neighbour(picture: Image.Image, certificate: Certificate, key: str) -> None:
    """On demand: the distance from a certified picture, at its certified size, and the radius as a share of it."""
    c, labels, label = certificate, certificate.labels, certificate.prediction
    if label is None or labels is None:
        return
    wanted = ("neighbour", c.image.sha256, c.image.height, c.image.width, labels, label, c.norm)

    def work(_: JobContext) -> tuple[Neighbour, str]:
        found = local_pictures(labels, (c.image.height, c.image.width))
        return nearest_of_another_class(to_pixels(picture), label, found.data, c.norm), found.what

    def draw(job: Job | None) -> None:
        title = "Compare with the nearest picture of another class"
        if job is None:
            pressed = st.button(title, icon=":material/social_distance:", key=f"near-{key}")
            if pressed and begin(lambda: NEIGHBOURS.start(wanted, "Nearest picture of another class", work)):
                st.rerun()
        elif not job.finished:
            st.caption(":material/hourglass_top: Looking through the pictures on this machine…")
        elif job.state == "failed":
            st.info(plain(job.error or ""), icon=":material/info:")
        else:
            _draw_found(picture, certificate, *job.result)

    follow(draw, partial(NEIGHBOURS.find, wanted))


def share_text(certificate: Certificate, near: Neighbour, where: str) -> str:
    """What was searched, how far the nearest picture of another class is, and what share of it the radius is."""
    c, labels = certificate, certificate.labels or ()
    other, own, norm = class_name(near.label, labels), class_name(c.prediction, labels), norm_name(near.norm)
    searched = PROSE["searched"].format(near=near, several="s" if near.searched > 1 else "", own=own, where=where)
    if near.distance == 0:
        return searched + PROSE["same-picture"].format(other=other)
    share, distance = near.share(c.radius), radius_text(near.distance)
    told = PROSE["share"].format(other=other, norm=norm, distance=distance, share=100 * share)
    return searched + told + PROSE["beyond" if share >= 1 else "within"].format(other=other)


def _draw_found(picture: Image.Image, certificate: Certificate, near: Neighbour, where: str) -> None:
    other = Image.fromarray(near.pixels.permute(1, 2, 0).numpy())
    name = class_name(near.label, certificate.labels)
    first, second, _ = keyed_columns("abreast-neighbour", [1, 1, 2])
    first.image(enlarged(picture, 160), width="stretch", alt="The picture that was certified.")
    first.markdown("**This picture**")
    second.image(enlarged(other, 160), width="stretch", alt=f"The nearest picture of another class found: {name}.")
    second.markdown(f"**Nearest of another class**: {plain(name)}")
    st.markdown(plain(share_text(certificate, near, where)))
