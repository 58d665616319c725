"""An attack on its page: what is asked, all of it part of the link, started, drawn under way and when it has ended."""

import json
from dataclasses import replace

import streamlit as st
import torch
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from core.attacks.records import Attacked, AttackProgress, AttackStudy, AttackVerdict
from core.attacks.request import NORMS, PICTURE, AttackRequest, Climb
from core.attacks.study import attack_study
from core.device import pick_device
from core.figures.certificate import number_line, number_line_alt
from core.pictures.pixels import to_pixels
from core.pictures.reading import png_bytes
from core.plain_text import cells, plain
from core.report.notation import class_name, norm_name, radius_text
from core.smoothing.certificate import Certificate
from core.ui.attack.at_radius import PROSE, draw_at_radius
from core.ui.figure import draw_figure, enlarged, keyed_columns, offer_file, side_by_side, without_ending
from core.ui.jobs.follow import draw_stop, draw_waiting
from core.ui.jobs.job import Job, JobContext
from core.ui.jobs.session import SessionJobs, models, picture_key, work_key
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

    return ATTACKS.start(work_key(picture, request), f"Attack {name}", work)


def draw_attacking(job: Job) -> None:
    """Progress, time left, Stop, and what is there already."""
    progress = job.progress
    if not isinstance(progress, AttackProgress):
        draw_waiting(job)
    else:
        left = f" · at most {progress.seconds_left:.0f} s left" if progress.seconds > 0.5 else ""
        trial = f", trying {progress.radius:.3f}" if progress.radius is not None else ""
        st.progress(
            min(1.0, progress.done / max(1, progress.total)),
            text=f"{PROSE['stages'].get(progress.stage, progress.stage)}{trial}{left}",
        )
    draw_stop(job, "Keeps what is there so far.")
    if isinstance(progress, AttackProgress) and progress.study is not None:
        draw_attack_study(progress.study, "attack", f"live-{job.id}", finished=False)


def draw_attacked(study: AttackStudy, picture_name: str) -> None:
    """A study that ended, and whether it was done whole."""
    if not study.complete:
        st.info(PROSE["incomplete"], icon=":material/hourglass_bottom:")
    draw_attack_study(study, picture_name, "attack")


def draw_attack_study(study: AttackStudy, picture_name: str, key: str, *, finished: bool = True) -> None:
    """What there is of a study."""
    c, norm = study.certificate, norm_name(study.request.attack.norm)
    name = class_name(c.candidate, c.labels)
    smoothed, base = study.searches.get("smoothed"), study.searches.get("base")
    first, second, third, fourth = keyed_columns(f"paired-{key}", [1.1, 1, 1.1, 1.3])
    first.metric("Smoothed classifier says", "abstains" if c.abstained else plain(name))
    second.metric(
        f"Certified radius ({norm})", radius_text(study.certified), help="No change shorter than this can alter the answer."
    )
    unknown = "not searched" if finished else "…"
    found = [
        unknown if search is None else "not found" if search.radius is None else f"{search.radius:.3f}"
        for search in (base, smoothed)
    ]
    third.metric("Base classifier falls at", found[0], help="Smallest attack found.")
    fourth.metric("Smoothed classifier falls at", found[1], help="Smallest found.")
    if study.violation:
        st.warning(PROSE["violation"].format(c=c), icon=":material/priority_high:")
    falls = (None if smoothed is None else smoothed.radius, None if base is None else base.radius)
    line = study.certified, *falls, study.request.attack.norm
    shown = None if study.attacked is None else study.attacked.size
    draw_figure(number_line(*line, shown), f"line-{key}", number_line_alt(*line), "certified-and-attacked")
    if study.gap is not None and study.certified > 0:
        reached = study.certified + study.gap
        st.caption(PROSE["gap"].format(certified=radius_text(study.certified), reached=reached))
    if study.attacked is not None:
        _draw_strip(study.attacked, c, key)
        _draw_verdicts(study.attacked, c)
    if finished:
        _draw_at_radius(study, key)
        _draw_downloads(study, picture_name, key)


def _draw_strip(attacked: Attacked, certificate: Certificate, key: str) -> None:
    titles = {
        "original": "Original",
        "change": f"The change, {attacked.gain:,.0f} times",
        "attacked": "Changed",
        "noisy": "With noise",
        "denoised": "Denoised",
    }
    shown = {name: view for name, view in attacked.views.items() if name in titles}
    for column, (name, view) in zip(keyed_columns(f"abreast-{key}", len(shown)), shown.items(), strict=True):
        index, share = view.top[0] if view.top else (None, 0.0)
        says = f"classifier alone: {class_name(index, certificate.labels)} {share:.0%}" if view.top else ""
        column.image(enlarged(view.picture), width="stretch", alt=f"{titles[name]}. {says}")
        column.markdown(f"**{titles[name]}**  \n{plain(says)}")
    st.caption(PROSE["sizes"].format(sizes=", ".join(f"{norm_name(norm)} {size:.3f}" for norm, size in attacked.sizes.items())))


def _draw_verdicts(attacked: Attacked, certificate: Certificate) -> None:
    def says(verdict: AttackVerdict) -> str:
        if verdict.prediction is None:
            return "abstains"
        share = "votes" if verdict.target == "smoothed" else "softmax"
        best = dict(verdict.top).get(verdict.prediction, 0.0)
        return f"{class_name(verdict.prediction, certificate.labels)} ({best:.0%} of {share})"

    rows = [
        {
            "": PROSE["targets"][target],
            "of the original": says(attacked.clean[target]),
            "of the changed picture": says(verdict),
            "outcome": "not decided" if verdict.outcome == "stopped" else verdict.outcome,
        }
        for target, verdict in attacked.verdicts.items()
    ]
    st.dataframe(cells(rows), hide_index=True, width="stretch")


def _draw_at_radius(study: AttackStudy, key: str) -> None:
    if study.certified <= 0 or study.attacked is None:
        return
    image, attack = to_pixels(study.attacked.views["original"].picture), study.request.attack
    change = torch.from_numpy(study.attacked.pixels) - image
    draw_at_radius(image, study.certified, attack.norm, key, seed=attack.settings.seed, change=change)


def _draw_downloads(study: AttackStudy, picture_name: str, key: str) -> None:
    stem = without_ending(picture_name)
    with st.container(horizontal=True):
        offer_file("JSON", json.dumps(study.to_dict(), indent=2) + "\n", f"{stem}-attack.json", f"json-{key}")
        if study.attacked is not None:
            strip = side_by_side([enlarged(view.picture) for view in study.attacked.views.values()], 8, "white")
            offer_file("Strip (PNG)", png_bytes(strip), f"{stem}-attack.png", f"png-{key}")
