"""`predict`: the smoothed classifier's class for each picture, without a radius."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from core.commands.inputs import load_models
from core.commands.options import add_options, settings_of
from core.commands.results import prediction_text, run_over_pictures
from core.smoothing.certify import predict_picture


def add_predict_verb(verbs: Any) -> None:
    """Add the verb to the parser's sub-commands."""
    parser = verbs.add_parser("predict", help="predict with the smoothed classifier, without a radius", allow_abbrev=False)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG or WebP")
    asked = ("sigma", "n", "alpha", "seed", "noise", "sound")
    add_options(parser, "classifier", "denoiser", "size", *asked, n={"default": 1_000, "help": "samples (%(default)s)"})
    add_options(parser, "device", "batch_size", "json")
    parser.set_defaults(run=run_predict)


def run_predict(args: argparse.Namespace) -> int:
    """Predict and print."""
    settings = settings_of(args)
    settings.check_predict()
    classifier, denoiser = load_models(args)

    run_one = partial(
        predict_picture,
        classifier=classifier,
        denoiser=denoiser,
        settings=settings,
        device=args.device,
        batch_size=args.batch_size,
    )
    return run_over_pictures(args, run_one, tell=prediction_text, labels=classifier.labels, plural="predictions")
