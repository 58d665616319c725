"""`evaluate` and `curve`: certify a data set into a log, and read certified accuracy off logs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

from core.apis.providers import is_api
from core.commands.certify_api import add_api_options
from core.commands.downloading import fetched_dataset
from core.commands.options import (
    add_json_option,
    add_noise_options,
    add_radius_options,
    add_sampling_options,
    default_method,
    load_models,
    refuse_with_api,
)
from core.commands.resuming import begin_or_resume
from core.commands.terminal import remark
from core.device import pick_device
from core.errors import LabError
from core.evaluation.curve import summarise
from core.evaluation.datasets import LabelledImages
from core.evaluation.evaluate import Settings, evaluate
from core.evaluation.log import HEADER, read_log
from core.models.formats.label_check import check_label_order
from core.models.load import Classifier
from core.models.records import model_record
from core.smoothing.bounds import METHODS
from core.smoothing.certify import check_certify_settings
from core.smoothing.radius import OWN_NORM


def add_evaluation_verbs(verbs: Any) -> None:
    """Add both verbs to the parser's sub-commands."""
    parser = verbs.add_parser("evaluate", help="certify a data set into a log", allow_abbrev=False)
    parser.add_argument("--dataset", required=True, help="shapes, hub/OWNER/NAME, parquet/PATH or folder/PATH")
    parser.add_argument("--split", default="test")
    parser.add_argument("--start", type=int, default=0, help="least image number (%(default)s)")
    parser.add_argument("--stop", type=int, help="image number to stop before; by default all")
    parser.add_argument("--every", type=int, default=1, help="only numbers divisible by this (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the log; what made it goes to the same name with .json")
    parser.add_argument("--resume", action="store_true", help="go on with a log that the same command began")
    add_sampling_options(parser, n=10_000, n_help="fresh samples that count the class")
    parser.add_argument("--n0", type=int, default=100, help="samples that choose the class (%(default)s)")
    parser.add_argument("--method", choices=METHODS, help="clopper-pearson, or with --until-radius anytime")
    add_noise_options(parser)
    add_radius_options(parser)
    add_api_options(parser)
    parser.set_defaults(run=run_evaluate)

    parser = verbs.add_parser("curve", help="certified accuracy from logs", allow_abbrev=False)
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG")
    parser.add_argument("--radii", default="0.25,0.5,0.75,1.0", help="in [0, 1] pixel units (%(default)s)")
    add_json_option(parser)
    parser.set_defaults(run=run_curve)


def run_evaluate(args: argparse.Namespace) -> int:
    """Certify image after image; each line is on disk before the next image begins."""
    args.method = args.method or default_method(args)
    if is_api(args.classifier):
        refuse_with_api(args, settles=False)
        from core.commands.evaluate_api import run_evaluate_api

        return run_evaluate_api(args)
    settings = Settings(
        args.sigma, args.n0, args.n, args.alpha, args.seed, args.method, str(pick_device(args.device)), args.noise,
        args.norm or OWN_NORM[args.noise], args.sound, args.two_sided, args.until_radius,
    )  # fmt: skip
    numbers = dataclasses.asdict(settings)
    del numbers["device"]
    check_certify_settings(**numbers)
    if args.every < 1:
        raise LabError(f"--every is {args.every}: expected at least 1.")
    classifier, denoiser = load_models(args)
    made_by = {
        "dataset": args.dataset, "split": args.split, "start": args.start, "stop": args.stop, "every": args.every,
        **dataclasses.asdict(settings),
        "classifier": dataclasses.asdict(model_record(classifier)), "denoiser": dataclasses.asdict(model_record(denoiser)),
    }  # fmt: skip
    done = open_log(args.out, made_by, args.resume)
    data = selected(fetched_dataset(args.dataset, args.split), args)
    _remark_on_labels(classifier, data)
    began, finished = time.monotonic(), 0
    left = len(data) - len(done)
    with args.out.open("a", encoding="utf-8") as log:
        for line in evaluate(data, classifier, denoiser, settings, done=done):
            log.write(line.text() + "\n")
            log.flush()
            finished += 1
            minutes = (time.monotonic() - began) / finished * (left - finished) / 60
            print(
                f"{finished}/{left}  image {line.idx}  radius {line.radius:.3f}  {minutes:.1f} min left",
                file=sys.stderr, flush=True,
            )  # fmt: skip
    remark(f"Wrote {args.out}: read it with 'python -m core curve {args.out}'.")
    return 0


def _remark_on_labels(classifier: Classifier, data: LabelledImages) -> None:
    """Say where the labels of a classifier seem to stand in another order than the data set's."""
    if classifier.ref.startswith("bundled/") or classifier.input_size != tuple(data.images.shape[2:]):
        return
    some = LabelledImages(data.images[:400], data.labels[:400], data.indices[:400], data.names)
    warning = check_label_order(classifier, some)
    if warning is not None:
        remark(warning)


def selected(data: LabelledImages, args: argparse.Namespace) -> LabelledImages:
    """The images that --start, --stop and --every let through."""
    numbers = data.indices
    keep = (numbers >= args.start) & (numbers % args.every == 0)
    if args.stop is not None:
        keep &= numbers < args.stop
    if not bool(keep.any()):
        raise LabError(f"No image of {args.dataset} has a number that --start, --stop and --every let through.")
    return LabelledImages(data.images[keep], data.labels[keep], data.indices[keep], data.names)


_BEFORE_THERE_WAS_A_CHOICE = {
    "noise": "gaussian", "norm": "l2", "sound": False, "two_sided": False, "until_radius": None,
}  # fmt: skip
"""What a log was made with whose side file does not say."""


def open_log(path: Path, made_by: dict[str, Any], resume: bool) -> frozenset[int]:
    """Begin a log, or read which images an earlier run finished."""
    there = begin_or_resume(
        path, path.with_suffix(".json"), made_by, resume=resume, head="\t".join(HEADER) + "\n",
        before=_BEFORE_THERE_WAS_A_CHOICE,
    )  # fmt: skip
    return frozenset(line.idx for line in read_log(path)) if there else frozenset()


def norm_of(log: Path) -> str:
    """The norm of a log's radii: what the side file beside it says; else l2, as in all logs of the field.

    Raises:
        LabError: where the side file cannot be read.
    """
    side = log.with_suffix(".json")
    if not side.exists():
        return "l2"
    try:
        made_by = json.loads(side.read_text(encoding="utf-8"))
        return str(made_by.get("norm", "l2"))
    except (OSError, ValueError, AttributeError) as error:
        raise LabError(f"{str(side)!r}, which says how {log.name} was made, cannot be read ({error}).") from error


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
