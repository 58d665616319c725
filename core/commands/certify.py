"""`certify`: a certified prediction for each picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from core.apis.providers import is_api
from core.commands.certificate_files import add_file_options, check_file_options, write_files
from core.commands.certify_api import add_api_options, run_certify_api
from core.commands.options import (
    add_json_option,
    add_noise_options,
    add_radius_options,
    add_sampling_options,
    default_method,
    load_models,
    refuse_with_api,
)
from core.commands.pictures import run_over_pictures
from core.commands.result_text import certificate_text
from core.smoothing.bounds import METHODS
from core.smoothing.certificate import Certificate
from core.smoothing.certify import OnProgress, certify, check_certify_settings


def add_certify_verb(verbs: Any) -> None:
    """Add the verb to the parser's sub-commands."""
    parser = verbs.add_parser("certify", help="certify the prediction for pictures", allow_abbrev=False)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG or WebP")
    add_sampling_options(parser, n=10_000, n_help="fresh samples that count the class")
    parser.add_argument("--n0", type=int, default=100, help="samples that choose the class (%(default)s)")
    parser.add_argument(
        "--method",
        choices=METHODS,
        help="bound: for this very n (clopper-pearson, the default), or valid wherever it is stopped (anytime, the default"
        " with an API and with --until-radius)",
    )
    add_noise_options(parser)
    add_radius_options(parser)
    add_api_options(parser)
    add_file_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=run_certify)


def run_certify(args: argparse.Namespace) -> int:
    """Certify and print."""
    check_file_options(args, remote=is_api(args.classifier))
    if is_api(args.classifier):
        refuse_with_api(args, settles=True)
        return run_certify_api(args)
    settings: dict[str, Any] = {
        "sigma": args.sigma,
        "n0": args.n0,
        "n": args.n,
        "alpha": args.alpha,
        "seed": args.seed,
        "method": args.method or default_method(args),
        "noise": args.noise,
        "norm": args.norm,
        "sound": args.sound,
        "two_sided": args.two_sided,
        "until_radius": args.until_radius,
        "within": args.within,
        "table_radii": args.table_radii,
    }
    check_certify_settings(**settings)
    classifier, denoiser = load_models(args)

    def run_one(image: Image.Image, on_progress: OnProgress, should_stop: Callable[[], bool]) -> Certificate:
        certificate = certify(
            image,
            classifier,
            denoiser,
            **settings,
            device=args.device,
            batch_size=args.batch_size,
            on_progress=on_progress,
            should_stop=should_stop,
        )
        write_files(args, certificate, image, classifier, denoiser)
        return certificate

    return run_over_pictures(args, run_one, certificate_text, classifier.labels, "certificates")
