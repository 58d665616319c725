"""What a command line names: models, images and pictures, loaded with downloads and remarks; a folder to write to."""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.commands.terminal import InterruptFlag, ProgressLine, remark
from core.data.datasets import LabelledImages, Photographs, load_dataset
from core.device import pick_device
from core.errors import LabError
from core.models.hub.download import DownloadProgress
from core.models.load import Classifier, Denoiser, load_classifier, load_denoiser, sigma_warning
from core.models.network import ClassicalDenoiser
from core.pictures.reading import Picture, read_picture
from core.report.notation import duration
from core.smoothing.certificate import model_record


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
