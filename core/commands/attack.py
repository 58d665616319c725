"""`attack`: the other side of the bound, for one picture."""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.attacks.records import AttackProgress, AttackSearch, AttackStudy, AttackVerdict
from core.attacks.request import KINDS, NORMS, PICTURE, TARGETS, AttackRequest, AttackSettings, Climb
from core.attacks.study import attack_study
from core.commands.options import add_options, load_models, radius_option, read_picture_remarking, settings_of, writable_folder
from core.commands.terminal import InterruptFlag, ProgressLine, print_result, remark
from core.device import pick_device
from core.pictures.pixels import to_picture
from core.report.notation import class_name, duration, sigma_text
from core.smoothing.radius import floored


def add_attack_verb(verbs: Any) -> None:
    parser = verbs.add_parser("attack", help="attack a picture, and measure it against its certificate", allow_abbrev=False)
    add = parser.add_argument
    add("image", type=Path, metavar="PICTURE", help="PNG, JPEG or WebP")
    add_attack_options(parser, PICTURE)
    add("--radius", type=radius_option, help="of the change shown; by default 0.999 of the certified radius")
    add("--kind", default="gradient", help=f"of that change: {', '.join(KINDS)} (%(default)s)")
    add("--target", default="smoothed", help=f"whose gradient it climbs: {', '.join(TARGETS)} (%(default)s)")
    smallest = "whose smallest successful attack is looked for, with commas; none for no search (%(default)s)"
    add("--search", default="base,smoothed", metavar="TARGETS", help=smallest)
    add("--max-radius", type=radius_option, help="where the search gives up; by default half of the way to the farthest")
    add("--save", type=Path, metavar="DIR", help="folder for pictures and attack.npz with the exact pixels")
    add_options(parser, "device", "json")
    parser.set_defaults(run=run_attack)


def add_attack_options(parser: argparse.ArgumentParser, usual: AttackSettings) -> None:
    """The models, and the numbers of an attack with these defaults; :func:`attack_settings` reads them."""
    add_options(parser, "classifier", "denoiser", "sigma")
    add = parser.add_argument
    add("--norm", default=usual.norm, help=f"how a change is measured: {', '.join(NORMS)} (%(default)s)")
    add("--steps", type=int, default=usual.climb.steps, help="gradient steps of an attempt (%(default)s)")
    add("--step-size", type=float, help="length of a step as a share of the radius (2.5 / steps)")
    attempts = "attempts, all but the first from random points (%(default)s)"
    add("--restarts", type=int, default=usual.climb.restarts, help=attempts)
    add("--draws", type=int, default=usual.draws, help="fresh noise draws of each gradient (%(default)s)")
    samples = {"default": usual.settings.n, "help": "samples of the certificate (%(default)s)"}
    add_options(parser, "n", "n0", n=samples, n0={"help": "samples that choose its class (%(default)s)"})
    add("--n-predict", type=int, default=usual.n_predict, help="samples of each PREDICT that confirms (%(default)s)")
    add_options(parser, "alpha", "seed", alpha={"help": "chance that each answer may be wrong (%(default)s)"})
    add("--tolerance", type=float, default=usual.tolerance, help="of the search, as a share of what it finds (%(default)s)")
    limit = "no limit" if usual.budget is None else "%(default)s"
    add("--budget", type=int, default=usual.budget, help=f"passes through the networks that each search may take ({limit})")
    parser.set_defaults(method=usual.settings.method)


def attack_settings(args: argparse.Namespace) -> AttackSettings:
    named = {name: getattr(args, name) for name in ("norm", "draws", "n_predict", "tolerance", "budget")}
    settings = replace(settings_of(args), norm=None)  # --norm is that of the change
    return AttackSettings(settings, climb=Climb(args.steps, args.step_size, args.restarts), **named)


def run_attack(args: argparse.Namespace) -> int:
    request = _request(args)
    request.check()
    folder = None if args.save is None else writable_folder(args.save)
    device = pick_device(args.device)
    picture = read_picture_remarking(args.image)
    classifier, denoiser = load_models(args)
    line = ProgressLine()
    with InterruptFlag() as interrupt:
        show = partial(_show, line, picture.name)
        study = attack_study(
            picture.image, classifier, denoiser, request, device=device, report=show, should_stop=interrupt.is_set
        )
        line.clear()
        if interrupt.is_set():
            remark("stopped: what was found so far follows.")
    document = study.to_dict()
    if folder is not None:
        document["files"] = _save(study, folder)
    written = [f"  wrote {path}" for path in document.get("files", ())]
    print_result(args, document, study_lines(picture.name, study, classifier.labels) + written)
    return 130 if interrupt.is_set() else 0


def _request(args: argparse.Namespace) -> AttackRequest:
    search = () if args.search == "none" else tuple(part.strip() for part in args.search.split(","))
    named = {name: getattr(args, name) for name in ("radius", "target", "kind", "max_radius", "device")}
    return AttackRequest(args.classifier, args.denoiser, attack_settings(args), search=search, **named)


def _show(line: ProgressLine, name: str, now: AttackProgress) -> None:
    stage = now.stage if now.radius is None else f"{now.stage}, radius {now.radius:.4g}"
    line.show(f"{name}: {stage}, {now.done:,} of at most {now.total:,} passes, {duration(now.seconds_left)} left")


def _save(study: AttackStudy, folder: Path) -> list[str]:
    """The strip as PNG files, and the exact pixels: an 8-bit file rounds them, which moves the picture."""
    written = []
    arrays: dict[str, Any] = {}
    if study.attacked is not None:
        arrays["attacked"] = study.attacked.pixels
        for name, view in study.attacked.views.items():
            written.append(folder / f"{name}.png")
            view.picture.save(written[-1])
    for name, search in study.searches.items():
        if search.pixels is not None:
            import torch

            arrays[f"smallest_{name}"] = search.pixels
            written.append(folder / f"smallest-{name}.png")
            to_picture(torch.from_numpy(search.pixels)).save(written[-1])
    if arrays:
        written.append(folder / "attack.npz")
        with written[-1].open("wb") as file:
            np.savez(file, **arrays)
    return [str(path) for path in written]


WHO = {
    "smoothed": "smoothed classifier",
    "base": "base classifier alone",
    "denoised": "base classifier behind the denoiser, no noise",
}


def study_lines(name: str, study: AttackStudy, labels: tuple[str, ...] | None) -> list[str]:
    """A block: the number line first, then the change that was shown, then what none of this says."""
    a, c = study.request.attack, study.certificate
    if c.prediction is None:
        lines = [f"{name}: abstains, so nothing is certified; attacks are on the leading class."]
    else:
        lines = [
            f"{name}: {class_name(c.prediction, labels)}, certified within {a.norm} radius {floored(study.certified, '.4g')}"
        ]
    for target, search in study.searches.items():
        lines.append(f"  {_smallest(target, search)}")
    if study.gap is not None:
        lines.append(f"  gap between certificate and attack: {study.gap:.4g}")
    if study.attacked is not None:
        shown = study.attacked
        how = f"{shown.kind}, up the gradient of the {WHO[shown.target]}" if shown.kind == "gradient" else shown.kind
        lines.append(f"  change of {a.norm} size {shown.size:.4g} (at most {shown.radius:.4g} asked; {how})")
        for target, verdict in shown.verdicts.items():
            lines.append(f"    {WHO[target]}: {_verdict(shown.clean[target], labels)} -> {_verdict(verdict, labels)}")
    s = a.settings
    lines.append(
        f"  settings  sigma {sigma_text(s.sigma)}, alpha {s.alpha:g}, {a.climb.steps} steps, {a.draws} draws, seed {s.seed}"
    )
    lines.append(f"  took      {duration(study.seconds)}{'' if study.complete else ', not all of the search was done'}")
    if study.violation:
        lines += [
            "  VIOLATION a change within the certified radius made PREDICT return another class. Certificate and PREDICT may",
            f"            each be wrong with probability {s.alpha:g}: try another seed and more samples.",
        ]
    return [
        *lines,
        "  caveats   the smallest attack found is an upper bound: a smaller one may exist. Nothing within the certified",
        f"            radius can succeed, with probability at least 1 - {c.failure_probability:g}.",
    ]


def _smallest(target: str, search: AttackSearch) -> str:
    if search.radius is None:
        why = "" if search.settled else " (the search was cut short)"
        return f"{WHO[target]}: no attack up to {search.held:.4g} succeeded{why}"
    return f"{WHO[target]}: smallest successful attack found {search.radius:.4g} ({len(search.trials)} trials)"


def _verdict(verdict: AttackVerdict, labels: tuple[str, ...] | None) -> str:
    if verdict.prediction is None:
        return "abstains"
    return f"{class_name(verdict.prediction, labels)} ({dict(verdict.top)[verdict.prediction]:.0%})"
