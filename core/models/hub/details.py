"""A repository before it is downloaded: what it is, what it takes, and what stands against it."""

from collections.abc import Callable
from dataclasses import dataclass

from core.errors import LabError
from core.models.formats.listing import CONFIGS, MAX_CONFIG_BYTES, Listing, read_json_object
from core.models.hub.download import fetch_files
from core.models.hub.repository import HubRepository, look_up
from core.models.labels import config_labels, in_order
from core.models.references import parse_reference


@dataclass(frozen=True)
class Details:
    """What is known of a model of the Hub before its weights are fetched.

    Attributes:
        repository: commit, files with sizes, licence, tags, access, notes.
        needed: the files that loading takes; empty where it cannot be loaded.
        bytes: their size together.
        labels: class names as the config lists them; None for denoisers and where nothing names them.
        problem: one sentence where it cannot be loaded or read; None where it can.
    """

    repository: HubRepository
    needed: tuple[str, ...]
    bytes: int
    labels: tuple[str, ...] | None
    problem: str | None


def details(reference: str, kind: str = "classifier", *, should_stop: Callable[[], bool] | None = None) -> Details:
    """Look at ``hub/OWNER/NAME[@REVISION]``: only its small config files are downloaded.

    Args:
        reference: of the repository.
        kind: ``classifier`` or ``denoiser``, what it is to be used as.
        should_stop: give it up.

    Raises:
        LabError: where it is no Hub reference, or the Hub does not know it.
    """
    parsed = parse_reference(reference)
    if parsed.kind != "hub":
        raise LabError(f"{reference!r} is not on the Hub: expected hub/OWNER/NAME[@REVISION].")
    repository = look_up(parsed.name, parsed.revision, should_stop=should_stop)
    listing = Listing(tuple(repository.file_names))
    try:
        listing = fetch_listing(repository, should_stop)
        needed = wanted_files(repository, listing, kind)
        problem = None
    except LabError as error:
        needed, problem = [], str(error)
    size = sum(file.size for file in repository.files if file.name in needed)
    labels = in_order(config_labels(listing.config))
    return Details(repository, tuple(needed), bytes=size, labels=labels, problem=problem)


def fetch_listing(repository: HubRepository, should_stop: Callable[[], bool] | None = None) -> Listing:
    """What a repository holds, with its config, after fetching the small files that describe a model.

    Raises:
        LabError: where they cannot be fetched or are no JSON.
    """
    present = [file for name in CONFIGS if (file := repository.file(name)) is not None]
    for file in present:
        if file.size > MAX_CONFIG_BYTES:
            raise LabError(
                f"{file.name!r} of {repository.name!r} has {file.size:,} bytes, which is no config: it is not loaded."
            )
    folder = fetch_files(repository, [file.name for file in present], should_stop=should_stop)
    name = next((name for name in ("config.json", "unet/config.json") if repository.file(name)), None)
    config = {} if name is None else read_json_object(folder / name, repr(repository.name))
    names = tuple(repository.file_names)
    return Listing(names, config, library=repository.library, task=repository.task, tags=repository.tags)


def wanted_files(repository: HubRepository, listing: Listing, kind: str) -> list[str]:
    """The files that loading a repository as ``kind`` (``classifier`` or ``denoiser``) takes.

    Raises:
        LabError: with the reason, where it cannot be loaded.
    """
    from core.models.formats.registry import format_of  # not before it is needed: it brings torch

    aside = " (only the cache was asked)" if repository.from_cache else ""
    form = format_of(listing, kind, f"hub/{repository.name}", aside)
    return list(dict.fromkeys([*(name for name in CONFIGS if name in listing.names), *form.wanted(listing)]))
