"""A repository before it is downloaded: what it is, what it takes, and what stands against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.errors import LabError
from core.models.hub.repository import HubRepository, look_up
from core.models.hub.selection import needed_files, read_config
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
    config: dict[str, Any] | None = None
    try:
        config = read_config(repository, should_stop)
        needed = needed_files(repository, config, kind)
    except LabError as error:
        return Details(repository, (), 0, in_order(config_labels(config or {})), str(error))
    size = sum(file.size for file in repository.files if file.name in needed)
    return Details(repository, tuple(needed), size, in_order(config_labels(config or {})), None)
