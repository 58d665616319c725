"""Finding a model on the Hub: a search, what is known to be of use, and what a repository is before it is downloaded."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from core.errors import LabError
from core.folders import ASSETS
from core.models.formats.listing import CONFIGS, MAX_CONFIG_BYTES, SUFFIXES, Listing, read_json_object
from core.models.hub.access import TIMEOUT_SECONDS, ask_hub, endpoint, is_offline, request_headers
from core.models.hub.cached import CachedRepository, cached
from core.models.hub.download import fetch_files
from core.models.hub.repository import HubRepository, described, look_up
from core.models.labels import config_labels, labels_for
from core.models.references import parse_reference

TASKS = ("image-classification", "denoiser")
MAX_FOUND = 100
CURATED_FILE = ASSETS / "models" / "hub.json"

_SHOWN = ["cardData", "config", "downloads", "gated", "library_name", "likes", "pipeline_tag", "private", "safetensors"]
_SHOWN += ["siblings", "tags", "usedStorage"]
# The Hub has no task called denoising: pixel diffusion models, deepinv's repositories and the Lab's own are gathered.
_QUERIES: dict[str, tuple[dict[str, Any], ...]] = {
    "image-classification": ({"pipeline_tag": "image-classification"},),
    "denoiser": (
        {"pipeline_tag": "unconditional-image-generation", "filter": "diffusers"},
        {"author": "deepinv"},
        {"filter": "denoised-smoothing-lab"},
    ),
}


@dataclass(frozen=True)
class Found:
    """One repository that a search found, as the Hub describes it; None stands for what it does not say.
    ``ref``: the reference that loads it. ``bytes``: size of its weights, else of all files. ``loadable``: whether the Lab can
    load it, with half a ``reason``; None where only its files can tell. ``cached``: whether some of it is in the cache."""

    name: str
    ref: str
    downloads: int | None = None
    likes: int | None = None
    license: str | None = None
    bytes: int | None = None
    library: str | None = None
    task: str | None = None
    tags: tuple[str, ...] = ()
    gated: bool = False
    private: bool = False
    loadable: bool | None = None
    reason: str = ""
    cached: bool = False


def search(
    text: str = "",
    task: str = "image-classification",
    *,
    limit: int = 20,
    only_loadable: bool = False,
    should_stop: Callable[[], bool] | None = None,
) -> list[Found]:
    """Search the Hub for names with the words of ``text``, the most downloaded first, at most ``limit`` and :data:`MAX_FOUND`;
    offline (HF_HUB_OFFLINE=1) list what is cached. ``task`` is one of :data:`TASKS`; ``only_loadable`` leaves out what the Lab
    surely cannot load. Raises LabError where the task is unknown or the Hub cannot be asked."""
    if task not in TASKS:
        raise LabError(f"Unknown task {task!r}: choose one of {', '.join(TASKS)}.")
    if not 1 <= limit <= MAX_FOUND:
        raise LabError(f"The limit {limit} is out of range: expected 1 to {MAX_FOUND}.")
    here = {entry.name: entry for entry in cached()}
    if is_offline():
        words = text.lower().split()
        return [_offline(entry) for name, entry in here.items() if all(word in name.lower() for word in words)][:limit]
    # Some entries fall away as not loadable or are found twice.
    asked = min(3 * limit, MAX_FOUND) if only_loadable else limit
    found = ask_hub(text.strip() or task, lambda: list(_ask(text.strip(), task, asked)), should_stop)
    entries = {info.id: _entry(info, task, info.id in here) for info in found}
    kept = [entry for entry in entries.values() if not (only_loadable and entry.loadable is False)]
    return sorted(kept, key=lambda entry: -(entry.downloads or 0))[:limit]


def _ask(text: str, task: str, limit: int) -> Iterator[Any]:
    # One page is enough, and the library's own listing waits for minutes where the Hub asks for patience.
    from huggingface_hub import ModelInfo, get_session
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

    for query in _QUERIES[task]:
        asked: dict[str, Any] = {"sort": "downloads", "limit": limit, "expand": _SHOWN, **query}
        asked |= {"search": text} if text else {}
        answer = get_session().get(f"{endpoint()}/api/models", params=asked, headers=request_headers(), timeout=TIMEOUT_SECONDS)
        hf_raise_for_status(answer)
        for item in answer.json():
            yield ModelInfo(**item)


def _entry(info: Any, task: str, is_cached: bool) -> Found:
    from core.models.formats.registry import judge  # not before it is needed: it brings torch

    about, names = described(info), tuple(sibling.rfilename for sibling in info.siblings or ())
    listing = Listing(names, info.config or {}, library=about["library"], task=about["task"], tags=about["tags"])
    verdict = judge(listing, "classifier" if task == "image-classification" else task)
    about |= {"bytes": _bytes(info), "loadable": verdict.loadable, "reason": verdict.reason, "cached": is_cached}
    return Found(info.id, f"hub/{info.id}", **about)


_BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}


def _bytes(info: Any) -> int | None:
    """Size of the weights, from the counted parameters of each type; else of everything that was ever stored."""
    if info.safetensors is not None and info.safetensors.parameters:
        return sum(count * _BYTES.get(kind, 1) for kind, count in info.safetensors.parameters.items())
    used: int | None = info.used_storage
    return used


def _offline(entry: CachedRepository) -> Found:
    whole = any(file.endswith(SUFFIXES) for revision in entry.revisions[:1] for file in revision.files)
    loadable, reason = (None, "cached") if whole else (False, "only a part of it is cached")
    return Found(entry.name, f"hub/{entry.name}", bytes=entry.bytes, loadable=loadable, reason=reason, cached=True)


@dataclass(frozen=True)
class Curated:
    """A repository of the Hub that is known to be of use here, one click away in the app.
    Names and remarks were gathered by hand; whether each still is as described, the Hub says when it is opened.
    ``kind``: ``classifier`` or ``denoiser``, trained on the data set ``data``. ``remark``: half a sentence for people."""

    ref: str
    kind: str
    data: str
    remark: str


@cache
def curated(kind: str) -> list[Curated]:
    """The known classifiers or denoisers."""
    known = [Curated(**entry) for entry in json.loads(CURATED_FILE.read_text(encoding="utf-8"))]
    return [entry for entry in known if entry.kind == kind]


@dataclass(frozen=True)
class Details:
    """What is known of a model of the Hub before its weights are fetched: the files ``needed``, of so many ``bytes``;
    the ``labels`` that its config lists, else None; the ``problem``, a sentence where it cannot be loaded, else None."""

    repository: HubRepository
    needed: tuple[str, ...]
    bytes: int
    labels: tuple[str, ...] | None
    problem: str | None


def details(reference: str, kind: str = "classifier", *, should_stop: Callable[[], bool] | None = None) -> Details:
    """Look at ``hub/OWNER/NAME[@REVISION]`` as a ``classifier`` or ``denoiser``: only its small config files are downloaded.
    Raises LabError where it is no Hub reference, or the Hub does not know it."""
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
    labels, _ = labels_for(config_labels(listing.config))
    return Details(repository, tuple(needed), bytes=size, labels=labels, problem=problem)


def fetch_listing(repository: HubRepository, should_stop: Callable[[], bool] | None = None) -> Listing:
    """What a repository holds, with its config, after fetching the small files that describe a model.
    Raises LabError where they cannot be fetched or are no JSON."""
    present = [file for name in CONFIGS if (file := repository.file(name)) is not None]
    for file in present:
        if file.size > MAX_CONFIG_BYTES:
            raise LabError(
                f"{file.name!r} of {repository.name!r} has {file.size:,} bytes, which is no config: choose another model."
            )
    folder = fetch_files(repository, [file.name for file in present], should_stop=should_stop)
    name = next((name for name in ("config.json", "unet/config.json") if repository.file(name)), None)
    config = {} if name is None else read_json_object(folder / name, repr(repository.name))
    names = tuple(repository.file_names)
    return Listing(names, config, library=repository.library, task=repository.task, tags=repository.tags)


def wanted_files(repository: HubRepository, listing: Listing, kind: str) -> list[str]:
    """The files that loading a repository as ``kind`` (``classifier`` or ``denoiser``) takes.
    Raises LabError with the reason, where it cannot be loaded."""
    from core.models.formats import registry  # not before it is needed: it brings torch

    aside = " (only the cache was asked)" if repository.from_cache else ""
    wanted = registry.files_to_load(listing, kind, f"hub/{repository.name}", aside)
    return list(dict.fromkeys([*(name for name in CONFIGS if name in listing.names), *wanted]))
