"""Every option that several verbs have, once, and what options name: settings, models, images, a folder to write to."""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from core.commands.terminal import InterruptFlag, ProgressLine, remark
from core.data.datasets import LabelledImages, Photographs, load_dataset
from core.device import pick_device
from core.engines import ENGINES, PRECISIONS
from core.errors import LabError
from core.models.hub.download import DownloadProgress
from core.models.load import Classifier, Denoiser, load_classifier, load_denoiser, sigma_warning
from core.models.network import ClassicalDenoiser
from core.pictures.reading import Picture, read_picture
from core.report.notation import duration, read_number, read_numbers
from core.smoothing.bounds import METHODS
from core.smoothing.certificate import model_record
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


@contextmanager
def downloading() -> Iterator[tuple[Callable[[DownloadProgress], None], Callable[[], bool]]]:
    """Within ``with``: what shows a download from the Hub, bytes and time left, and whether Ctrl-C was pressed to stop it."""
    line = ProgressLine()

    def show(progress: DownloadProgress) -> None:
        left = "" if progress.seconds_left is None else f", {duration(progress.seconds_left)} left"
        line.show(f"{progress.name}: {progress.done / 1e6:,.1f} of {progress.total / 1e6:,.1f} MB{left}")

    with InterruptFlag() as interrupt:
        try:
            yield show, interrupt.is_set
        finally:
            line.clear()


def fetched_dataset(reference: str, split: str) -> LabelledImages:
    """A data set by reference; a download from the Hub is shown and can be stopped; pictures left out are told."""
    with downloading() as (show, is_stopped):
        data = load_dataset(reference, split, on_progress=show, should_stop=is_stopped)
    if data.skipped:
        remark(f"{skipped_text(data)}.")
    return data


def skipped_text(data: LabelledImages | Photographs, most: int = 5) -> str:
    """How many pictures of a data set were left out, which, and why."""
    some, count = "; ".join(data.skipped[:most]), len(data.skipped)
    more = f"; and {count - most:,} more" if count > most else ""
    return f"{count:,} of {count + len(data):,} pictures left out: {some}{more}"


def add_image_choice(parser: argparse._ActionsContainer, *, required: bool = True, images: int | None = None) -> None:
    """Which images of a data set are taken: ``--dataset``, ``--split``, ``--start``, ``--every``, and where to end.

    ``images`` is the default of ``--images``, how many are taken at most; None for ``--stop``, a number to stop before.
    """
    parser.add_argument("--dataset", required=required, help="shapes, hub/OWNER/NAME, parquet/PATH or folder/PATH")
    parser.add_argument("--split", default="test")
    parser.add_argument("--start", type=int, default=0, help="least image number (%(default)s)")
    parser.add_argument("--every", type=int, default=1, help="only numbers divisible by this (%(default)s)")
    if images is None:
        parser.add_argument("--stop", type=int, help="image number to stop before; by default all")
    else:
        parser.add_argument("--images", type=int, default=images, help="how many of these, at most (%(default)s)")


def check_image_choice(args: argparse.Namespace) -> None:
    for name in ("every", "images"):
        value = getattr(args, name, 1)
        if value < 1:
            raise LabError(f"--{name} is {value}: expected at least 1.")


def chosen_images(args: argparse.Namespace) -> LabelledImages:
    """The images that the options let through. Raises LabError where there is none, or the data set cannot be had."""
    data = fetched_dataset(args.dataset, args.split)
    keep = (data.indices >= args.start) & (data.indices % args.every == 0)
    stop = getattr(args, "stop", None)
    if stop is not None:
        keep &= data.indices < stop
    rows = keep.nonzero().flatten()[: getattr(args, "images", None)]
    if not len(rows):
        raise LabError(f"No image of {args.dataset} has a number that --start, --stop and --every let through.")
    return data.where(rows)


def image_choice(args: argparse.Namespace) -> dict[str, Any]:
    """Which images were chosen, for the file that says what made a file of lines."""
    return {name: getattr(args, name) for name in ("dataset", "split", "start", "stop", "every") if hasattr(args, name)}


def model_choice(classifier: object, denoiser: object | None) -> dict[str, Any]:
    """Which models were chosen, for the same file."""
    return {"classifier": asdict(model_record(classifier)), "denoiser": asdict(model_record(denoiser))}


def load_models(args: argparse.Namespace) -> tuple[Classifier, Denoiser | ClassicalDenoiser | None]:
    """The models that the options name; a doubtful sigma is remarked on. Raises LabError where one or the device is missing."""
    pick_device(args.device)  # before the models, which take longer to load than a typing mistake should
    side = getattr(args, "noise_size", None)
    classifier = load_classifier_remarking(args.classifier, None if side is None else (side, side))
    return classifier, load_denoiser_remarking(args, classifier)


def load_classifier_remarking(reference: str, size: tuple[int, int] | None) -> Classifier:
    """A classifier for pictures of (height, width); a download is shown and can be stopped, and its notes are told."""
    with downloading() as (show, is_stopped):
        classifier = load_classifier(reference, size=size, on_progress=show, should_stop=is_stopped)
    for note in classifier.notes:
        remark(note)
    return classifier


def load_denoiser_remarking(
    args: argparse.Namespace, classifier: Classifier | None = None
) -> Denoiser | ClassicalDenoiser | None:
    """The denoiser that the options name; a sigma that is doubtful for it, or for the classifier alone, is remarked on."""
    with downloading() as (show, is_stopped):
        denoiser = load_denoiser(args.denoiser, on_progress=show, should_stop=is_stopped)
    for note in getattr(denoiser, "notes", ()):
        remark(note)
    warning = sigma_warning(denoiser, args.sigma, classifier)
    if warning:
        remark(warning)
    return denoiser


def read_picture_remarking(path: Path) -> Picture:
    picture = read_picture(path)
    for note in picture.notes:
        remark(note)
    return picture


def writable_folder(path: Path) -> Path:
    """Make the folder where it is missing, and see that a file can be written there, or raise LabError: before the work."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except (FileExistsError, NotADirectoryError) as error:
        raise LabError(f"--out {str(path)!r} is not a folder: name a folder that can be written to.") from error
    except OSError as error:
        raise LabError(f"--out {str(path)!r} cannot be written to ({error.strerror}): name another folder.") from error
