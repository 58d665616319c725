"""Certified against attacked radius over a data set, and violations counted.

python -m experiments.attack_dataset --help
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.attacks.request import AttackSettings
from core.commands.attack import add_attack_options, attack_settings
from core.commands.inputs import add_image_choice, check_image_choice, chosen_images, image_choice, load_models, model_choice
from core.commands.options import add_options, numbers_of
from core.commands.terminal import CommandParser, InterruptFlag, ProgressLine, print_json, remark, run_program
from core.device import pick_device
from core.report.notation import duration
from core.runs.resuming import begin_or_resume, beside
from core.smoothing.settings import Settings
from experiments.attack_dataset.attack import DatasetAttack, attack_dataset
from experiments.attack_dataset.lines import AttackSummary, read_lines, summarise_attacks

USUAL = AttackSettings(Settings(0.25, n=500), draws=8, n_predict=100, tolerance=0.1, budget=3_000)
"""The usual numbers for each picture."""


def build_parser() -> argparse.ArgumentParser:
    """What it can be asked."""
    parser = CommandParser(
        prog="python -m experiments.attack_dataset",
        description="Certify and attack each picture of a data set, and count attacks that succeed within a certificate.",
        allow_abbrev=False,
    )
    add_image_choice(parser, images=200)
    parser.add_argument(
        "--fractions",
        default=",".join(f"{fraction:g}" for fraction in DatasetAttack.fractions),
        help="of the certified radius at which it is attacked (%(default)s)",
    )
    add_attack_options(parser, USUAL)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="one JSON line a picture; what made it goes to FILE.made.json"
    )
    parser.add_argument("--resume", action="store_true", help="go on with a file that the same command began")
    add_options(parser, "device", "json")
    parser.set_defaults(run=run_attack_dataset, seed=0)  # tables of docs/ are to come out the same
    return parser


def run_attack_dataset(args: argparse.Namespace) -> int:
    """Attack picture after picture; each line is on disk before the next begins. A summary at the end."""
    fractions = numbers_of("--fractions", args.fractions, example="0.5,0.999")
    asked = DatasetAttack(attack_settings(args), tuple(fractions))
    asked.check()
    check_image_choice(args)
    device = pick_device(args.device)
    classifier, denoiser = load_models(args)
    made_by = {**image_choice(args), **asked.to_dict(), "device": str(device), **model_choice(classifier, denoiser)}
    data = chosen_images(args)
    there = begin_or_resume(args.out, beside(args.out), made_by, resume=args.resume, on_notice=remark)
    chosen = set(data.indices.tolist())
    finished = [line for line in read_lines(args.out) if line.idx in chosen] if there else []
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code, as :func:`core.commands.terminal.run_program`."""
    return run_program(build_parser, sys.argv[1:] if argv is None else argv, "attack_dataset")


if __name__ == "__main__":
    sys.exit(main())
