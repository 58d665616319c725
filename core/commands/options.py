"""Options that several verbs share."""

from __future__ import annotations

import argparse

from core.errors import LabError
from core.report.notation import read_numbers
from core.smoothing.bounds import GROUP_SEQUENTIAL
from core.smoothing.radius import NOISES, NORMS

DEFAULT_CLASSIFIER = "bundled/cifar10"
DEFAULT_DENOISER = "bundled/cifar10-stab"


def add_classifier_option(parser: argparse.ArgumentParser) -> None:
    """``--classifier``."""
    kinds = "bundled/NAME, hub/OWNER/NAME[@REVISION], torchvision/ARCH[@WEIGHTS] or local/PATH"
    parser.add_argument("--classifier", default=DEFAULT_CLASSIFIER, metavar="REF", help=f"{kinds} (%(default)s)")


def add_denoiser_option(parser: argparse.ArgumentParser) -> None:
    """``--denoiser`` and ``--sigma``."""
    kinds = "bundled/NAME, hub/OWNER/NAME[@REVISION], local/PATH, trained/NAME, classical/NAME or none"
    parser.add_argument("--denoiser", default=DEFAULT_DENOISER, metavar="REF", help=f"{kinds} (%(default)s)")
    parser.add_argument(
        "--sigma", type=float, default=0.25, help="standard deviation of the noise, in [0, 1] pixel units (%(default)s)"
    )


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:NUMBER, mps or cpu (%(default)s)")


def add_sampling_options(parser: argparse.ArgumentParser, n: int, n_help: str) -> None:
    """What a run of noisy copies takes: models, sigma, n, alpha, seed, device, batch size."""
    add_classifier_option(parser)
    add_denoiser_option(parser)
    parser.add_argument(
        "--size",
        type=int,
        dest="noise_size",
        metavar="PIXELS",
        help="side of the picture where the noise is added and the certificate holds; by default what suits the classifier",
    )
    parser.add_argument("--n", type=int, default=n, help=f"{n_help} (%(default)s)")
    parser.add_argument("--alpha", type=float, default=0.001, help="chance that the answer may be wrong (%(default)s)")
    add_seed_option(parser)
    add_device_option(parser)
    parser.add_argument("--batch-size", type=int, help="copies at once; by default what suits device and picture")


def add_noise_options(parser: argparse.ArgumentParser) -> None:
    """``--noise`` and ``--sound``."""
    parser.add_argument("--noise", choices=NOISES, default="gaussian", help="its distribution (%(default)s)")
    parser.add_argument(
        "--sound", action="store_true", help="Gaussian noise on the 8-bit grid, drawn exactly: no rounding weakens the proof"
    )


def add_radius_options(parser: argparse.ArgumentParser) -> None:
    """``--norm``, ``--two-sided``, and what ends a run early: ``--until-radius``, ``--within`` or ``--table-radii``."""
    parser.add_argument("--norm", choices=NORMS, help="of the radius; by default l2 for Gaussian noise, l1 for the others")
    parser.add_argument("--two-sided", action="store_true", help="bound the runner-up, too, each side at half of alpha")
    parser.add_argument(
        "--until-radius",
        type=float,
        metavar="RADIUS",
        help="end as soon as it is settled whether this radius can be certified (with the anytime bound)",
    )
    parser.add_argument(
        "--within",
        type=float,
        metavar="PART",
        help="end as soon as more samples would add no more than this part to the radius, such as 0.05 (anytime bound)",
    )
    parser.add_argument(
        "--table-radii",
        type=table_option,
        metavar="RADII",
        help="test these radii alone, such as 0.25,0.5,0.75, and end as soon as all of them are settled; 0 asks for a class",
    )


def table_option(text: str) -> tuple[float, ...]:
    """What ``--table-radii`` takes."""
    radii, wrong = read_numbers(text)
    if wrong or not radii:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of radii: expected numbers with commas between them, such as 0.25,0.5"
        )
    return tuple(radii)


def numbers_of(option: str, text: str, *, what: str = "numbers", example: str = "0.25,0.5") -> list[float]:
    """The numbers of an option, ascending.

    Raises:
        LabError: where they are none; ``what`` they should be, and an ``example``.
    """
    numbers, wrong = read_numbers(text)
    if wrong or not numbers:
        raise LabError(f"{option} {text!r} is no list of {what}: expected something like {example}.")
    return sorted(numbers)


def default_method(args: argparse.Namespace) -> str:
    """The bound where ``--method`` does not say: one that holds wherever sampling ends where it may end early."""
    if args.table_radii is not None:
        return GROUP_SEQUENTIAL
    return "clopper-pearson" if args.until_radius is None and args.within is None else "anytime"


def refuse_with_api(args: argparse.Namespace, settles: bool) -> None:
    """Raise LabError where an option was given that concerns this machine's models alone.

    Args:
        args: the parsed command line, with a classifier ``api/...``.
        settles: whether the verb settles a radius with an API.
    """
    given = {
        "--noise": args.noise != "gaussian",
        "--norm": args.norm not in (None, "l2"),
        "--sound": args.sound,
        "--two-sided": args.two_sided,
        "--until-radius": args.until_radius is not None and not settles,
        "--within": args.within is not None,
        "--table-radii": args.table_radii is not None,
    }
    for option, there in given.items():
        if there:
            raise LabError(
                f"{option} is not for APIs, which this verb certifies with Gaussian noise, one-sided, in l2: leave it out."
            )


def add_seed_option(parser: argparse.ArgumentParser) -> None:
    """``--seed``."""
    parser.add_argument("--seed", type=int, default=0, help="same seed, same noise (%(default)s)")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
