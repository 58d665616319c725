"""Look at denoisers: the same noisy copies through several, what they take away, and how they fare over sigma."""

from __future__ import annotations

import streamlit as st

from core.models.catalogue import classifiers
from core.studies.denoise import SWEEP_SIGMAS, Comparison, ComparisonRequest
from core.ui.controls import choose_sigma, warn_about_sigma
from core.ui.denoise.controls import choose_denoisers, choose_draws, choose_sigmas, titles_of
from core.ui.denoise.job import COMPARISONS, comparison_key, start_comparison
from core.ui.denoise.view import (
    draw_averages,
    draw_clean,
    draw_closeup,
    draw_comparison_downloads,
    draw_grid,
    draw_progress,
    draw_sweep,
    noisy_first,
    say_stopped,
)
from core.ui.frame import close_page, open_page
from core.ui.jobs.follow import begin, follow, under_way
from core.ui.jobs.queue import Job
from core.ui.linked import linked_switch
from core.ui.models.browser import draw_find_button
from core.ui.models.choice import choose_classifier
from core.ui.pictures import choose_pictures, choose_shown
from core.ui.plain_text import show_error

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
numbers = choose_draws()
for reference in references:
    warn_about_sigma(reference, sigma)
if not references:
    st.info("No denoiser is chosen: only the noisy picture is shown. Choose up to four above.", icon=":material/info:")

shown = choose_shown(choices)
titles = titles_of(references)
asked = noisy_first(references)
requests = {
    False: ComparisonRequest(classifier, asked, sigmas, numbers.draws, numbers.seed),
    True: ComparisonRequest(classifier, asked, SWEEP_SIGMAS, numbers.sweep_draws, numbers.seed),
}
keys = {sweep: comparison_key(shown.picture.image, request, sweep) for sweep, request in requests.items()}


def start(sweep: bool) -> bool:
    """Start the comparison or the sweep anew, or say why not."""
    COMPARISONS.forget(keys[sweep])
    return begin(lambda: start_comparison(shown.picture.image, shown.picture.name, requests[sweep], sweep))


COMPARISONS.keep_only(list(keys.values()))
for sweep, key in keys.items():
    if automatic and COMPARISONS.find(key) is None:
        start(sweep)
stamp = f"{hash(keys[False]) & 0xFFFFFFFF:x}"


def outcome(job: Job | None, sweep: bool, doing: str) -> Comparison | None:
    """Draw the state of a job and return what there is to show of it."""
    word = "sweep" if sweep else "grid"
    if job is None:
        st.caption("The sweep was not computed yet." if sweep else "Nothing was computed for these choices yet.")
        if st.button(f"Compute the {word}", type="primary", icon=":material/play_arrow:", key=f"start-{word}") and start(sweep):
            st.rerun()
        return None
    if not job.finished:
        return draw_progress(job, doing)
    if job.state == "failed":
        show_error(job.error or "")
        again("Try again", sweep)
        return None
    result: Comparison = job.result
    if not result.complete:
        say_stopped(result)
        again("Compute it all", sweep)
    return result


def again(label: str, sweep: bool) -> None:
    """A button that starts over."""
    if st.button(label, icon=":material/refresh:", key=f"again-{sweep}") and start(sweep):
        st.rerun()


# Two fragments, so that the panels above stay as they were zoomed while the sweep goes on below.
def draw_panels(job: Job | None) -> None:
    """The comparison, as far as it is there."""
    running = under_way(job)
    result = outcome(job, False, "Denoising")
    if result is None:
        return
    draw_clean(result, shown.picture.name)
    draw_grid(result, titles)
    if result.panels and not running:
        draw_averages(result, titles)
        draw_comparison_downloads(result, titles, shown.picture.name, stamp)
        draw_closeup(result, titles, sigma, stamp)


def draw_over_sigma(job: Job | None) -> None:
    """The sweep, as far as it is there."""
    st.subheader("Over sigma")
    result = outcome(job, True, "Sweeping sigma")
    if result is not None:
        draw_sweep(result, titles, sigma, shown.picture.name, stamp)


follow(draw_panels, lambda: COMPARISONS.find(keys[False]), every=0.5)
follow(draw_over_sigma, lambda: COMPARISONS.find(keys[True]), every=0.5)
close_page()
