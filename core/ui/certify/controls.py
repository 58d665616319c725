"""The folded-away controls of the Certify page, which make one Settings: numbers, and the kind of guarantee. All are linked."""

from dataclasses import replace

import streamlit as st

from core.errors import LabError
from core.report.notation import norm_name
from core.smoothing.radius import NORMS, OWN_NORM
from core.smoothing.settings import Settings
from core.ui.linked import METHODS, choose_alpha, choose_seed, linked_choice, linked_number, linked_switch

NOISE_NAMES = {"gaussian": "Gaussian", "uniform": "Uniform", "laplace": "Laplace"}
_L1_NOISE = "l2 is divided by the square root of the number of colour values, l-infinity by that number"
_OTHER_NORMS = {
    "gaussian": "l1 comes at the same radius, l-infinity divided by the square root of the number of colour values",
    "uniform": _L1_NOISE,
    "laplace": _L1_NOISE,
}
LARGEST_RADIUS = 100.0
_HELP = {
    "n": "More samples raise the ceiling of the radius.",
    "n0": "These pick the class to count; they are not counted again.",
    "tries": "Whoever tries several sigmas, seeds or denoisers on one picture and keeps the best certificate has as many"
    " chances to err. Say how many beforehand: each then has alpha divided by that number.",
    "bound": "Anytime costs a few per cent of the radius, more where n is small, and lets you stop at any moment"
    " with a valid certificate. The randomised bound gains some per cent for a fixed n, by a number that the seed gives.",
    "noise": "Sigma is the standard deviation in each channel, whatever the noise.",
    "norm": "How the size of a change is measured: l2 its length, l1 the sum over all colour values, l-infinity the greatest of"
    " them.",
    "sound": "Proof in floating point, too: noise on the 8-bit grid by exact integer sampling, so that rounding is no gap."
    " Gaussian noise only.",
    "two-sided": "Bounds the runner-up from above, too; both share alpha. It pays where the other votes are spread over several"
    " classes. Choose before you look: alpha holds for one of the two.",
    "until": "Certify until it is settled: sampling ends as soon as it is clear whether this radius can be certified, or when"
    " you stop, or after n samples. In the norm that is chosen. Takes the anytime bound.",
}


def choose_samples(sigma: float) -> tuple[Settings, bool, int | None]:
    """Samples, alpha and bound, folded away, at a sigma; whether to compare with no denoiser; and the seed, where one is asked
    for."""
    with st.expander("Samples, confidence, seed", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        with left:
            n = linked_number("n: samples counted", (20, 100_000), 1_000, "n", step=100, help=_HELP["n"])
            n0 = linked_number("n0: samples that choose the class", (10, 1_000), 100, "n0", step=10, help=_HELP["n0"])
        with middle:
            alpha = choose_alpha("alpha", "alpha: chance the certificate is wrong")
            seed = choose_seed()
            tries = linked_number("Tries that share alpha", (1, 100), 1, "tries", step=1, help=_HELP["tries"])
        with right:
            method = linked_choice("Bound", METHODS, "anytime", "bound", help=_HELP["bound"])
            compare = linked_switch("Compare with no denoiser", True, "compare")
    return Settings(sigma, n0=n0, n=n, alpha=alpha, method=method, tries=tries), compare, seed


def choose_guarantee(settings: Settings) -> Settings:
    """The settings with noise, norm, kind of proof and a radius to settle, folded away with a sentence on what is chosen."""
    with st.expander("Noise, norm, kind of proof", icon=":material/shield:"):
        left, middle, right = st.columns(3)
        with left:
            noise = linked_choice("Noise", NOISE_NAMES, "gaussian", "noise", help=_HELP["noise"])
            own = OWN_NORM[noise]
            names = {norm: f"{norm_name(norm)} (this noise's own)" if norm == own else norm_name(norm) for norm in NORMS}
            key = "norm" if noise == "gaussian" else f"norm-{noise}"  # each noise begins with its own norm
            norm = linked_choice("Norm of the radius", names, own, key, help=_HELP["norm"])
        with middle:
            sound = linked_switch("Sound (exact 8-bit noise)", False, "sound", help=_HELP["sound"])
            two_sided = linked_switch("Both classes (two-sided)", False, "two-sided", help=_HELP["two-sided"])
        with right:
            span, title = (0.0, LARGEST_RADIUS), "Radius to settle (0: run to n)"
            until = linked_number(title, span, 0.0, "until", step=0.05, format="%g", help=_HELP["until"])
        st.caption(_explained(noise, sound))
    chosen = None if norm == own else norm
    return replace(settings, noise=noise, norm=chosen, sound=sound, two_sided=two_sided, until_radius=until or None)


def objection(settings: Settings) -> str | None:
    """One sentence where these choices do not go together; None where they do. What depends on the picture comes later."""
    if settings.sound and settings.noise != "gaussian":
        return (
            f"Sound mode draws Gaussian noise on the 8-bit grid, and {settings.noise} noise is chosen: choose Gaussian noise,"
            " or switch sound mode off."
        )
    if settings.until_radius is not None and settings.method != "anytime":
        return (
            "To end when a radius is settled, the bound must hold wherever sampling ends: choose the anytime bound, or set the"
            " radius to be settled to 0."
        )
    try:
        settings.check()
    except LabError as error:
        return str(error)
    return None


def _explained(noise: str, sound: bool) -> str:
    words = (
        f"{NOISE_NAMES[noise]} noise is tight in {norm_name(OWN_NORM[noise])}; {_OTHER_NORMS[noise]}. Other measures of change,"
        " such as how many pixels changed or how far a picture is turned, cannot be chosen: this noise proves no radius in"
        " them."
    )
    if noise != "gaussian":
        words += " The bundled denoisers were trained with Gaussian noise: the proof holds all the same, the vote may be worse."
    if sound:
        words += (
            " In sound mode the picture has whole grey levels: uploads have them already, a picture that is brought to another"
            " size is rounded to them. What is certified is the answer for every 8-bit picture within the radius."
        )
    return words
