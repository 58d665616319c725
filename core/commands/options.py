"""Every option that several verbs have, once: a verb names those it takes."""

import argparse
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from core.engines import ENGINES, PRECISIONS
from core.errors import LabError
from core.report.notation import read_number, read_numbers
from core.smoothing.bounds import METHODS
from core.smoothing.radius import NOISES, NORMS
from core.smoothing.settings import Settings

SETTINGS = tuple(field.name for field in fields(Settings))  # the names of all that CERTIFY is asked: each is an option


def radius_option(text: str) -> float:
    try:
        return read_number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no radius: expected a number or a fraction, such as 0.5 or 8/255"
        ) from error


def _table_radii(text: str) -> tuple[float, ...]:
    radii, wrong = read_numbers(text)
    if wrong or not radii:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of radii: expected numbers or fractions with commas between them, such as 0.25,0.5 or"
            " 2/255,8/255"
        )
    return tuple(radii)


OPTIONS: dict[str, dict[str, Any]] = {
    "classifier": {"default": "bundled/cifar10", "metavar": "REF",
        "help": "bundled/NAME, hub/OWNER/NAME[@REVISION], torchvision/ARCH[@WEIGHTS] or local/PATH (%(default)s)"},
    "denoiser": {"default": "bundled/cifar10-stab", "metavar": "REF",
        "help": "bundled/NAME, hub/OWNER/NAME[@REVISION], local/PATH, trained/NAME, classical/NAME or none (%(default)s)"},
    "size": {"type": int, "dest": "noise_size", "metavar": "PIXELS",
        "help": "side of the picture where the noise is added and the certificate holds; by default what suits the classifier"},
    "sigma": {"type": float, "default": 0.25, "help": "standard deviation of the noise, in [0, 1] pixel units (%(default)s)"},
    "n0": {"type": int, "default": Settings.n0, "help": "samples that choose the class (%(default)s)"},
    "n": {"type": int, "default": Settings.n, "help": "fresh samples that count the class (%(default)s)"},
    "alpha": {"type": float, "default": Settings.alpha, "help": "chance that the answer may be wrong (%(default)s)"},
    "seed": {"type": int, "help": "same seed, same noise; by default drawn from the operating system, and told"},
    "method": {"choices": METHODS,
        "help": "bound: for this very n (clopper-pearson, the default; randomised-clopper-pearson with a number that the seed"
        " gives), or valid wherever it is stopped (anytime, the default with an API and with --until-radius)"},
    "noise": {"choices": NOISES, "default": Settings.noise, "help": "its distribution (%(default)s)"},
    "norm": {"choices": NORMS, "help": "of the radius; by default l2 for Gaussian noise, l1 for the others"},
    "sound": {"action": "store_true", "help": "Gaussian noise on the 8-bit grid, drawn exactly: no rounding weakens the proof"},
    "two_sided": {"action": "store_true", "help": "bound the runner-up, too; both sides share alpha"},
    "until_radius": {"type": radius_option, "metavar": "RADIUS",
        "help": "end as soon as it is settled whether this radius can be certified (with the anytime bound)"},
    "within": {"type": float, "metavar": "PART",
        "help": "end as soon as more samples would add no more than this part to the radius, such as 0.05 (anytime bound)"},
    "table_radii": {"type": _table_radii, "metavar": "RADII",
        "help": "test these radii alone, such as 0.25,0.5,0.75, and end as soon as all of them are settled; 0 asks"
        " for a class"},
    "tries": {"type": int, "default": Settings.tries, "metavar": "N",
        "help": "certificates of this picture, with other sigmas, seeds or models, among which alpha is shared (%(default)s)"},
    "engine": {"choices": ENGINES, "default": Settings.engine,
        "help": "what computes the networks: torch (eager), torch.compile, or OpenVINO where it is installed (%(default)s)"},
    "precision": {"choices": PRECISIONS, "default": Settings.precision,
        "help": "their number format; auto rounds only where these models' certified accuracy was measured (%(default)s)"},
    "device": {"default": "auto", "help": "auto, cuda, cuda:NUMBER, mps or cpu (%(default)s)"},
    "batch_size": {"type": int, "help": "copies at once; by default what suits device and picture"},
    "json": {"action": "store_true", "help": "print one JSON document on stdout"},
}  # fmt: skip
"""What argparse is told of each."""


FIXED_SEED = {"default": 0, "help": "same seed, same noise (%(default)s)"}
"""Where nothing is certified, or tables are to come out the same."""


def add_options(parser: argparse._ActionsContainer, *names: str, **otherwise: Mapping[str, Any]) -> None:
    """Add options of :data:`OPTIONS` (``two_sided``: ``--two-sided``), ``otherwise`` where argparse is told differently."""
    for name in names:
        told = {"flag": f"--{name.replace('_', '-')}", "dest": name, **OPTIONS[name], **otherwise.get(name, {})}
        parser.add_argument(told.pop("flag"), **told)


def settings_of(args: argparse.Namespace, *, method: str | None = None) -> Settings:
    """What the options ask of CERTIFY; what a verb has no option for is as :class:`Settings` have it.

    Where ``--method`` does not say, the bound is ``method``, by default one that holds wherever sampling may end.
    """
    asked = Settings.of(vars(args) | {"method": Settings.method})
    args.seed = asked.seed  # where it was drawn, so that it is the same when asked again
    return replace(asked, method=getattr(args, "method", None) or method or asked.usual_method)


def refuse_with_api(args: argparse.Namespace, *settled: str) -> None:
    """Raise LabError where an option concerns this machine's models alone; ``settled`` are those taken with APIs, too."""
    taken = ("sigma", "n0", "n", "alpha", "seed", "method", *settled)
    usual = {field.name: field.default for field in fields(Settings)}
    for name in SETTINGS:
        value = getattr(args, name)
        if name not in taken and value != usual[name] and (name, value) != ("norm", "l2"):
            raise LabError(
                f"--{name.replace('_', '-')} is not for APIs, which this verb certifies with Gaussian noise, one-sided,"
                " in l2: leave it out."
            )


def numbers_of(option: str, text: str, *, what: str = "numbers", example: str = "0.25,0.5") -> list[float]:
    """The numbers of an option, ascending. Raises LabError where they are none; ``what`` they should be, and an ``example``."""
    numbers, wrong = read_numbers(text)
    if wrong or not numbers:
        raise LabError(f"{option} {text!r} is no list of {what}: expected something like {example}.")
    return sorted(numbers)
