"""Which files of a repository a model needs, found out from its listing and its config alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.errors import LabError
from core.models.hub.download import fetch_files
from core.models.hub.loadable import judge
from core.models.hub.repository import HubRepository
from core.models.json_object import read_json_object

CONFIGS = (
    "config.json",
    "model_index.json",
    "unet/config.json",
    "scheduler/scheduler_config.json",
    "scheduler_config.json",
    "preprocessor_config.json",
    "card.json",
)
MAX_CONFIG_BYTES = 5_000_000


def read_config(repository: HubRepository, should_stop: Callable[[], bool] | None = None) -> dict[str, Any] | None:
    """The config of a repository (its own, else its U-Net's), after fetching the small files that describe a model.

    Raises:
        LabError: where they cannot be fetched or are no JSON.
    """
    present = [file for name in CONFIGS if (file := repository.file(name)) is not None]
    for file in present:
        if file.size > MAX_CONFIG_BYTES:
            raise LabError(
                f"{file.name!r} of {repository.name!r} has {file.size:,} bytes, which is no config: it is not loaded."
            )
    names = [file.name for file in present]
    folder = fetch_files(repository, names, should_stop=should_stop)
    name = next((name for name in ("config.json", "unet/config.json") if name in names), None)
    return None if name is None else read_json_object(folder / name, repr(repository.name))


def is_of_the_lab(config: dict[str, Any] | None) -> bool:
    """Whether a config is one that ``train-classifier`` or ``train-denoiser`` wrote."""
    return config is not None and config.get("kind") in ("classifier", "denoiser") and "architecture" in config


def needed_files(repository: HubRepository, config: dict[str, Any] | None, kind: str) -> list[str]:
    """The files that loading the repository as ``kind`` (``classifier`` or ``denoiser``) takes.

    Raises:
        LabError: with the reason, where it cannot be loaded.
    """
    names = repository.file_names
    verdict = judge(
        "image-classification" if kind == "classifier" else "denoiser",
        names,
        config,
        library=repository.library,
        hub_task=repository.task,
        tags=repository.tags,
    )
    if verdict.loadable is False:
        cached_only = " (only the cache was asked)" if repository.from_cache else ""
        raise LabError(f"'hub/{repository.name}' cannot be loaded as a {kind}: {verdict.reason}{cached_only}.")
    if is_of_the_lab(config):
        wanted = ["config.json", "model.safetensors"]
    elif kind == "classifier":
        from core.models.formats import classifiers

        wanted = classifiers.wanted_files(names, config)
    else:
        from core.models.formats import denoisers

        wanted = denoisers.wanted_files(names, config)
    described = [name for name in CONFIGS if name in names]
    return list(dict.fromkeys([*described, *wanted]))
