"""Drawing what a certified radius looks like: the picture changed by just so much, in several directions."""

import streamlit as st
from torch import Tensor

from core.attacks.at_radius import pictures_at_radius
from core.pictures.pixels import to_picture
from core.report.notation import norm_name, radius_text
from core.ui.figure import enlarged

_TITLES = {
    "random": "In a random direction",
    "pixel": "In one pixel",
    "patch": "In one patch",
    "grey": "Spread evenly",
    "gradient": "As attacked",
}


def draw_at_radius(image: Tensor, radius: float, norm: str, key: str, *, seed: int = 0, change: Tensor | None = None) -> None:
    """Pictures at a certified radius of (3, H, W) pixels; along ``change``, too, where there is one."""
    st.subheader("What this radius looks like")
    along = change if change is not None and float(change.abs().max()) > 0 else None
    found = pictures_at_radius(image, radius, norm, seed=seed, gradient=along)
    with st.container(key=f"abreast-meaning-{key}"):
        columns = st.columns(len(found))
    for column, one in zip(columns, found, strict=True):
        title = _TITLES[one.kind]
        with column:
            if one.pixels is None:
                st.caption(f"**{title}**: {one.missing}")
                continue
            words = f"at most {one.greatest:.3g} of 255 on {one.changed:,} pixel{'s' if one.changed > 1 else ''}"
            st.image(
                enlarged(to_picture(one.pixels)),
                width="stretch",
                alt=f"The picture changed by the certified radius: {title.lower()}, {words}.",
            )
            st.markdown(f"**{title}**  \n{words}")
    st.caption(
        f"Each lies at {norm_name(norm)} distance {radius_text(radius)} from the original, on the edge of what is certified."
    )
