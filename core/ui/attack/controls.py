"""What an attack is asked on its page, all of it part of the link, and starting it."""

from dataclasses import replace

import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from core.attacks.records import AttackStudy
from core.attacks.request import NORMS, PICTURE, AttackRequest, Climb
from core.attacks.study import attack_study
from core.device import pick_device
from core.report.notation import norm_name
from core.ui.attack.at_radius import PROSE
from core.ui.jobs.job import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs, models, picture_key
from core.ui.linked import (
    choose_seed,
    choose_sigma,
    drawn_seed,
    link_seed,
    linked_choice,
    linked_number,
    linked_slider,
    linked_switch,
)
from core.ui.models import warn_about_sigma

ATTACKS = SessionJobs("attacks")


def choose_attack(column: DeltaGenerator, classifier: str, denoiser: str, picture: Image.Image) -> AttackRequest:
    """What is done to a picture: sigma, norm and size of the change in a column; the rest folded away below."""
    with column:
        sigma = choose_sigma()
        norm = linked_choice("Norm of the change", {name: norm_name(name) for name in NORMS}, "l2", "norm")
        most, step = {"l2": (4.0, 0.05), "linf": (0.25, 0.005), "l1": (40.0, 0.5)}[norm]
        key, help = f"attack-radius-{norm}", "0: just inside the certified radius."
        radius = linked_slider("Size of the change shown", (0.0, most), 0.0, key, step=step, help=help)
    with st.expander("Attack, steps, draws, search", icon=":material/tune:"):
        first, second, third = st.columns(3)
        with first:
            kind = linked_choice("Kind of change", PROSE["kinds"], "gradient", "attack")
            gradients = {name: PROSE["targets"][name] for name in ("smoothed", "base")}
            target = linked_choice("Gradient of", gradients, "smoothed", "target")
        with second:
            steps = linked_number("gradient steps", (1, 200), 20, "attack-steps", step=1)
            draws = linked_number("noise draws a step", (1, 256), 16, "attack-draws", step=1, help="Drawn anew at every step.")
        with third:
            seed = choose_seed("attack-seed")
            help = "By bisection on the radius; takes longer."
            search = linked_switch("Look for the smallest attack", True, "attack-search", help=help)
    warn_about_sigma(denoiser, sigma, classifier)
    settings = replace(PICTURE.settings, sigma=sigma)
    request = AttackRequest(
        classifier=classifier,
        denoiser=denoiser,
        attack=replace(PICTURE, settings=settings, norm=norm, climb=Climb(steps), draws=draws, budget=3_000),
        radius=radius or None,
        target=target,
        kind=kind,
        search=("base", "smoothed") if search else (),
    )
    used = drawn_seed(picture_key(picture), request) if seed is None else seed
    link_seed(used, "attack-seed")
    return replace(request, attack=replace(request.attack, settings=replace(settings, seed=used)))


def attack_key(picture: Image.Image, request: AttackRequest) -> Key:
    """Names an attack: the picture's bytes and every number."""
    return ("attack", picture_key(picture), request)


def start_attack(picture: Image.Image, name: str, request: AttackRequest) -> Job:
    """Queue an attack study. Raises LabError where a number is out of range or the queue is full."""
    request.check()
    cache, device = models(), pick_device(request.device)

    def work(context: JobContext) -> AttackStudy:
        tell, stop = context.report, context.should_stop
        with context.aside():  # a download may take minutes
            classifier = cache.classifier(request.classifier, device, on_progress=tell, should_stop=stop)
            denoiser = cache.denoiser(request.denoiser, device, on_progress=tell, should_stop=stop)
        return attack_study(picture, classifier, denoiser, request, device=device, report=tell, should_stop=stop)

    return ATTACKS.start(attack_key(picture, request), f"Attack {name}", work)
