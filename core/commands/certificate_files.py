"""The files that `certify` writes beside what it prints: the certificate's document, and the report."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from core.errors import LabError
from core.pictures.pixels import to_pixels
from core.report.export import to_json
from core.report.page import html_report
from core.smoothing.certificate import Certificate
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike
from core.studies.certify import look_at


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """``--save`` and ``--report``."""
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the certificate's JSON document, which 'verify' reads")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a one-page HTML report with the pictures")


def check_file_options(args: argparse.Namespace, remote: bool) -> None:
    """See that the files can be written, before the work and not after it.

    Raises:
        LabError: where they cannot, or where there is not exactly one certificate for them.
    """
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


def write_files(
    args: argparse.Namespace,
    certificate: Certificate,
    picture: Image.Image,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
) -> None:
    """Write what the options ask for."""
    if args.save is not None:
        args.save.write_text(to_json(certificate), encoding="utf-8")
    if args.report is not None:
        c = certificate
        pixels = to_pixels(picture, (c.image.height, c.image.width)).to(c.device)
        views = look_at(pixels, BaseClassifier(classifier, denoiser), c.sigma, c.seed, kind=c.noise, sound=c.sound)
        document = "certificate.json" if args.save is None else args.save.name
        args.report.write_text(html_report(c, args.images[0].name, views, document), encoding="utf-8")
