"""The exact chance that each rule says something false, beside what it may be.

python -m experiments.exact_oracles --help
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from core.commands.options import add_options
from core.commands.terminal import CommandParser, print_json, run_program
from experiments.exact_oracles.fixed import fixed_rows
from experiments.exact_oracles.grid_noise import grid_noise_rows
from experiments.exact_oracles.stopping import stopping_rows

ORACLES = {"fixed": fixed_rows, "stopping": stopping_rows, "grid-noise": grid_noise_rows}
ROUNDING = 1e-9


def build_parser() -> argparse.ArgumentParser:
    """What it can be asked."""
    parser = CommandParser(
        prog="python -m experiments.exact_oracles",
        description="Sum up exactly how often each bound, test and stopping rule errs, with arithmetic of its own.",
        allow_abbrev=False,
    )
    parser.add_argument("--full", action="store_true", help="larger n, more truths: minutes in place of seconds")
    parser.add_argument("--only", choices=ORACLES, help="one of the oracles alone")
    add_options(parser, "json")
    parser.set_defaults(run=run_oracles)
    return parser


def run_oracles(args: argparse.Namespace) -> int:
    """Print the table; exit code 1 where anything is above what is allowed."""
    began, rows = time.perf_counter(), []
    if not args.json:
        print("| rule | setting | found | allowed | ratio |\n|---|---|---|---|---|")
    for name, oracle in ORACLES.items():
        if args.only not in (None, name):
            continue
        for row in oracle(args.full):
            rows.append(row)
            if not args.json:
                print(f"| {row.rule} | {row.setting} | {row.found:.5g} | {row.allowed:.5g} | {row.ratio:.3f} |", flush=True)
    beyond = [row for row in rows if row.ratio > 1 + ROUNDING]
    if args.json:
        print_json({"rows": [asdict(row) | {"ratio": row.ratio} for row in rows], "beyond": len(beyond)})
    else:
        seconds = time.perf_counter() - began
        print(f"\n{len(rows)} questions in {seconds:.0f} s; {len(beyond)} answered with more than is allowed.")
    return 1 if beyond else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code, as :func:`core.commands.terminal.run_program`."""
    return run_program(build_parser, argv, "exact_oracles")


if __name__ == "__main__":
    sys.exit(main())
