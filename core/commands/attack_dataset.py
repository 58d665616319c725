"""`attack --dataset`: certified against attacked radius over a data set, and violations counted."""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

from core.attacks.dataset import DatasetAttack, attack_dataset
from core.attacks.dataset_log import AttackedLine, AttackSummary, read_lines, summarise_attacks
from core.attacks.request import DATA_SET, AttackSettings, Climb
from core.commands.inputs import add_image_choice, check_image_choice, chosen_images, image_choice, load_models, model_choice
from core.commands.options import numbers_of
from core.commands.terminal import InterruptFlag, ProgressLine, print_json, remark
from core.device import pick_device
from core.errors import LabError
from core.report.notation import duration
from core.runs.resuming import begin_or_resume, beside


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """What only a data set takes."""
    many = parser.add_argument_group("a data set")
    add_image_choice(many, required=False, images=200)
    many.add_argument(
        "--fractions",
        default=",".join(f"{fraction:g}" for fraction in DatasetAttack.fractions),
        help="of the certified radius at which it is attacked (%(default)s)",
    )
    many.add_argument("--out", type=Path, metavar="FILE", help="one JSON line a picture; what made it goes to FILE.made.json")
    many.add_argument("--resume", action="store_true", help="go on with a file that the same command began")


def run_attack_dataset(args: argparse.Namespace) -> int:
    """Attack picture after picture; each line is on disk before the next begins. A summary at the end."""
    if args.out is None:
        raise LabError("--dataset needs --out FILE: the lines go there, one a picture.")
    fractions = numbers_of("--fractions", args.fractions, example="0.5,0.999")
    asked = DatasetAttack(attack_settings(args, DATA_SET), tuple(fractions))
    asked.check()
    check_image_choice(args)
    device = pick_device(args.device)
    classifier, denoiser = load_models(args)
    made_by = {**image_choice(args), **asked.to_dict(), "device": str(device), **model_choice(classifier, denoiser)}
    data = chosen_images(args)
    finished = _open(args.out, made_by, args.resume)
    finished = [line for line in finished if line.idx in set(data.indices.tolist())]
    progress, began, left = ProgressLine(), time.monotonic(), len(data) - len(finished)
    begun_with = len(finished)

    def on_pass(passes: int) -> None:
        new = len(finished) - begun_with
        rest = duration((time.monotonic() - began) / new * (left - new)) if new else "unknown time"
        violations = sum(line.violations for line in finished)
        progress.show(
            f"picture {len(finished) + 1} of {len(data)}: {passes:,} passes, {violations} violations so far, {rest} left"
        )

    with InterruptFlag() as interrupt, args.out.open("a", encoding="utf-8") as file:
        for line in attack_dataset(
            data,
            classifier,
            denoiser,
            asked,
            device=device,
            done=frozenset(line.idx for line in finished),
            on_pass=on_pass,
            should_stop=interrupt.is_set,
        ):
            file.write(line.text() + "\n")
            file.flush()
            finished.append(line)
        progress.clear()
    if interrupt.is_set():
        remark(f"stopped after {len(finished)} of {len(data)} pictures: --resume goes on.")
        if not finished:
            return 130
    summary = summarise_attacks(finished, asked.attack.settings.alpha)
    if args.json:
        print_json({"file": str(args.out), "made_by": made_by, "summary": summary.to_dict()})
    else:
        print(summary_text(summary, asked.attack.norm, asked.attack.settings.alpha))
    return 130 if interrupt.is_set() else 0


def attack_settings(args: argparse.Namespace, usual: AttackSettings) -> AttackSettings:
    """The numbers of an attack that the options say; where they do not, the usual ones."""

    def given(*names: str) -> dict[str, Any]:
        return {name: getattr(args, name) for name in names if getattr(args, name) is not None}

    return dataclasses.replace(
        usual,
        settings=dataclasses.replace(usual.settings, **given("sigma", "n0", "n", "alpha", "seed")),
        climb=Climb(**given("steps", "step_size", "restarts")),
        **given("norm", "draws", "n_predict", "tolerance", "budget"),
    )


def _open(path: Path, made_by: dict[str, Any], resume: bool) -> list[AttackedLine]:
    """Begin a file, or read what an earlier run finished."""
    there = begin_or_resume(path, beside(path), made_by, resume=resume, on_notice=remark)
    return read_lines(path) if there else []


def summary_text(summary: AttackSummary, norm: str, alpha: float) -> str:
    """A block: violations first, then radii."""
    s = summary
    mean = _number(s.mean_certified)
    return "\n".join(
        [
            f"{s.images} pictures, {s.certified} certified, mean {norm} radius {mean}",
            f"  violations      {s.violations} of {s.inside} attacks within the certified radius, on {s.violated} pictures;"
            f" {s.rechecked} borne out by ten times the votes",
            f"  by bad luck     at most {s.expected:.2g} pictures on average; more than {s.allowed} has a chance below 0.001"
            f" (alpha {alpha:g} for each certificate and each PREDICT)",
            f"  abstentions     {s.abstentions} of these attacks made PREDICT abstain; no other class was returned",
            f"  smoothed        smallest attack found: mean {_number(s.mean_smoothed)} on {s.found} of {s.certified} pictures,"
            f" median {_number(s.median_ratio)} times the certified radius; the budget ended {s.found - s.settled} of these"
            " searches early",
            f"  base alone      smallest attack found: mean {_number(s.mean_base)};"
            f" {s.base_inside} lie within the radius certified for the smoothed classifier",
            f"  smallest gap    {_number(s.smallest_gap)} between certificate and attack",
            f"  took            {duration(s.seconds)}",
        ]
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
