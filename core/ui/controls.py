"""Controls that several pages have: sigma, seed, alpha, the bound. All are part of the link. Imports no torch."""

from __future__ import annotations

import streamlit as st

from core.ui.linked import linked_number, linked_slider

ALPHAS = (0.05, 0.01, 0.001, 0.0001)
METHODS = {"anytime": "Anytime (stop whenever you like)", "clopper-pearson": "Clopper-Pearson (n fixed beforehand)"}


def choose_sigma() -> float:
    """The sigma slider, in [0, 1] units with grey levels beside it."""
    sigma = linked_slider(
        "Noise sigma",
        (0.01, 1.0),
        0.25,
        "sigma",
        step=0.01,
        help="Standard deviation of the noise in each channel, in [0, 1] pixel units. More noise can certify larger radii,"
        " but hides more of the picture.",
    )
    st.caption(f"= {sigma * 255:.0f}/255 grey levels")
    return sigma


def choose_seed(key: str = "seed") -> int:
    """The seed of the noise."""
    return linked_number("seed", (0, 2**31 - 1), 0, key, step=1, help="Same seed, same noise.")


def choose_alpha(key: str, label: str = "alpha") -> float:
    """The chance that a certificate may be wrong."""
    alpha = st.selectbox(label, ALPHAS, index=2, format_func=lambda a: f"{a:g}", key=key, bind="query-params")
    return float(alpha)
