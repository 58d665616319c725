"""`verify`: checks a certificate that somebody handed over."""

import argparse
from pathlib import Path
from typing import Any

from PIL import Image

from core.commands.options import add_options, read_picture_remarking
from core.commands.terminal import InterruptFlag, ProgressLine, print_json, say
from core.device import pick_device
from core.errors import LabError
from core.models.load import load_classifier, load_denoiser
from core.models.references import pinned
from core.report.notation import duration
from core.smoothing.certificate import Certificate
from core.smoothing.certify import Progress
from core.smoothing.document import read_document
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import fresh_seed
from core.verification.resampling import POWER, TOO_HIGH, check_fresh, resample
from core.verification.verify import DIFFERS, NOT_CHECKED, ModelsHere, Verification, verify, why_not_sampled, with_sampling

Models = tuple[ClassifierLike, DenoiserLike | None]


def add_verify_verb(verbs: Any) -> None:
    """Add the verb to the parser's sub-commands."""
    parser = verbs.add_parser(
        "verify", help="check a certificate: its arithmetic, picture, models, sampling", allow_abbrev=False
    )
    parser.add_argument("certificate", type=Path, metavar="CERTIFICATE", help="the JSON document of one certificate")
    parser.add_argument("--image", type=Path, metavar="IMAGE", help="the picture it is said to certify")
    parser.add_argument("--resample", action="store_true", help="sample again with its seed: the counts must be the same")
    parser.add_argument(
        "--fresh-seed", type=int, metavar="N", help="sample with this seed: the votes must be consistent with its claims"
    )
    parser.add_argument(
        "--fresh-n",
        type=int,
        metavar="N",
        help="so many fresh samples, by a seed that is drawn where none is given (default: as many as it counted, and enough"
        f" to reject with probability {POWER:g} a claim {TOO_HIGH:g} too high in p)",
    )
    parser.add_argument("--classifier", metavar="REF", help="where its classifier is here, if not where the certificate says")
    parser.add_argument("--denoiser", metavar="REF", help="where its denoiser is here, if not where the certificate says")
    add_options(parser, "device", "batch_size", "json")
    parser.set_defaults(run=run_verify)


def run_verify(args: argparse.Namespace) -> int:
    """Check and print. Exit code 0: all that was checked agrees. 1: something differs. 130: the sampling was stopped."""
    certificate, beside = read_document(args.certificate)
    if args.fresh_n is not None and args.fresh_seed is None:
        args.fresh_seed = fresh_seed()
    check_fresh(certificate, args.fresh_seed, args.fresh_n)
    sampling = args.resample or args.fresh_seed is not None
    if sampling and args.image is None:
        raise LabError("Sampling again needs the picture: add --image with the picture that the certificate is of.")
    pick_device(args.device)
    picture = None if args.image is None else read_picture_remarking(args.image).image
    models = _models(args, certificate, sampling)
    found = verify(certificate, picture, models if isinstance(models, str) else ModelsHere.of(*models), beside)
    interrupted = False
    if sampling:
        assert picture is not None  # seen to above
        found, interrupted = _sampled(args, found, certificate=certificate, picture=picture, models=models)
    else:
        found = with_sampling(found, "They are as stated: add --image with --resample or --fresh-n to sample them again.")
    if args.json:
        print_json({"certificate": str(args.certificate)} | found.to_dict())
    else:
        say(*verification_lines(args.certificate.name, found))
    return 130 if interrupted else int(bool(found.differing))


def verification_lines(name: str, found: Verification) -> list[str]:
    """The outcome first, then what differs, what agrees, and what was left unchecked."""
    marks = {DIFFERS: "DIFFERS    ", NOT_CHECKED: "not checked"}
    order = sorted(found.checks, key=lambda check: check.status != DIFFERS)
    lines = [f"  {marks.get(check.status, 'same       ')}  {check.name}: {check.sentence}" for check in order]
    return [f"{name}: {found.summary()}", *lines]


def _models(args: argparse.Namespace, certificate: Certificate, sampling: bool) -> Models | str:
    """The certificate's models, loaded; or why they are not. Only to sample are models fetched from elsewhere."""
    references = []
    for what in ("classifier", "denoiser"):
        record, other = getattr(certificate, what), getattr(args, what)
        reference = other or pinned(record.ref, record.revision)
        kind = reference.partition("/")[0]
        if kind in ("api", "python"):
            words = "is behind an API" if kind == "api" else "was a callable of somebody's own program"
            return f"The {what} {reference} {words}, so it cannot be loaded here."
        if kind in ("hub", "torchvision") and not sampling:
            return (
                f"The {what} {reference} may have to be downloaded: add --resample, or --fresh-seed with a number, to load it."
            )
        references.append(reference)
    try:
        image = certificate.image
        return load_classifier(references[0], size=(image.height, image.width)), load_denoiser(references[1])
    except LabError as error:
        if args.classifier or args.denoiser:
            raise
        return f"Its models are not here: {error}"


def _sampled(
    args: argparse.Namespace, found: Verification, *, certificate: Certificate, picture: Image.Image, models: Models | str
) -> tuple[Verification, bool]:
    reason = why_not_sampled(found)
    if isinstance(models, str) or reason is not None:
        return with_sampling(found, reason or "Without its models nothing can be sampled."), False
    line = ProgressLine()

    def show(part: str, now: Progress) -> None:
        left = "" if now.seconds < 0.3 else f", {duration(now.seconds_left)} left"
        line.show(f"{part}: {now.done:,} of {now.total:,} samples{left}")

    with InterruptFlag() as interrupt:
        try:
            checks = resample(
                certificate,
                picture,
                *models,
                same_seed=args.resample,
                fresh_seed=args.fresh_seed,
                fresh_n=args.fresh_n,
                device=args.device,
                batch_size=args.batch_size,
                on_progress=show,
                should_stop=interrupt.is_set,
            )
        finally:
            line.clear()
        return with_sampling(found, checks), interrupt.is_set()
