"""What ending early saves, on the very same noisy copies as a fixed n.

python -m experiments.replay --help
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.commands.options import (
    FIXED_SEED,
    add_image_choice,
    add_options,
    check_image_choice,
    chosen_images,
    load_models,
    model_choice,
)
from core.commands.terminal import CommandParser, Countdown, print_json, remark, run_program
from core.device import pick_device
from core.errors import LabError
from core.runs.resuming import begin_or_resume
from core.smoothing.settings import Settings
from experiments.line_by_line import read_beside
from experiments.replay.savings import Saving, read_votes_at_looks, sample_at_looks, saving

SHAPE = (3, 32, 32)
"""Of pictures; in l2, Gaussian noise's own norm, it plays no part."""


def build_parser() -> argparse.ArgumentParser:
    """What it can be asked."""
    parser = CommandParser(
        prog="python -m experiments.replay",
        description="Measure what ending early saves, on the same noisy copies as a fixed n.",
        allow_abbrev=False,
    )
    add_image_choice(parser, required=False)
    parser.add_argument("--out", type=Path, metavar="FILE", help="file of votes, one line an image")
    parser.add_argument("--resume", action="store_true", help="go on with a file that the same command began")
    parser.add_argument(
        "--summary", type=Path, metavar="FILE", help="sample nothing: replay such a file, with its sigma, n0 and n"
    )
    add_options(parser, "classifier", "denoiser", "size", "sigma", "n0", "n", "alpha", "seed", seed=FIXED_SEED)
    add_options(parser, "table_radii", table_radii={"default": (0.25, 0.5, 0.75), "help": "(0.25,0.5,0.75)"})
    add_options(parser, "within", within={"default": 0.05, "help": "(%(default)s)"})
    add_options(parser, "device", "batch_size", "json")
    parser.set_defaults(run=run_replay)
    return parser


def run_replay(args: argparse.Namespace) -> int:
    """Sample what is not sampled yet, then replay everything; or replay what lies there."""
    path: Path = args.out or args.summary
    if args.summary is not None:
        if args.dataset or args.out:
            raise LabError("--summary reads a file that is there: leave --dataset and --out away.")
        asked = ("sigma", "n0", "n")
        made = read_beside(path, asked, side=path.with_suffix(".json"))
        vars(args).update({name: made[name] for name in asked})
    elif not (args.dataset and args.out):
        raise LabError("expected --dataset and --out FILE, where the votes go; or --summary FILE for what lies there.")
    check_image_choice(args)
    rules = _rules(args)
    if args.summary is None:
        _sample(args, device=str(pick_device(args.device)))
    runs = read_votes_at_looks(path)
    savings = [saving(runs, rule, asked, radii=args.table_radii, shape=SHAPE) for rule, asked in rules.items()]
    if args.json:
        print_json({"images": len(runs), "n": args.n, "n0": args.n0, "rules": [found.to_dict() for found in savings]})
    else:
        print(f"{len(runs)} images, sigma {args.sigma:g}, against a fixed n of {args.n:,}")
        for one in savings:
            print(_text(one))
    return 0


def _fixed(args: argparse.Namespace) -> Settings:
    return Settings(sigma=args.sigma, n0=args.n0, n=args.n, alpha=args.alpha, seed=args.seed, norm="l2")


def _rules(args: argparse.Namespace) -> dict[str, Settings]:
    settings, table = _fixed(args), tuple(args.table_radii)
    in_table = replace(settings, method="group-sequential", table_radii=table)
    anytime = replace(settings, method="anytime", within=args.within)
    for asked in (settings, in_table, anytime):
        asked.check()
    return {
        **{f"until radius {radius:g}": replace(anytime, within=None, until_radius=radius) for radius in table if radius > 0},
        **{f"table radius {radius:g} alone": replace(in_table, table_radii=(radius,)) for radius in table},
        "table radii together": in_table,
        f"within {args.within:g}": anytime,
    }


def _sample(args: argparse.Namespace, device: str) -> None:
    classifier, denoiser = load_models(args)
    made_by = {
        **{name: getattr(args, name) for name in ("dataset", "split", "sigma", "n0", "n", "seed")},
        "device": device,
        **model_choice(classifier, denoiser),
    }
    there = begin_or_resume(args.out, args.out.with_suffix(".json"), made_by, resume=args.resume, on_notice=remark)
    done = {run.idx for run in read_votes_at_looks(args.out)} if there else set()
    data = chosen_images(args)
    countdown = Countdown(sum(index not in done for index in data.indices.tolist()))
    with args.out.open("a", encoding="utf-8") as file:
        for image, label, index in zip(data.images, data.labels.tolist(), data.indices.tolist(), strict=True):
            if index in done:
                continue
            found = sample_at_looks(image, classifier, denoiser, _fixed(args), label=label, index=index, device=device)
            file.write(found.to_line() + "\n")
            file.flush()
            countdown.tell(f"image {index}")


def _text(found: Saving) -> str:
    shares = ", ".join(
        f"{radius:g}: {found.certified[radius]:.3f} against {found.fixed[radius]:.3f}" for radius in found.certified
    )
    return f"  {found.rule}: {found.passes:,.0f} passes an image ({found.part:.1%}); certified {shares}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code, as :func:`core.commands.terminal.run_program`."""
    return run_program(build_parser, argv, "replay")


if __name__ == "__main__":
    sys.exit(main())
