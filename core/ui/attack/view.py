"""Drawing an attack study: the strip, the verdicts, the number line, what the radius means."""

import json

import streamlit as st
import torch

from core.attacks.records import Attacked, AttackProgress, AttackStudy, AttackVerdict
from core.figures.certificate import number_line, number_line_alt
from core.pictures.pixels import to_pixels
from core.pictures.reading import png_bytes
from core.plain_text import cells, plain
from core.report.notation import class_name, norm_name, radius_text
from core.smoothing.certificate import Certificate
from core.ui.attack.at_radius import PROSE, draw_at_radius
from core.ui.figure import draw_figure, enlarged, keyed_columns, offer_file, side_by_side, without_ending
from core.ui.jobs.follow import draw_stop, draw_waiting
from core.ui.jobs.job import Job


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
    """Pictures at exactly the certified radius, in several directions."""
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
