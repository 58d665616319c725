"""The same pictures in float and exact noise, other noises, a fixed n and until a radius is settled.

python -m experiments.compare_modes --help
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.commands.options import FIXED_SEED, add_image_choice, add_options, numbers_of, settings_of
from core.commands.terminal import CommandParser, print_json, run_program
from core.errors import LabError
from core.smoothing.settings import Settings
from experiments.compare_modes.records import ModesLine, read_modes
from experiments.compare_modes.run import ModesSettings, compare_modes
from experiments.compare_modes.summary import summarise_modes
from experiments.compare_modes.text import modes_table, modes_text
from experiments.line_by_line import Pictures, add_lines_options, read_beside, run_line_by_line

DEFAULTS = ModesSettings(Settings(0.25, n=1_000))


def build_parser() -> argparse.ArgumentParser:
    """What it can be asked."""
    parser = CommandParser(
        prog="python -m experiments.compare_modes",
        description="Certify the same pictures in every mode, and compare radii, samples and time.",
        allow_abbrev=False,
    )
    add_image_choice(parser, required=False, images=50)
    add_options(parser, "classifier", "denoiser", "sigma")
    add_options(
        parser, "n0", "n", n={"default": DEFAULTS.settings.n, "help": "samples that count it, in each mode (%(default)s)"}
    )
    add_options(parser, "alpha", alpha={"help": "chance that each may be wrong (%(default)s)"})
    parser.add_argument(
        "--noises", default=",".join(DEFAULTS.noises), help="beside the Gaussian, with commas, or none (%(default)s)"
    )
    parser.add_argument(
        "--until",
        default=",".join(f"{radius:g}" for radius in DEFAULTS.until),
        metavar="RADII",
        help="l2 radii to settle, with commas, or none (%(default)s)",
    )
    parser.add_argument("--until-n", type=int, default=DEFAULTS.until_n, help="the most samples for each (%(default)s)")
    add_options(parser, "seed", "device", "json", seed=FIXED_SEED)
    add_lines_options(parser, required=False)
    parser.add_argument(
        "--summary", nargs="+", type=Path, metavar="FILE", help="certify nothing: print the tables of such files, in Markdown"
    )
    parser.set_defaults(run=run_compare_modes)
    return parser


def run_compare_modes(args: argparse.Namespace) -> int:
    """Certify picture after picture and sum up; or sum up what lies there."""
    if args.summary is not None:
        return _print_tables(args)
    if args.dataset is None or args.out is None:
        raise LabError("expected --dataset and --out FILE, where the lines go; or --summary FILE for what lies there.")
    settings = _settings(args)
    settings.check()

    def compared(p: Pictures[ModesLine]) -> Iterator[ModesLine]:
        device, done = str(p.device), p.done
        return compare_modes(p.data, p.classifier, p.denoiser, settings, device=device, done=done, should_stop=p.should_stop)

    return run_line_by_line(
        args,
        settings.to_dict(),
        compared,
        read=read_modes,
        summarise=lambda lines: summarise_modes(lines, sigma=args.sigma, alpha=args.alpha),
        told=modes_text,
    )


def _print_tables(args: argparse.Namespace) -> int:
    if args.dataset is not None or args.out is not None:
        raise LabError("--summary reads files that are there: leave --dataset and --out away.")
    rows = []
    for path in args.summary:
        made_by = read_beside(path, ("sigma", "alpha", "classifier", "denoiser"))
        rows.append((path, made_by, summarise_modes(read_modes(path), sigma=made_by["sigma"], alpha=made_by["alpha"])))
    if args.json:
        print_json([{"file": str(path), "made_by": made_by, "summary": s.to_dict()} for path, made_by, s in rows])
    else:
        print(modes_table([(made_by, summary) for _, made_by, summary in rows]))
    return 0


def _settings(args: argparse.Namespace) -> ModesSettings:
    noises = () if args.noises == "none" else tuple(part.strip() for part in args.noises.split(","))
    how = {"what": "radii", "example": "0.25,0.5, or none"}
    until = () if args.until == "none" else tuple(numbers_of("--until", args.until, **how))
    return ModesSettings(settings_of(args), noises, until, args.until_n)


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code, as :func:`core.commands.terminal.run_program`."""
    return run_program(build_parser, argv, "compare_modes")


if __name__ == "__main__":
    sys.exit(main())
