"""Chapter a: a trained classifier changes its answer right beside a point."""

import numpy as np
import streamlit as st

from core.figures.plane import add_flip, add_point, plane_figure
from core.learn.plane import CLASSES, plane_network
from core.learn.smoothing_in_the_plane import flip_of_base
from core.ui.learn.plane import choose_point, draw_movable_plane
from core.ui.learn.teaching import draw_terms


def draw_fragile() -> None:
    """The plane, the point, the smallest flip."""
    st.markdown(
        "A small network learned to tell circles from diamonds. It knows almost all of its training points by heart, so its"
        " border has teeth and islands. **Drag the point, click anywhere, or move the sliders:** how little must the point move"
        " to get another answer?"
    )
    left, right = st.columns([1.45, 1])
    with right:
        point = choose_point()
        said = int(plane_network().classify(np.array([point]))[0])
        flip = flip_of_base(point)
        st.markdown(f"##### The network says {CLASSES[said]}")
        if flip is not None:
            st.markdown(
                f"A change of length **{flip.distance:.3f}** makes it say {CLASSES[1 - said]}. The side of the plane is 1:"
                f" that is {flip.distance:.1%} of it."
            )
            st.caption(
                "The nearest place found: on a grid of 1/128, then along the line to the border itself. Pictures have thousands"
                " of directions instead of two, and some border is near in most of them."
            )
        draw_terms("adversarial example", "base classifier")
    with left:
        figure = plane_figure("What the network says, all over the plane")
        add_point(figure, point, said)
        if flip is not None:
            add_flip(figure, point, flip)
        distance = f" The nearest {CLASSES[1 - said]} is {flip.distance:.3f} away." if flip is not None else ""
        alt = (
            f"Map of two regions, circle and diamond, with a jagged border between. The point at {point[0]:.3f} across and"
            f" {point[1]:.3f} up is classified as {CLASSES[said]}.{distance}"
        )
        draw_movable_plane(figure, point, "fragile-plane", alt=alt, name="fragile")
