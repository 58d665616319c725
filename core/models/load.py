"""Classifiers and denoisers by reference."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from core.errors import LabError
from core.models.classical import ClassicalDenoiser
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.state_dicts import SUFFIXES
from core.models.hub.download import ProgressListener, fetch_files
from core.models.hub.lock import repository_lock
from core.models.hub.repository import look_up
from core.models.hub.selection import is_of_the_lab, needed_files, read_config
from core.models.json_object import read_json_object
from core.models.memory import check_memory
from core.models.model import Classifier, Denoiser, Scaled
from core.models.precision import InBfloat16
from core.models.references import Reference, model_folder, parse_reference
from core.models.storage import CONFIG, WEIGHTS, read_model

__all__ = ["Classifier", "Denoiser", "load_classifier", "load_denoiser", "sigma_warning"]

MAX_SIDE = 4096

ShouldStop = Callable[[], bool]


def load_classifier(
    reference: str,
    *,
    size: tuple[int, int] | None = None,
    on_progress: ProgressListener | None = None,
    should_stop: ShouldStop | None = None,
) -> Classifier:
    """Load a classifier by reference, in evaluation mode on the CPU.

    Args:
        reference: ``bundled/NAME``, ``torchvision/ARCH[@WEIGHTS]``, ``hub/OWNER/NAME[@REVISION]`` or ``local/PATH``.
        size: (height, width) at which noise is added and the certificate holds; the classifier scales inside where its own
            input differs. None for what suits the model.
        on_progress: told how far a download is.
        should_stop: asked whether to give a download up.

    Raises:
        LabError: where the reference is unknown, is no classifier, does not fit the limits, or its files are damaged.
    """
    if size is not None and (len(size) != 2 or not all(isinstance(side, int) and 1 <= side <= MAX_SIDE for side in size)):
        raise LabError(f"The size {size!r} is no picture size: expected height and width of 1 to {MAX_SIDE} pixels.")
    parsed = parse_reference(reference)
    if parsed.kind in ("none", "classical"):
        raise LabError(
            f"{reference!r} is no classifier: expected bundled/NAME or local/PATH, hub/OWNER/NAME or torchvision/ARCH."
        )
    loaded, ref, revision, weights = _load(parsed, "classifier", size, on_progress, should_stop)
    return Classifier(loaded, ref, revision, weights)


def load_denoiser(
    reference: str, *, on_progress: ProgressListener | None = None, should_stop: ShouldStop | None = None
) -> Denoiser | ClassicalDenoiser | None:
    """Load a denoiser by reference, in evaluation mode on the CPU.

    Args:
        reference: ``bundled/NAME``, ``hub/OWNER/NAME[@REVISION]``, ``local/PATH``, ``trained/NAME``, ``classical/NAME``, or
            ``none``, which gives None.
        on_progress: told how far a download is.
        should_stop: asked whether to give a download up.

    Raises:
        LabError: where the reference is unknown, is no denoiser, does not fit the limits, or its files are damaged.
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
    loaded, ref, revision, weights = _load(parsed, "denoiser", None, on_progress, should_stop)
    return Denoiser(loaded, ref, revision, weights)


Loaded = tuple[LoadedNetwork, str, str | None, str | None]
"""Network, reference without revision, revision, sha256 of the weights."""


def _load(
    parsed: Reference,
    kind: str,
    size: tuple[int, int] | None,
    on_progress: ProgressListener | None,
    should_stop: ShouldStop | None,
) -> Loaded:
    if parsed.precision is not None:
        plain = replace(parsed, precision=None)
        loaded, ref, revision, digest = _load(plain, kind, size, on_progress, should_stop)
        return replace(loaded, network=InBfloat16(loaded.network)), f"{ref}{parsed.suffix}", revision, digest
    if parsed.kind == "torchvision":
        return _torchvision(parsed, size)
    if parsed.kind == "hub":
        return _hub(parsed, kind, size, on_progress, should_stop)
    folder = model_folder(parsed)
    files = [folder] if folder.is_file() else list(folder.glob("*"))
    weights = sum(path.stat().st_size for path in files if path.suffix in SUFFIXES)
    check_memory(repr(str(parsed)), weights)
    loaded = _read(folder, kind, size, str(parsed))
    digest = weights_digest(folder.parent if folder.is_file() else folder, loaded.weights)
    return loaded, str(parsed), digest, digest


def _hub(
    parsed: Reference,
    kind: str,
    size: tuple[int, int] | None,
    on_progress: ProgressListener | None,
    should_stop: ShouldStop | None,
) -> Loaded:
    repository = look_up(parsed.name, parsed.revision, should_stop=should_stop)
    ref = f"hub/{repository.name}"
    # From the listing to the last byte read: nobody may delete the repository in between.
    with repository_lock(repository.name, should_stop=should_stop):
        config = read_config(repository, should_stop)
        names = needed_files(repository, config, kind)
        check_memory(repr(ref), sum(file.size for file in repository.files if file.name in names))
        folder = fetch_files(repository, names, on_progress=on_progress, should_stop=should_stop)
        loaded = _read(folder, kind, size, ref)
        digest = weights_digest(folder, loaded.weights)
    return replace(loaded, notes=(*repository.notes, *loaded.notes)), ref, repository.commit, digest


def _torchvision(parsed: Reference, size: tuple[int, int] | None) -> Loaded:
    from core.models.formats.torchvision_models import load_torchvision

    loaded = load_torchvision(parsed.name, parsed.revision, size=size)
    digest = weights_digest(Path(), loaded.weights)
    return loaded, str(parsed), digest or parsed.revision, digest


def _read(folder: Path, kind: str, size: tuple[int, int] | None, ref: str) -> LoadedNetwork:
    """Whatever lies in a folder, or a weights file, by the reader of its format."""
    if (folder / CONFIG).is_file() and is_of_the_lab(read_json_object(folder / CONFIG, repr(ref))):
        return _sized(_read_own(folder, kind, ref), size)
    try:
        if kind == "classifier":
            from core.models.formats.classifiers import read_classifier

            return read_classifier(folder, size=size)
        from core.models.formats.denoisers import read_denoiser

        return read_denoiser(folder.parent, folder.name) if folder.is_file() else read_denoiser(folder)
    except (LabError, MemoryError):
        raise
    except Exception as error:  # files of strangers: every library fails in its own way
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"{ref!r} cannot be loaded as a {kind}: its files do not fit together ({first}).") from error


def _read_own(folder: Path, kind: str, ref: str) -> LoadedNetwork:
    network, config = read_model(folder)
    if config.kind != kind:
        raise LabError(f"{ref!r} is a {config.kind}, but a {kind} is needed: 'python -m core models' lists both.")
    # Pixel by pixel in memory: 1.4 times faster on a CPU.
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return LoadedNetwork(
        network,
        "the Lab",
        config.architecture,
        config.input_size,
        config.input_size,
        config.labels,
        None,
        config.sigma_range,
        weights=(WEIGHTS,),
    )


def _sized(loaded: LoadedNetwork, size: tuple[int, int] | None) -> LoadedNetwork:
    """The same classifier for pictures of another size, which it brings to its own inside."""
    if size is None or loaded.input_size is None or size == loaded.input_size:
        return loaded
    own = loaded.own_size or loaded.input_size
    return replace(loaded, network=Scaled(loaded.network, loaded.input_size), input_size=size, own_size=own)


def weights_digest(folder: Path, names: tuple[str, ...]) -> str | None:
    """sha256 of the weights, in hex: of the file, or of the lines ``name hash`` where there are several; None for none."""
    digests = {}
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    if len(digests) <= 1:
        return next(iter(digests.values()), None)
    listing = "".join(f"{name} {digest}\n" for name, digest in digests.items())
    return hashlib.sha256(listing.encode()).hexdigest()


def sigma_warning(denoiser: object, sigma: float, classifier: object = None) -> str | None:
    """A sentence where sigma lies outside what the models were trained for; None where all is well.

    Args:
        denoiser: anything; its ``sigma_range`` counts where it has one. None where there is none.
        sigma: of the noise.
        classifier: counts where there is no denoiser: one that was trained with noise then meets that noise.
    """
    model, then = (denoiser, "it may do more harm than good") if denoiser is not None else (classifier, "it may answer worse")
    span = getattr(model, "sigma_range", None)
    if span is None or span[0] <= sigma <= span[1]:
        return None
    name = getattr(model, "ref", type(model).__name__)
    reach = f"{span[0]:g}" if span[0] == span[1] else f"{span[0]:g} to {span[1]:g}"
    return f"{name} was trained for sigma {reach}: at {sigma:g} {then}."
