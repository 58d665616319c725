"""Certified against attacked radius over a data set, and violations counted.

python -m experiments.attack_dataset --help
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

from core.attacks.request import AttackSettings
from core.commands.attack import add_attack_options, attack_settings
from core.commands.options import add_image_choice, add_options, numbers_of
from core.commands.terminal import CommandParser, run_program
from core.report.notation import duration
from core.smoothing.settings import Settings
from experiments.attack_dataset.attack import DatasetAttack, attack_dataset
from experiments.attack_dataset.lines import AttackedLine, AttackSummary, read_lines, summarise_attacks
from experiments.line_by_line import Pictures, add_lines_options, run_line_by_line

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
    add_lines_options(parser, required=True)
    add_options(parser, "device", "json")
    parser.set_defaults(run=run_attack_dataset, seed=0)  # tables of docs/ are to come out the same
    return parser


def run_attack_dataset(args: argparse.Namespace) -> int:
    """Attack picture after picture, and sum up."""
    asked = DatasetAttack(attack_settings(args), tuple(numbers_of("--fractions", args.fractions, example="0.5,0.999")))
    asked.check()
    norm, alpha = asked.attack.norm, asked.attack.settings.alpha

    def attacked(pictures: Pictures[AttackedLine]) -> Iterator[AttackedLine]:
        def on_pass(passes: int) -> None:
            violations = sum(line.violations for line in pictures.finished)
            pictures.show(f"; the next: {passes:,} passes; {violations} violations so far")

        return attack_dataset(
            pictures.data,
            pictures.classifier,
            pictures.denoiser,
            asked,
            device=pictures.device,
            done=pictures.done,
            on_pass=on_pass,
            should_stop=pictures.should_stop,
        )

    return run_line_by_line(
        args,
        asked.to_dict(),
        attacked,
        read=read_lines,
        summarise=lambda lines: summarise_attacks(lines, alpha),
        told=lambda summary: summary_text(summary, norm, alpha),
    )


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
    return run_program(build_parser, argv, "attack_dataset")


if __name__ == "__main__":
    sys.exit(main())
