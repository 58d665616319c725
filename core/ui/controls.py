"""The controls of every page: models, sigma, and the numbers that are folded away. All are part of the link."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.models.catalogue import catalogue
from core.models.load import sigma_warning
from core.smoothing.settings import Settings
from core.studies.records import StudyRequest
from core.ui.certify.guarantee import Guarantee
from core.ui.linked import linked_choice, linked_number, linked_slider, linked_switch

ALPHAS = (0.05, 0.01, 0.001, 0.0001)
METHODS = {"anytime": "Anytime (stop whenever you like)", "clopper-pearson": "Clopper-Pearson (n fixed beforehand)"}


def choose_sigma(default: float = 0.25) -> float:
    """The sigma slider, in [0, 1] units with grey levels beside it."""
    sigma = linked_slider(
        "Noise sigma",
        (0.01, 1.0),
        default,
        "sigma",
        step=0.01,
        help="Standard deviation of the noise in each channel, in [0, 1] pixel units. More noise can certify larger radii,"
        " but hides more of the picture.",
    )
    st.caption(f"= {sigma * 255:.0f}/255 grey levels")
    return float(sigma)


def choose_seed(key: str = "seed") -> int:
    """The seed of the noise."""
    return linked_number("seed", (0, 2**31 - 1), 0, key, step=1, help="Same seed, same noise.")


@dataclass(frozen=True)
class Numbers:
    """What the folded-away controls hold."""

    n: int
    n0: int
    alpha: float
    seed: int
    method: str
    compare: bool


def choose_numbers() -> Numbers:
    """Samples, alpha, seed and bound, folded away."""
    with st.expander("Samples, confidence, seed", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        with left:
            n = linked_number(
                "n: samples counted", (20, 100_000), 1_000, "n", step=100, help="More samples raise the ceiling of the radius."
            )
            n0 = linked_number(
                "n0: samples that choose the class",
                (10, 1_000),
                100,
                "n0",
                step=10,
                help="These pick the class to count; they are not counted again.",
            )
        with middle:
            alpha = st.selectbox(
                "alpha: chance the certificate is wrong",
                ALPHAS,
                index=2,
                format_func=lambda a: f"{a:g}",
                key="alpha",
                bind="query-params",
            )
            seed = choose_seed()
        with right:
            method = linked_choice(
                "Bound",
                METHODS,
                "anytime",
                "bound",
                help="Anytime costs about 2 to 10% of the radius and lets you stop at any moment with a valid certificate.",
            )
            compare = linked_switch("Compare with no denoiser", True, "compare")
    return Numbers(int(n), int(n0), float(alpha), seed, str(method), bool(compare))


def warn_about_sigma(denoiser: str, sigma: float, classifier: str | None = None) -> None:
    """Say where sigma is outside what the denoiser, or without one the classifier, was trained for."""
    known = {entry.ref: entry for entry in catalogue()}
    warning = sigma_warning(None if denoiser == "none" else known.get(denoiser, denoiser), sigma, known.get(classifier or ""))
    if warning:
        st.warning(warning, icon=":material/warning:")


def request_of(
    classifier: str, denoiser: str, sigma: float, numbers: Numbers, size: int | None, guarantee: Guarantee
) -> StudyRequest:
    """The request that these controls make."""
    settings = Settings(
        sigma=sigma,
        n0=numbers.n0,
        n=numbers.n,
        alpha=numbers.alpha,
        seed=numbers.seed,
        method=numbers.method,
        noise=guarantee.noise,
        norm=guarantee.norm,
        sound=guarantee.sound,
        two_sided=guarantee.two_sided,
        until_radius=guarantee.until_radius,
    )
    return StudyRequest(classifier, denoiser, settings, compare=numbers.compare, size=size)
