"""`evaluate`: certify a data set into a log."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import torch

from core.apis.providers import is_api
from core.commands import options
from core.commands.apis import add_api_options, run_evaluate_api
from core.commands.terminal import Countdown, remark
from core.data.classes import check_label_order, in_classes_of
from core.device import pick_device
from core.engines import EAGER
from core.errors import LabError
from core.evaluation.engines import ENGINES, Engine, EvaluationTask, make_engine
from core.report.notation import radius_text
from core.runs.resuming import LogFiles, put_in_order, seed_of
from core.smoothing.radius import OWN_NORM
from core.smoothing.settings import Settings
from core.smoothing.under_noise import settled


def add_evaluate_verb(verbs: Any) -> None:
    parser = verbs.add_parser("evaluate", help="certify a data set into a log", allow_abbrev=False)
    options.add_image_choice(parser)
    parser.add_argument("--out", type=Path, required=True, help="the log; what made it goes to the same name with .json")
    parser.add_argument("--resume", action="store_true", help="go on with a log that the same command began")
    bound = {"help": "clopper-pearson, or with --until-radius anytime"}
    networks = {"flag": "--network-engine"}  # --engine says who certifies
    of_models = ("classifier", "denoiser", "size", *options.SETTINGS, "device", "batch_size")
    options.add_options(parser, *of_models, method=bound, engine=networks)
    add = parser.add_argument
    add("--engine", dest="crew", choices=ENGINES, default="local", help="this machine's devices, or Ray (%(default)s)")
    add("--ray-address", metavar="HOST:PORT", help="of a running cluster, or auto; by default one is started on this machine")
    usual = "processes; by default one a CUDA device, else one; with Ray one a GPU, else one a CPU"
    add("--workers", type=int, metavar="N", help=usual)
    add_api_options(parser)
    parser.set_defaults(run=run_evaluate)


def run_evaluate(args: argparse.Namespace) -> int:
    """Certify image after image; each line is on disk before the next image begins."""
    if is_api(args.classifier):
        options.refuse_with_api(args)
        if args.crew != "local" or args.ray_address or args.workers:
            raise LabError("An API is asked from this process alone: leave --engine, --ray-address and --workers out.")
        return run_evaluate_api(args)
    options.check_image_choice(args)
    device = args.device
    if args.crew == "ray":
        args.device = "cpu"  # of this process, which loads the models and counts nothing
    pick_device(args.device)
    if args.resume and args.seed is None:
        args.seed = seed_of(args.out)
    settings = dataclasses.replace(options.settings_of(args), norm=args.norm or OWN_NORM[args.noise])
    settings.check()
    with make_engine(args.crew, ray_address=args.ray_address, workers=args.workers) as engine:
        return _evaluate(args, engine, settings, engine.device(device))


def _evaluate(args: argparse.Namespace, engine: Engine, settings: Settings, device: str) -> int:
    classifier, denoiser = options.load_models(args)
    data = options.chosen_images(args)
    side = args.noise_size
    size = None if side is None else (side, side)
    shape = tuple(data.images.shape[1:])
    if args.crew == "ray" and settings.engine == "auto":
        settings = dataclasses.replace(settings, engine=EAGER)  # what the nodes have is not known here
    settings = settled(settings, classifier, denoiser, device=args.device, shape=shape, on_notice=remark)
    made_by = {**options.image_choice(args), "images": len(data), **settings.document(), "device": device}
    made_by |= options.model_choice(classifier, denoiser)
    data = in_classes_of(classifier, data)  # before the log is begun: nothing is left behind where they do not fit
    files = LogFiles(args.out, made_by, args.resume, remark)
    foreign = not classifier.ref.startswith("bundled/") and classifier.input_size == shape[1:]
    if foreign and (warning := check_label_order(classifier, data.first(400))):
        remark(warning)
    left = data.where(torch.tensor([index not in files.done for index in data.indices.tolist()]))
    task = EvaluationTask(left, classifier, denoiser, settings, device=device, size=size)
    countdown = Countdown(len(left))
    with files:
        for line, votes in engine.run(task, on_notice=remark):
            files.add(line, votes)
            countdown.tell(f"image {line.idx}  radius {radius_text(line.radius)}")
    put_in_order(args.out, data.indices.tolist())
    remark(f"Wrote {args.out}: read it with 'python -m core curve {args.out}'.")
    return 0
