"""`certify`: a certified prediction for each picture; `predict`: the smoothed classifier's class, without a radius."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from core.apis.providers import is_api
from core.commands.apis import add_api_options, run_certify_api
from core.commands.options import SETTINGS, add_options, load_models, refuse_with_api, settings_of
from core.commands.results import certificate_lines, prediction_lines, run_over_pictures
from core.commands.terminal import remark
from core.errors import LabError
from core.pictures.pixels import to_pixels
from core.report.export import to_json
from core.report.page import html_report
from core.smoothing.certificate import Certificate
from core.smoothing.certify import certify_picture, predict_picture
from core.smoothing.sampling import BaseClassifier
from core.studies.certify import look_at


def add_certify_verb(verbs: Any) -> None:
    parser = verbs.add_parser("certify", help="certify the prediction for pictures", allow_abbrev=False)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG or WebP")
    add_options(parser, "classifier", "denoiser", "size", *SETTINGS, "device", "batch_size")
    add_api_options(parser)
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the certificate's JSON document, which 'verify' reads")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a one-page HTML report with the pictures")
    add_options(parser, "json")
    parser.set_defaults(run=run_certify)


def run_certify(args: argparse.Namespace) -> int:
    check_file_options(args, remote=is_api(args.classifier))
    if is_api(args.classifier):
        refuse_with_api(args, "until_radius")
        return run_certify_api(args)
    settings = settings_of(args)
    settings.check()
    classifier, denoiser = load_models(args)

    def run_one(image: Image.Image, **reporting: Any) -> Certificate:
        how = {"device": args.device, "batch_size": args.batch_size, "on_notice": remark, **reporting}
        certificate = certify_picture(image, classifier, denoiser, settings, **how)
        write_files(args, certificate, image, BaseClassifier(classifier, denoiser))
        return certificate

    return run_over_pictures(args, run_one, tell=certificate_lines, labels=classifier.labels, plural="certificates")


def check_file_options(args: argparse.Namespace, remote: bool) -> None:
    """Before the work: raise LabError where files cannot be written, or there is not exactly one certificate for them."""
    for option, path in (("--save", args.save), ("--report", args.report)):
        if path is None:
            continue
        if remote:
            raise LabError(f"{option} is not for APIs: print the document with --json and send it to a file.")
        if len(args.images) > 1:
            raise LabError(
                f"{option} takes one picture, and {len(args.images)} are named: certify them one by one, or use --json."
            )
        if not path.parent.is_dir() or path.is_dir():
            raise LabError(f"{option} {str(path)!r} cannot be written: name a file in a folder that is there.")


def write_files(args: argparse.Namespace, certificate: Certificate, picture: Image.Image, base: BaseClassifier) -> None:
    if args.save is not None:
        args.save.write_text(to_json(certificate), encoding="utf-8")
    if args.report is not None:
        c = certificate
        pixels = to_pixels(picture, (c.image.height, c.image.width)).to(c.device)
        views = look_at(pixels, base, c.settings)
        document = "certificate.json" if args.save is None else args.save.name
        args.report.write_text(html_report(c, args.images[0].name, views, document), encoding="utf-8")


def add_predict_verb(verbs: Any) -> None:
    parser = verbs.add_parser("predict", help="predict with the smoothed classifier, without a radius", allow_abbrev=False)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, JPEG or WebP")
    asked = ("sigma", "n", "alpha", "seed", "noise", "sound", "engine", "precision")
    add_options(parser, "classifier", "denoiser", "size", *asked, n={"default": 1_000, "help": "samples (%(default)s)"})
    add_options(parser, "device", "batch_size", "json")
    parser.set_defaults(run=run_predict)


def run_predict(args: argparse.Namespace) -> int:
    settings = settings_of(args)
    settings.check_predict()
    classifier, denoiser = load_models(args)
    on_models = partial(predict_picture, classifier=classifier, denoiser=denoiser, settings=settings)
    run_one = partial(on_models, device=args.device, batch_size=args.batch_size, on_notice=remark)
    return run_over_pictures(args, run_one, tell=prediction_lines, labels=classifier.labels, plural="predictions")
