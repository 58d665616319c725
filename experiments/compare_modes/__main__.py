"""The same pictures in float and exact noise, other noises, a fixed n and until a radius is settled.

python -m experiments.compare_modes --help
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from core.commands.inputs import add_image_choice, check_image_choice, chosen_images, image_choice, load_models, model_choice
from core.commands.options import FIXED_SEED, add_options, numbers_of, settings_of
from core.commands.terminal import CommandParser, InterruptFlag, ProgressLine, print_json, remark, run_program
from core.device import pick_device
from core.errors import LabError
from core.report.notation import duration
from core.runs.resuming import begin_or_resume, beside, read_beside
from core.smoothing.settings import Settings
from experiments.compare_modes.records import read_modes
from experiments.compare_modes.run import ModesSettings, compare_modes
from experiments.compare_modes.summary import summarise_modes
from experiments.compare_modes.text import modes_table, modes_text

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
    parser.add_argument("--out", type=Path, metavar="FILE", help="one JSON line a picture; what made it goes to FILE.made.json")
    parser.add_argument("--resume", action="store_true", help="go on with a file that the same command began")
    parser.add_argument(
        "--summary", nargs="+", type=Path, metavar="FILE", help="certify nothing: print the tables of such files, in Markdown"
    )
    parser.set_defaults(run=run_compare_modes)
    return parser


def run_compare_modes(args: argparse.Namespace) -> int:
    """Certify picture after picture, each line on disk before the next begins, and sum up; or sum up what lies there."""
    if args.summary is not None:
        return _print_tables(args)
    if args.dataset is None or args.out is None:
        raise LabError("expected --dataset and --out FILE, where the lines go; or --summary FILE for what lies there.")
    settings = _settings(args)
    settings.check()
    check_image_choice(args)
    device = str(pick_device(args.device))
    classifier, denoiser = load_models(args)
    made_by = {**image_choice(args), **settings.to_dict(), "device": device, **model_choice(classifier, denoiser)}
    data = chosen_images(args)
    there = begin_or_resume(args.out, beside(args.out), made_by, resume=args.resume, on_notice=remark)
    chosen = set(data.indices.tolist())
    finished = [line for line in read_modes(args.out) if line.idx in chosen] if there else []
    progress, began, begun_with = ProgressLine(), time.monotonic(), len(finished)
    with InterruptFlag() as interrupt, args.out.open("a", encoding="utf-8") as file:
        for line in compare_modes(
            data,
            classifier,
            denoiser,
            settings,
            device=device,
            done=frozenset(line.idx for line in finished),
            should_stop=interrupt.is_set,
        ):
            file.write(line.text() + "\n")
            file.flush()
            finished.append(line)
            each = (time.monotonic() - began) / (len(finished) - begun_with)
            progress.show(f"{len(finished)} of {len(data)} pictures, {duration(each * (len(data) - len(finished)))} left")
        progress.clear()
    if interrupt.is_set():
        remark(f"stopped after {len(finished)} of {len(data)} pictures: --resume goes on.")
        if not finished:
            return 130
    summary = summarise_modes(finished, sigma=args.sigma, alpha=args.alpha)
    if args.json:
        print_json({"file": str(args.out), "made_by": made_by, "summary": summary.to_dict()})
    else:
        print(modes_text(summary))
    return 130 if interrupt.is_set() else 0


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
    return run_program(build_parser, sys.argv[1:] if argv is None else argv, "compare_modes")


if __name__ == "__main__":
    sys.exit(main())
