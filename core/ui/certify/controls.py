"""The folded-away controls of the Certify page, which make one Settings: numbers, and the kind of guarantee. All are linked."""

from dataclasses import replace

import streamlit as st

from core.errors import LabError
from core.report.notation import norm_name
from core.smoothing.radius import NORMS, OWN_NORM
from core.smoothing.settings import Settings
from core.ui.linked import SHARED, choose_alpha, choose_seed, linked_choice, linked_number, linked_switch
from core.ui.sentences import stored_texts

PROSE = stored_texts("pages/certify")
LARGEST_RADIUS = 100.0


def choose_samples(sigma: float) -> tuple[Settings, bool, int | None]:
    """Samples, alpha and bound, folded away, at a sigma; whether to compare with no denoiser; and a seed that is asked for."""
    with st.expander("Samples, confidence, seed", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        with left:
            n = linked_number("n: samples counted", (20, 100_000), 1_000, "n", step=100, help=PROSE["n"])
            n0 = linked_number("n0: samples that choose the class", (10, 1_000), 100, "n0", step=10, help=PROSE["n0"])
        with middle:
            alpha = choose_alpha("alpha", "alpha: chance the certificate is wrong")
            seed = choose_seed()
            tries = linked_number("Tries that share alpha", (1, 100), 1, "tries", step=1, help=PROSE["tries"])
        with right:
            method = linked_choice("Bound", SHARED["methods"], "anytime", "bound", help=PROSE["bound"])
            compare = linked_switch("Compare with no denoiser", True, "compare")
    return Settings(sigma, n0=n0, n=n, alpha=alpha, method=method, tries=tries), compare, seed


def choose_guarantee(settings: Settings) -> Settings:
    """The settings with noise, norm, kind of proof and a radius to settle, folded away with a sentence on what is chosen."""
    with st.expander("Noise, norm, kind of proof", icon=":material/shield:"):
        left, middle, right = st.columns(3)
        with left:
            noise = linked_choice("Noise", PROSE["noises"], "gaussian", "noise", help=PROSE["noise"])
            own = OWN_NORM[noise]
            names = {norm: f"{norm_name(norm)} (this noise's own)" if norm == own else norm_name(norm) for norm in NORMS}
            key = "norm" if noise == "gaussian" else f"norm-{noise}"  # each noise begins with its own norm
            norm = linked_choice("Norm of the radius", names, own, key, help=PROSE["norm"])
        with middle:
            sound = linked_switch("Sound (exact 8-bit noise)", False, "sound", help=PROSE["sound"])
            two_sided = linked_switch("Both classes (two-sided)", False, "two-sided", help=PROSE["two-sided"])
        with right:
            span, title = (0.0, LARGEST_RADIUS), "Radius to settle (0: run to n)"
            until = linked_number(title, span, 0.0, "until", step=0.05, format="%g", help=PROSE["until"])
        st.caption(_explained(noise, sound))
    chosen = None if norm == own else norm
    return replace(settings, noise=noise, norm=chosen, sound=sound, two_sided=two_sided, until_radius=until or None)


def objection(settings: Settings) -> str | None:
    """One sentence where these choices do not go together; None where they do. What depends on the picture comes later."""
    if settings.sound and settings.noise != "gaussian":
        return PROSE["objection-sound"].format(noise=settings.noise)
    if settings.until_radius is not None and settings.method != "anytime":
        return PROSE["objection-until"]
    try:
        settings.check()
    except LabError as error:
        return str(error)
    return None


def _explained(noise: str, sound: bool) -> str:
    own, others = norm_name(OWN_NORM[noise]), PROSE[f"noise-{noise}"]
    words = PROSE["explained"].format(noise=PROSE["noises"][noise], own=own, others=others)
    words += PROSE["explained-not-gaussian"] if noise != "gaussian" else ""
    return words + (PROSE["explained-sound"] if sound else "")
