"""The other side of the bound: attack the base classifier and the smoothed one, and see where each falls."""

from __future__ import annotations

import streamlit as st

from core.attacks.records import KINDS, NORMS, AttackRequest
from core.errors import LabError
from core.report.notation import norm_name
from core.ui.attack.job import ATTACKS, attack_key, start
from core.ui.attack.view import KIND_NAMES, TARGET_NAMES, draw_attacking, draw_study
from core.ui.controls import choose_sigma, warn_about_sigma
from core.ui.frame import close_page, open_page
from core.ui.linked import linked_choice
from core.ui.models.choice import choose_classifier, choose_denoiser
from core.ui.pictures import choose_pictures

open_page("Attack")
st.title("Attack a picture")
st.markdown(
    "An attack looks for the smallest change that alters the answer. Within the certified radius none can alter the smoothed"
    " classifier's, up to the chance alpha that the certificate is wrong; the base classifier alone often falls much sooner."
)

left, middle, right = st.columns([1.3, 1, 1.2])
with right:
    classifier = choose_classifier()
    denoiser = choose_denoiser(classifier)
with left:
    choice = choose_pictures(classifier)[0]
with middle:
    sigma = choose_sigma()
    norm = linked_choice("Norm of the change", list(NORMS), "l2", norm_name, "norm")
    most, step = {"l2": (4.0, 0.05), "linf": (0.25, 0.005), "l1": (40.0, 0.5)}[norm]
    radius = st.slider(
        "Size of the change shown",
        0.0,
        most,
        0.0,
        step,
        key=f"attack-radius-{norm}",
        bind="query-params",
        help="0: just inside the certified radius.",
    )
with st.expander("Attack, steps, draws, search", icon=":material/tune:"):
    first, second, third = st.columns(3)
    with first:
        kind = linked_choice("Kind of change", list(KINDS), "gradient", KIND_NAMES.__getitem__, "attack")
        target = linked_choice("Gradient of", ["smoothed", "base"], "smoothed", TARGET_NAMES.__getitem__, "target")
    with second:
        steps = st.number_input("gradient steps", 1, 200, 20, 1, key="attack-steps", bind="query-params")
        draws = st.number_input(
            "noise draws a step", 1, 256, 16, 1, key="attack-draws", bind="query-params", help="Drawn anew at every step."
        )
    with third:
        seed = st.number_input(
            "seed", 0, 2**31 - 1, 0, 1, key="attack-seed", bind="query-params", help="Same seed, same attack."
        )
        search = st.toggle(
            "Look for the smallest attack",
            True,
            key="attack-search",
            bind="query-params",
            help="By bisection on the radius; takes longer.",
        )
warn_about_sigma(denoiser, sigma, classifier)
request = AttackRequest(
    classifier,
    denoiser,
    sigma,
    norm,
    float(radius) or None,
    target,
    kind,
    int(steps),
    draws=int(draws),
    seed=int(seed),
    search=("base", "smoothed") if search else (),
    budget=3_000,
)
picture, name = choice.picture.image, choice.picture.name
key = attack_key(picture, request)
ATTACKS.keep_only([key])
job = ATTACKS.find(key)
busy = job is not None and not job.finished


def begin() -> None:
    """Start, or say in a sentence why not."""
    ATTACKS.forget(key)
    try:
        start(picture, name, request)
    except LabError as error:
        st.error(str(error), icon=":material/error:")
    else:
        st.rerun()


if job is None:
    with st.container(key="paired-attack"):
        st.image(picture, width=200, alt=f"The picture to attack: {name}.")
    if st.button("Attack", type="primary", icon=":material/bolt:"):
        begin()
    st.caption("Certifies the picture first, then attacks; on two cores it takes about half a minute, and can be stopped.")


@st.fragment(run_every=0.5 if busy else None)
def follow() -> None:
    """Poll while it runs; draw what is there."""
    now = ATTACKS.find(key)
    if now is None:
        return
    ended = now.finished  # looked at once: it may end while this is drawn
    if busy and ended:
        st.rerun()
    if not ended:
        draw_attacking(now)
    elif now.state == "failed":
        st.error(now.error or "", icon=":material/error:")
    else:
        if not now.result.complete:
            st.info(
                "Not everything is settled: it was stopped, or the search used up its passes. What stands here was reached.",
                icon=":material/hourglass_bottom:",
            )
        draw_study(now.result, name, "attack")
    if ended and (now.state == "failed" or not now.result.complete) and st.button("Start over", icon=":material/refresh:"):
        begin()


follow()
close_page()
