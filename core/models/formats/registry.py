"""The formats that models are published in, in the order in which they are asked whether a model is theirs."""

from pathlib import Path
from typing import Protocol

from core.errors import LabError, first_line
from core.models import storage
from core.models.formats import deepinv_models, diffusers_models, timm_models, torchvision_models, transformers_models
from core.models.formats.foreign import confined
from core.models.formats.listing import Listing, Loadability, list_path
from core.models.network import LoadedNetwork


class ModelFormat(Protocol):
    """One format: a module that judges by the listing, names the files that loading takes, and reads them."""

    def verdict(self, listing: Listing, kind: str, /) -> Loadability | None:
        """Whether it can be loaded as ``kind`` (``classifier`` or ``denoiser``); None where it is of another format."""

    def wanted(self, listing: Listing, /) -> list[str]:
        """The files that loading takes, beside those that describe it. Raises LabError where that cannot be told."""

    def read(self, folder: Path, listing: Listing, size: tuple[int, int] | None, /) -> LoadedNetwork:
        """The network behind the Lab's signature, for noise and certificate at (height, width); None for what suits.

        Raises LabError where a setting cannot be used, or the files do not fit.
        """


FORMATS: tuple[ModelFormat, ...] = (
    storage,
    timm_models,
    transformers_models,
    diffusers_models,
    torchvision_models,  # any other classifier
    deepinv_models,  # any other denoiser
)


def judge(listing: Listing, kind: str) -> Loadability:
    """Whether the Lab can load a model as ``kind``, ``classifier`` or ``denoiser``: no weights are read for it."""
    return _claim(listing, kind)[1]


def format_of(listing: Listing, kind: str, ref: str, aside: str = "") -> ModelFormat:
    """The format of a model that can be loaded, as far as its listing tells; ``aside`` is what else a message should say.

    Raises:
        LabError: with the reason, where it cannot.
    """
    form, found = _claim(listing, kind)
    if found.loadable is False:
        raise LabError(f"{ref!r} cannot be loaded as a {kind}: {found.reason}{aside}.")
    return form


def _claim(listing: Listing, kind: str) -> tuple[ModelFormat, Loadability]:
    refused = listing.refusal()
    for form in FORMATS:
        found = form.verdict(listing, kind)
        if found is not None:
            return form, Loadability(False, refused) if refused else found
    raise ValueError(f"{kind!r} is no kind of model")


def read_network(
    path: Path, kind: str, *, ref: str | None = None, listing: Listing | None = None, size: tuple[int, int] | None = None
) -> LoadedNetwork:
    """Whatever lies in a folder (a Hub snapshot or any other), or a weights file, by the reader of its format.

    Args:
        ref: its reference, for messages; by default local/PATH.
        listing: what the Hub lists; by default what is there.
        size: (height, width) for noise and certificate; None for what suits.

    Raises:
        LabError: where the format is unknown, files are missing or damaged, or it is of another kind.
    """
    ref = ref or f"local/{path}"
    listing = listing or list_path(path)
    form, folder = format_of(listing, kind, ref), path.parent if path.is_file() else path
    try:
        with confined(folder):
            return form.read(folder, listing, size)
    except (LabError, MemoryError):
        raise
    except Exception as error:  # files of strangers: every library fails in its own way
        why = first_line(error)
        raise LabError(f"{ref!r} cannot be loaded as a {kind}: its files do not fit together ({why}).") from error
