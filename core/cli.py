"""The command line: `python -m core VERB`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from core.commands.train import add_training_verbs
from core.errors import LabError


def build_parser() -> argparse.ArgumentParser:
    """The parser with all verbs."""
    parser = argparse.ArgumentParser(prog="python -m core", description="Denoised smoothing: certified image classification.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_training_verbs(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code: 0, or 2 for a user's mistake, told in one line on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = build_parser().parse_args(arguments)
    args.argv = arguments
    try:
        args.run(args)
    except LabError as error:
        print(f"{args.verb}: {error}", file=sys.stderr)
        return 2
    return 0
