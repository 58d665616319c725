"""The other side of the bound: attack the base classifier and the smoothed one, and see where each falls."""

from __future__ import annotations

import streamlit as st

from core.attacks.request import NORMS, AttackRequest, AttackSettings, Climb
from core.report.notation import norm_name
from core.smoothing.settings import Settings
from core.ui.attack.job import ATTACKS, attack_key, start_attack
from core.ui.attack.view import KIND_NAMES, TARGET_NAMES, draw_attacked, draw_attacking
from core.ui.controls import choose_sigma
from core.ui.frame import close_page, open_page
from core.ui.jobs.follow import begin, draw_job, follow
from core.ui.jobs.queue import Job
from core.ui.linked import linked_choice, linked_number, linked_slider, linked_switch
from core.ui.models.choice import choose_classifier, choose_denoiser, warn_about_sigma
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
    norm = linked_choice("Norm of the change", {name: norm_name(name) for name in NORMS}, "l2", "norm")
    most, step = {"l2": (4.0, 0.05), "linf": (0.25, 0.005), "l1": (40.0, 0.5)}[norm]
    radius = linked_slider(
        "Size of the change shown",
        (0.0, most),
        0.0,
        f"attack-radius-{norm}",
        step=step,
        help="0: just inside the certified radius.",
    )
with st.expander("Attack, steps, draws, search", icon=":material/tune:"):
    first, second, third = st.columns(3)
    with first:
        kind = linked_choice("Kind of change", KIND_NAMES, "gradient", "attack")
        target = linked_choice("Gradient of", {name: TARGET_NAMES[name] for name in ("smoothed", "base")}, "smoothed", "target")
    with second:
        steps = linked_number("gradient steps", (1, 200), 20, "attack-steps", step=1)
        draws = linked_number("noise draws a step", (1, 256), 16, "attack-draws", step=1, help="Drawn anew at every step.")
    with third:
        seed = linked_number("seed", (0, 2**31 - 1), 0, "attack-seed", step=1, help="Same seed, same attack.")
        search = linked_switch(
            "Look for the smallest attack", True, "attack-search", help="By bisection on the radius; takes longer."
        )
warn_about_sigma(denoiser, sigma, classifier)
attack = AttackSettings(
    Settings(sigma, n=1_000, seed=int(seed), method="anytime"),
    norm=norm,
    climb=Climb(int(steps)),
    draws=int(draws),
    budget=3_000,
)
request = AttackRequest(
    classifier,
    denoiser,
    attack,
    radius=float(radius) or None,
    target=target,
    kind=kind,
    search=("base", "smoothed") if search else (),
)
picture, name = choice.picture.image, choice.picture.name
key = attack_key(picture, request)
ATTACKS.keep_only([key])
job = ATTACKS.find(key)


def start() -> None:
    """Start anew, or say in a sentence why not."""
    ATTACKS.forget(key)
    if begin(lambda: start_attack(picture, name, request)):
        st.rerun()


if job is None:
    with st.container(key="paired-attack"):
        st.image(picture, width=200, alt=f"The picture to attack: {name}.")
    if st.button("Attack", type="primary", icon=":material/bolt:"):
        start()
    st.caption("Certifies the picture first, then attacks; on two cores it takes about half a minute, and can be stopped.")


def draw(now: Job | None) -> None:
    """What is there."""
    if now is None:
        return
    ended = now.finished  # looked at once: it may end while this is drawn
    draw_job(now, draw_attacking, lambda study: draw_attacked(study, name))
    if ended and (now.state == "failed" or not now.result.complete) and st.button("Start over", icon=":material/refresh:"):
        start()


follow(draw, lambda: ATTACKS.find(key), every=0.5)
close_page()
