"""What training begins with: a denoiser to go on from, and a classifier to train through, which must give gradients."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from core.errors import LabError
from core.models.formats.listing import read_json_object
from core.models.hub.cached import repository_lock
from core.models.hub.download import ProgressListener, fetch_files
from core.models.hub.repository import look_up
from core.models.hub.search import fetch_listing, wanted_files
from core.models.load import load_denoiser
from core.models.networks import build
from core.models.references import model_folder, parse_reference
from core.models.storage import CONFIG, ModelConfig, is_of_the_lab, read_model

OTHERWISE = "train with surrogates that stand in for it (--surrogate), or with --objective mse."


def read_pretrained(
    reference: str, *, on_progress: ProgressListener | None = None, should_stop: Callable[[], bool] | None = None
) -> tuple[nn.Module, ModelConfig]:
    """Read a denoiser that can be trained on, on the CPU: one of the Lab's, or deepinv's DRUNet (``hub/deepinv/drunet``).

    Raises LabError where the reference (bundled/, local/, trained/ or hub/OWNER/NAME[@REVISION]) is none, or cannot be read.
    """
    parsed = parse_reference(reference)
    if parsed.kind not in ("bundled", "local", "trained", "hub"):
        raise LabError(f"--start-from {reference!r}: expected bundled/NAME or local/PATH, or hub/OWNER/NAME of a denoiser.")
    if parsed.precision is not None:
        raise LabError(f"--start-from {reference!r}: weights are trained in float32; leave :{parsed.precision} out.")
    found: tuple[nn.Module, ModelConfig] | None = None
    if parsed.kind == "hub":
        repository = look_up(parsed.name, parsed.revision, should_stop=should_stop)
        with repository_lock(repository.name, should_stop=should_stop):
            listing = fetch_listing(repository, should_stop)
            if is_of_the_lab(listing.config):
                names = wanted_files(repository, listing, "denoiser")
                found = read_model(fetch_files(repository, names, on_progress=on_progress, should_stop=should_stop))
    else:
        folder = model_folder(parsed)
        if _is_lab_folder(folder):
            found = read_model(folder)
    if found is None:
        loaded = load_denoiser(reference, on_progress=on_progress, should_stop=should_stop)
        return _drunet(loaded, reference)
    network, saved = found
    if saved.kind != "denoiser":
        raise LabError(f"{reference!r} is a {saved.kind}, but a denoiser is needed to start from.")
    return network, saved


def _is_lab_folder(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and is_of_the_lab(read_json_object(folder / CONFIG))


def _drunet(loaded: object, reference: str) -> tuple[nn.Module, ModelConfig]:
    if getattr(loaded, "architecture", None) != "DRUNet":
        raise LabError(
            f"{reference!r} cannot be trained on: start from a denoiser that the Lab trained, or from deepinv's DRUNet."
        )
    network = build("denoiser", "drunet", {})
    try:
        network.network.load_state_dict(loaded.network.network.state_dict())  # type: ignore[attr-defined, union-attr]
    except RuntimeError as error:
        raise LabError(f"{reference!r} is a DRUNet of another size than deepinv publishes: it cannot be trained on.") from error
    return network, ModelConfig("denoiser", "drunet", {})


def check_gradients(
    classifier: nn.Module, name: str, size: tuple[int, int], device: torch.device, *, otherwise: str = OTHERWISE
) -> None:
    """See that gradients come back through a classifier on ``device`` to the pixels, (height, width) = ``size``.

    Raises LabError where none do, with what to do ``otherwise``, or pictures of this size cannot be classified.
    """
    pixels = torch.rand((2, 3, *size), generator=torch.Generator().manual_seed(0)).to(device).requires_grad_(True)
    try:
        logits = classifier(pixels)
        found = torch.autograd.grad(logits.float().square().sum(), pixels)[0] if logits.requires_grad else None
    except RuntimeError as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"{name} cannot be trained through with pictures of {size[1]} x {size[0]} pixels: {first}") from error
    if found is None or not bool(torch.isfinite(found).all()) or not bool(found.any()):
        raise LabError(f"{name} gives no gradients, which training through it (white-box) needs: {otherwise}")
