"""Classifiers and denoisers by reference."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from core.errors import LabError
from core.models.formats.limits import check_memory, unplanned
from core.models.formats.listing import SUFFIXES
from core.models.formats.packaged import read_packaged
from core.models.formats.preprocessing import UNNAMED
from core.models.formats.registry import read_network
from core.models.formats.torchvision_models import load_torchvision
from core.models.formats.weights import weights_digest
from core.models.hub.cached import repository_lock
from core.models.hub.download import ProgressListener, fetch_files
from core.models.hub.repository import look_up
from core.models.hub.search import fetch_listing, wanted_files
from core.models.labels import NAME_LISTS, said_to_be
from core.models.network import ClassicalDenoiser, Classifier, Denoiser, InBfloat16, LoadedNetwork
from core.models.references import Reference, model_folder, parse_reference
from core.models.storage import measured_formats

__all__ = ["Classifier", "Denoiser", "load_classifier", "load_denoiser", "sigma_warning"]

MAX_SIDE = 4096

ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class _Watch:
    """Who is told of a download, and may give it up."""

    on_progress: ProgressListener | None
    should_stop: ShouldStop | None


def load_classifier(
    reference: str,
    *,
    size: tuple[int, int] | None = None,
    on_progress: ProgressListener | None = None,
    should_stop: ShouldStop | None = None,
) -> Classifier:
    """Load a classifier by reference, in evaluation mode on the CPU.
    Raises LabError where the reference is unknown, is no classifier, does not fit the limits, or its files are damaged.

    Args:
        reference: ``bundled/NAME``, ``package/NAME``, ``torchvision/ARCH[@WEIGHTS]``, ``hub/OWNER/NAME[@REVISION]`` or
            ``local/PATH``.
        size: (height, width) at which noise is added and the certificate holds; the classifier scales inside where its own
            input differs. None for what suits the model.
        on_progress: told how far a download is; ``should_stop`` is asked whether to give it up.
    """
    if size is not None and (len(size) != 2 or not all(isinstance(side, int) and 1 <= side <= MAX_SIDE for side in size)):
        raise LabError(f"The size {size!r} is no picture size: expected height and width of 1 to {MAX_SIDE} pixels.")
    parsed = parse_reference(reference)
    if parsed.kind in ("none", "classical"):
        raise LabError(
            f"{reference!r} is no classifier: expected bundled/NAME or local/PATH, hub/OWNER/NAME or torchvision/ARCH."
        )
    return Classifier(_load(parsed, "classifier", size, _Watch(on_progress, should_stop)))


def load_denoiser(
    reference: str, *, on_progress: ProgressListener | None = None, should_stop: ShouldStop | None = None
) -> Denoiser | ClassicalDenoiser | None:
    """Load a denoiser by reference, in evaluation mode on the CPU.
    Raises LabError where the reference is unknown, is no denoiser, does not fit the limits, or its files are damaged.

    Args:
        reference: ``bundled/NAME``, ``package/NAME``, ``hub/OWNER/NAME[@REVISION]``, ``local/PATH``, ``trained/NAME``,
            ``classical/NAME``, or ``none``, which gives None.
        on_progress, should_stop: as for :func:`load_classifier`.
    """
    parsed = parse_reference(reference)
    if parsed.kind == "none":
        return None
    if parsed.kind == "classical":
        return ClassicalDenoiser(parsed.name)
    if parsed.kind == "torchvision":
        raise LabError(
            f"{reference!r} is no denoiser: torchvision has classifiers; expected hub/OWNER/NAME, bundled/NAME or none."
        )
    return Denoiser(_load(parsed, "denoiser", None, _Watch(on_progress, should_stop)))


def _load(parsed: Reference, kind: str, size: tuple[int, int] | None, watch: _Watch) -> LoadedNetwork:
    if parsed.precision is not None:
        loaded = _load(replace(parsed, precision=None), kind, size, watch)
        return replace(loaded, network=InBfloat16(loaded.network), ref=f"{loaded.ref}{parsed.suffix}")
    if parsed.names is not None:
        if kind != "classifier":
            raise LabError(f"{parsed} is to be a denoiser, which has no classes: leave :{parsed.names} out.")
        return _with_names(parsed, parsed.names, size, watch)
    if parsed.kind == "hub":
        return _from_hub(parsed, kind, size, watch)
    if parsed.kind in ("package", "torchvision"):
        if parsed.kind == "package":
            loaded = read_packaged(parsed.name, kind, size)
        else:
            loaded = load_torchvision(parsed.name, parsed.revision, size=size)
        digest = weights_digest(Path(), loaded.weights)
        return replace(loaded, ref=str(parsed), revision=digest or parsed.revision, weights_sha256=digest)
    path, ref = model_folder(parsed), str(parsed)
    files = [path] if path.is_file() else list(path.glob("*"))
    check_memory(repr(ref), sum(file.stat().st_size for file in files if file.suffix in SUFFIXES))
    with unplanned() if parsed.kind == "bundled" else nullcontext():  # what comes with the Lab is no stranger's
        loaded = read_network(path, kind, ref=ref, size=size)
    digest = weights_digest(path.parent if path.is_file() else path, loaded.weights)
    formats = measured_formats(path) if parsed.kind == "bundled" else {}
    return replace(loaded, ref=ref, revision=digest, weights_sha256=digest, formats=formats)


def _with_names(parsed: Reference, data: str, size: tuple[int, int] | None, watch: _Watch) -> LoadedNetwork:
    """A classifier whose files name no classes, with those of the data set that the user says they are of."""
    title = NAME_LISTS[data][0]
    if size is None and title.startswith("CIFAR"):
        size = (32, 32)  # where CIFAR's classifiers are certified, as preprocessing.certification_size says
    loaded = _load(replace(parsed, names=None), "classifier", size, watch)
    with torch.inference_mode():
        classes = loaded.network(torch.zeros(1, 3, *(loaded.input_size or (32, 32)))).shape[1]
    kept = (note for note in loaded.notes if not note.startswith(UNNAMED))
    return replace(
        loaded,
        labels=said_to_be(data, loaded.labels, classes),
        notes=(*kept, f"That its classes are {title}'s was said by who chose it, not by its files."),
        ref=f"{loaded.ref}{parsed.suffix}",
    )


def _from_hub(parsed: Reference, kind: str, size: tuple[int, int] | None, watch: _Watch) -> LoadedNetwork:
    repository = look_up(parsed.name, parsed.revision, should_stop=watch.should_stop)
    ref = f"hub/{repository.name}"
    # From the listing to the last byte read: nobody may delete the repository in between.
    with repository_lock(repository.name, should_stop=watch.should_stop):
        listing = fetch_listing(repository, watch.should_stop)
        names = wanted_files(repository, listing, kind)
        check_memory(repr(ref), sum(file.size for file in repository.files if file.name in names))
        folder = fetch_files(repository, names, on_progress=watch.on_progress, should_stop=watch.should_stop)
        loaded = read_network(folder, kind, ref=ref, listing=listing, size=size)
        digest = weights_digest(folder, loaded.weights)
    notes = (*repository.notes, *loaded.notes)
    return replace(loaded, notes=notes, ref=ref, revision=repository.commit, weights_sha256=digest)


def sigma_warning(denoiser: object, sigma: float, classifier: object = None) -> str | None:
    """A sentence where sigma lies outside what the models were trained for; None where all is well.
    The ``sigma_range`` of the denoiser counts; where there is none (None), that of a classifier that was trained with noise."""
    model, then = (denoiser, "it may do more harm than good") if denoiser is not None else (classifier, "it may answer worse")
    span = getattr(model, "sigma_range", None)
    if span is None or span[0] <= sigma <= span[1]:
        return None
    name = getattr(model, "ref", type(model).__name__)
    reach = f"{span[0]:g}" if span[0] == span[1] else f"{span[0]:g} to {span[1]:g}"
    return f"{name} was trained for sigma {reach}: at {sigma:g} {then}."
