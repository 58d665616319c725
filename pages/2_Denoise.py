"""Look at denoisers: the same noisy copies through several, what they take away, and how they fare over sigma."""

import streamlit as st

from core.models.catalogue import classifiers
from core.studies.comparison import NOISY
from core.ui.denoise.comparison import (
    COMPARISONS,
    AskedComparison,
    choose_denoisers,
    choose_draws,
    choose_sigmas,
    draw_comparison,
    draw_outcome,
    draw_sweep,
)
from core.ui.frame import close_page, open_page
from core.ui.jobs.follow import follow, under_way
from core.ui.jobs.job import Job
from core.ui.linked import choose_sigma, linked_switch
from core.ui.models import choose_classifier, draw_find_button, model_title, warn_about_sigma
from core.ui.pictures import choose_pictures, choose_shown

open_page("Denoise")
st.title("What a denoiser does")
if not classifiers():
    st.warning("No classifier is bundled: train one with 'python -m core train-classifier'.", icon=":material/warning:")
    close_page()
    st.stop()

left, middle, right = st.columns([1.3, 1, 1.2])
with right:
    classifier = choose_classifier()
    draw_find_button("classifier")
    references = choose_denoisers(classifier)
    draw_find_button("denoiser", classifier)
with left:
    choices = choose_pictures(classifier)
with middle:
    sigma = choose_sigma()
    sigmas = choose_sigmas(sigma)
    automatic = linked_switch("Compute as I change things", True, "auto")
requests = choose_draws(classifier, references, sigmas)
for reference in references:
    warn_about_sigma(reference, sigma)
if not references:
    st.info("No denoiser is chosen: only the noisy picture is shown. Choose up to four above.", icon=":material/info:")

picture = choose_shown(choices).picture
titles = {NOISY: "With noise", **{reference: model_title(reference) for reference in references}}
grid, sweep = (AskedComparison(picture, request, sweep) for request, sweep in zip(requests, (False, True), strict=True))
COMPARISONS.keep_only([grid.key, sweep.key])
for asked in (grid, sweep):
    if automatic and asked.find() is None:
        asked.start()


# Two fragments, so that the panels above stay as they were zoomed while the sweep goes on below.
def draw_panels(job: Job | None) -> None:
    """The comparison, as far as it is there."""
    running = under_way(job)
    result = draw_outcome(grid, job)
    if result is not None:
        draw_comparison(grid, result, titles, sigma, ended=not running)


def draw_over_sigma(job: Job | None) -> None:
    """The sweep, as far as it is there."""
    st.subheader("Over sigma")
    result = draw_outcome(sweep, job)
    if result is not None:
        draw_sweep(sweep, result, titles, sigma)


follow(draw_panels, grid.find, every=0.5)
follow(draw_over_sigma, sweep.find, every=0.5)
close_page()
