"""An experiment that is asked nothing and prints one table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from core.commands.terminal import CommandParser, run_program


def print_table(name: str, description: str, table: Callable[[], str], argv: Sequence[str] | None) -> int:
    """Print what ``table`` gives, as ``python -m experiments.NAME``; returns the exit code."""

    def run(_: argparse.Namespace) -> int:
        sys.stdout.write(table())
        return 0

    def parser() -> argparse.ArgumentParser:
        made = CommandParser(prog=f"python -m experiments.{name}", description=description, allow_abbrev=False)
        made.set_defaults(run=run)
        return made

    return run_program(parser, argv, name)
