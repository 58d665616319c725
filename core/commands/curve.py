"""`curve`: read certified accuracy off logs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from core.commands.log_files import norm_of
from core.commands.options import add_json_option
from core.errors import LabError
from core.evaluation.curve import summarise
from core.evaluation.log import read_log


def add_curve_verb(verbs: Any) -> None:
    """Add the verb to the parser's sub-commands."""
    parser = verbs.add_parser("curve", help="certified accuracy from logs", allow_abbrev=False)
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG")
    parser.add_argument("--radii", default="0.25,0.5,0.75,1.0", help="in [0, 1] pixel units (%(default)s)")
    add_json_option(parser)
    parser.set_defaults(run=run_curve)


def run_curve(args: argparse.Namespace) -> int:
    """Print certified accuracy of each log, and the best of them at each radius."""
    try:
        radii = sorted(float(part) for part in args.radii.split(","))
    except ValueError as error:
        raise LabError(f"--radii {args.radii!r} is no list of numbers: expected something like 0.25,0.5.") from error
    logs = []
    for path in args.logs:
        lines = read_log(path)
        if not lines:
            raise LabError(f"{str(path)!r} has no images yet.")
        logs.append((path, summarise(lines, radii)))
    sides = {path: norm_of(path) for path, _ in logs}
    if len(set(sides.values())) > 1:
        named = ", ".join(f"{path.name} {norm}" for path, norm in sides.items())
        raise LabError(f"The logs certify radii in different norms ({named}): give those of one norm.")
    envelope = {f"{r:g}": max(summary.certified[r] for _, summary in logs) for r in radii}
    if args.json:
        rows = [
            {
                "path": str(path), "norm": sides[path], "images": s.images, "clean": s.clean, "acr": s.acr,
                "abstained": s.abstained,
                "certified": {f"{r:g}": v for r, v in s.certified.items()},
                "interval": {f"{r:g}": v for r, v in s.interval.items()},
            }
            for path, s in logs
        ]  # fmt: skip
        print(json.dumps({"logs": rows, "envelope": envelope}, indent=2))
        return 0
    print("log\timages\tclean\tACR\tabstained\t" + "\t".join(f"r={r:g}" for r in radii))
    for path, s in logs:
        shares = "\t".join(f"{s.certified[r]:.1%}" for r in radii)
        print(f"{path}\t{s.images}\t{s.clean:.1%}\t{s.acr:.3f}\t{s.abstained:.1%}\t{shares}")
    if len(logs) > 1:
        print("best\t\t\t\t\t" + "\t".join(f"{envelope[f'{r:g}']:.1%}" for r in radii))
    return 0
