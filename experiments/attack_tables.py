"""Stored lines of attacked data sets as one table, in Markdown or JSON.

python -m experiments.attack_tables FILE ...
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.commands.options import add_options
from core.commands.terminal import CommandParser, print_json, run_program
from experiments.attack_dataset.lines import AttackSummary, read_lines, summarise_attacks
from experiments.line_by_line import markdown_table, models_of, read_beside

INSIDE = (
    "classifier + denoiser",
    "norm",
    "pictures",
    "certified",
    "violations",
    "allowed",
    "abstentions of PREDICT",
    "mean certified",
)
SEARCHED = (
    "attacked: pictures",
    "mean smallest attack",
    "attack / certified, median",
    "smallest gap",
    "base alone: mean smallest attack",
)
"""Columns for files with a search alone."""


def build_parser() -> argparse.ArgumentParser:
    """What it can be asked."""
    parser = CommandParser(
        prog="python -m experiments.attack_tables",
        description="Print a table of files that 'python -m experiments.attack_dataset ... --out FILE' wrote.",
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    add_options(parser, "json")
    parser.set_defaults(run=print_attack_tables)
    return parser


def print_attack_tables(args: argparse.Namespace) -> int:
    """Read each file and what made it, and print a row for each."""
    rows = []
    for path in args.files:
        made_by = read_beside(path, ("norm", "alpha", "classifier", "denoiser"))
        rows.append((str(path), made_by, summarise_attacks(read_lines(path), made_by["alpha"])))
    if args.json:
        print_json([{"file": path, "made_by": made_by, "summary": summary.to_dict()} for path, made_by, summary in rows])
    else:
        print(attack_table([(made_by, summary) for _, made_by, summary in rows]))
    return 0


def attack_table(rows: Sequence[tuple[dict[str, Any], AttackSummary]]) -> str:
    """One row a file: what made it, and its summary. Without what searches found where none was made."""
    searched = any(s.found or s.mean_base is not None for _, s in rows)
    head = INSIDE + SEARCHED if searched else INSIDE
    body = [_inside(made_by, s) + (_searched(s) if searched else ()) for made_by, s in rows]
    return markdown_table(head, body)


def _inside(made_by: dict[str, Any], s: AttackSummary) -> tuple[str, ...]:
    return (
        models_of(made_by),
        made_by["norm"],
        str(s.images),
        str(s.certified),
        f"{s.violations} of {s.inside}",
        str(s.allowed),
        str(s.abstentions),
        _number(s.mean_certified),
    )


def _searched(s: AttackSummary) -> tuple[str, ...]:
    return (
        f"{s.found} ({s.settled} to the end)",
        _number(s.mean_smoothed),
        _number(s.median_ratio),
        _number(s.smallest_gap),
        _number(s.mean_base),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code, as :func:`core.commands.terminal.run_program`."""
    return run_program(build_parser, argv, "attack_tables")


if __name__ == "__main__":
    sys.exit(main())
