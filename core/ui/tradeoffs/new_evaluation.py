"""A new evaluation from a page: what to run, and its budget."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.data.local import CIFAR10_ON_THE_HUB, cifar10_folder, local_data_sets, title_of_data
from core.evaluation.families import denoiser_words
from core.report.notation import duration
from core.runs.evaluation import MOST_IMAGES, MOST_MINUTES, EvaluationRequest
from core.smoothing.settings import Settings
from core.ui.frame import SPEED
from core.ui.jobs.follow import under_way
from core.ui.linked import choose_alpha, choose_seed, choose_sigma, key_for, linked_choice, linked_number
from core.ui.models import choose_classifier, choose_denoiser, warn_about_sigma
from core.ui.tradeoffs.evaluation_job import EVALUATIONS, begin_anew, draw_own_job, start_evaluation
from core.ui.tradeoffs.logs import choose_table_radii

FROM_HUB = "hub"
WITHIN = 0.05
ENDINGS = {
    "n": "after n",
    "within": "once more would add 5% to its radius at most",
    "table": "once it is settled at each radius of a table",
}


def draw_new_evaluation() -> None:
    """Everything for a new evaluation: controls, budget, start, progress, curve, stop, and going on."""
    request, name = _choose()
    busy = under_way(EVALUATIONS.latest())
    ready = bool(request.dataset)
    if st.button(
        "Start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=busy or not ready,
        key="evaluation-start",
        help="Another one is under way." if busy else None,
    ):
        begin_anew(lambda: start_evaluation(request, name))
    _say_effort(request)
    draw_own_job(busy=busy)


def _choose() -> tuple[EvaluationRequest, str]:
    """What is asked for, and the name of the run."""
    left, middle, right = st.columns(3)
    with left:
        classifier = choose_classifier()
        denoiser = choose_denoiser(classifier)
    with middle:
        dataset = choose_data(classifier)
        sigma = choose_sigma()
    with right:
        help = "The interval of a share over 100 images is about 20 points wide, over 1,000 about 6."
        images = linked_number("Images, at most", (1, MOST_IMAGES), 100, "evaluation-images", step=50, help=help)
        help = "Of computing. What is not finished then can be gone on with."
        minutes = linked_number("Minutes, at most", (1, int(MOST_MINUTES)), 10, "evaluation-minutes", step=5, help=help)
        help = "The papers take 10,000 or 100,000; fewer give smaller radii."
        n = linked_number("n: samples an image, at most", (20, 100_000), 1_000, "evaluation-n", step=500, help=help)
    with st.expander("Name, samples, confidence, seed", icon=":material/tune:"):
        first, second, third = st.columns(3)
        suggested = f"{title_of_data(dataset) if dataset else 'Hub'}: {denoiser_words(denoiser)}, sigma {sigma:g}"
        with first:
            name = st.text_input("Name of the run", "", key="evaluation-name", placeholder=suggested, max_chars=200)
            within, table_radii = _choose_ending()
        with second:
            n0 = linked_number("n0: samples that choose the class", (1, 1_000), 100, "evaluation-n0", step=10)
            alpha = choose_alpha("evaluation-alpha", "alpha: chance that a certificate is wrong")
        with third:
            seed = choose_seed("evaluation-seed")
    warn_about_sigma(denoiser, sigma, classifier)
    asked = Settings(
        sigma=sigma, n0=int(n0), n=int(n), alpha=float(alpha), seed=seed, norm="l2", within=within, table_radii=table_radii
    )
    asked = Settings(sigma=sigma, n0=n0, n=n, alpha=alpha, seed=seed, norm="l2", within=within, table_radii=table_radii)
    request = EvaluationRequest(
        dataset=dataset,
        split="test",
        classifier=classifier,
        denoiser=denoiser,
        images=images,
        settings=replace(asked, method=asked.usual_method),
        minutes=float(minutes),
    )
    return request, name.strip() or suggested


def _choose_ending() -> tuple[float | None, tuple[float, ...] | None]:
    """When an image has enough samples: the part of its radius that may be lost, or the radii that are to be settled."""
    ending = linked_choice(
        "An image has enough samples",
        ENDINGS,
        "n",
        "evaluation-ending",
        help="Ending early is valid at the same alpha, by a bound made for it. By the anytime bound each radius is at most 5%"
        " below what n samples would give. With a table's radii most images need a part of n; the curve then means something"
        " at these radii alone.",
    )
    if ending == "table":
        return None, tuple(choose_table_radii("evaluation-radii"))
    return (WITHIN if ending == "within" else None), None


def choose_data(classifier: str) -> str:
    """The reference of a data set; of the Hub's as ``hub/OWNER/NAME``, empty until one is named."""
    known = local_data_sets()
    # Links name data sets by words, not by paths of this machine.
    words = {_word(reference): reference for reference in known}
    first = "shapes" if classifier == "bundled/shapes" or "cifar10" not in words else "cifar10"
    titles = {word: known[reference] for word, reference in words.items()} | {FROM_HUB: "A data set of the Hub…"}
    word = linked_choice(
        "Data set",
        titles,
        first,
        key_for("evaluation-data", classifier),
        help="Its test pictures. Beside these, whoever runs the Lab may put folders into LAB_HOME/data: one folder of pictures"
        " a class, or parquet files.",
    )
    if word != FROM_HUB:
        return words[word]
    name = st.text_input(
        "Name on the Hub",
        "",
        key="evaluation-hub",
        placeholder=f"OWNER/NAME, such as {CIFAR10_ON_THE_HUB}",
        max_chars=200,
        help="In parquet files, with pictures of one size; fetched once.",
    )
    return f"hub/{name.strip().removeprefix('hub/')}" if name.strip() else ""


def _word(reference: str) -> str:
    if reference == "shapes":
        return reference
    cifar10 = cifar10_folder()
    return "cifar10" if cifar10 is not None and reference == f"parquet/{cifar10}" else f"own-{Path(reference).name}"


def _say_effort(request: EvaluationRequest) -> None:
    """What it will take, where the speed of this machine has been seen."""
    s = request.settings
    speed, samples = st.session_state.get(SPEED), request.images * (s.n0 + s.n)
    if speed and not s.may_end_early:
        st.caption(
            f"{samples:,} samples; at the {speed:,.0f} a second of the last run about {duration(samples / speed)}, or until"
            " the minutes are over."
        )
