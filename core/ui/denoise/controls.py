"""The controls that only the Denoise page has: several denoisers, several sigmas, draws."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from core.models.catalogue import denoisers, usual_denoiser
from core.studies.comparison import NOISY, SWEEP_SIGMAS, ComparisonRequest
from core.ui.denoise.comparison import PROSE
from core.ui.linked import choose_seed, key_for, link_seed, linked_choices, linked_number
from core.ui.models import model_options, model_title

MAX_DENOISERS = 4
FIRST_CLASSICAL = "classical/tv"
SIGMAS = (0.12, 0.25, 0.5, 1.0)
"""The noise levels of Salman et al. (2020), to lay beside the slider's."""


def choose_denoisers(classifier: str) -> list[str]:
    """Up to four denoisers by reference; part of the link by reference, not by title."""
    entries = {entry.ref: entry for entry in denoisers(classifier) if entry.ref != NOISY}
    own = [ref for ref, entry in entries.items() if entry.card.get("classifier") == classifier] or [usual_denoiser(classifier)]
    usual = [ref for ref in (*own[: MAX_DENOISERS - 1], FIRST_CLASSICAL) if ref != NOISY]
    name, label = key_for("denoisers", classifier), "Denoisers to compare"
    titles = {ref: model_title(ref) for ref in model_options("denoiser", name, entries)}
    words = {"placeholder": "Choose up to four", "help": PROSE["denoisers"]}
    return linked_choices(label, titles, usual, name, most=MAX_DENOISERS, **words)


def choose_sigmas(sigma: float) -> tuple[float, ...]:
    """The slider's sigma and those laid beside it, least first."""
    pills = partial(st.pills, selection_mode="multi", bind="query-params", help=PROSE["sigmas"])
    beside = pills("Beside it", SIGMAS, default=[0.5], key="sigmas")
    return tuple(sorted({sigma, *(float(value) for value in beside)}))


def choose_draws(
    classifier: str, denoisers: Sequence[str], sigmas: tuple[float, ...]
) -> tuple[ComparisonRequest, ComparisonRequest]:
    """Draws and seed, folded away; returns the comparison at the sigmas and the sweep that are asked for."""
    with st.expander("Noise draws, seed", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        with left:
            draws = linked_number("draws in the grid", (1, 6), 2, "draws", step=1, help=PROSE["draws"])
        with middle:
            label, help = "draws at each sigma of the sweep", PROSE["sweep-draws"]
            sweep_draws = linked_number(label, (2, 100), 10, "sweep-draws", step=1, help=help)
        with right:
            seed = choose_seed(blank="0") or 0
            link_seed(seed or None)
    noisy_first = (NOISY, *(reference for reference in denoisers if reference != NOISY))
    return (
        ComparisonRequest(classifier, noisy_first, sigmas, draws, seed=seed),
        ComparisonRequest(classifier, noisy_first, SWEEP_SIGMAS, sweep_draws, seed=seed),
    )
