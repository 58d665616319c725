"""Search on the Hub: what fits a text and a task, with the numbers to choose by and whether the Lab can load it; and what is
known to be of use.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from core.errors import LabError
from core.folders import ASSETS
from core.models.formats.listing import SUFFIXES, Listing
from core.models.hub.access import TIMEOUT_SECONDS, endpoint, is_offline, request_headers, run_stoppable, telling
from core.models.hub.cached import CachedRepository, cached
from core.models.hub.repository import license_of

TASKS = ("image-classification", "denoiser")
MAX_FOUND = 100
CURATED_FILE = ASSETS / "models" / "hub.json"

_SHOWN = [
    "cardData",
    "config",
    "downloads",
    "gated",
    "library_name",
    "likes",
    "pipeline_tag",
    "private",
    "safetensors",
    "siblings",
    "tags",
    "usedStorage",
]
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
    """One repository that a search found.

    Attributes:
        name: ``OWNER/NAME``.
        ref: the reference that loads it.
        downloads, likes: as the Hub counts them; None offline.
        license: None where nothing is said.
        bytes: size of its weights, else of all files; None where the Hub does not say.
        library, task, tags: as the Hub names them.
        gated, private: whether a token is needed.
        loadable: whether the Lab can load it; None where only its files can tell.
        reason: half a sentence about that.
        cached: whether some of it is in the cache.
    """

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
    """Search the Hub, the most downloaded first; offline (HF_HUB_OFFLINE=1) list what is cached.

    Args:
        text: words that occur in the name; empty for all.
        task: ``image-classification`` or ``denoiser``.
        limit: most entries, up to :data:`MAX_FOUND`.
        only_loadable: leave out what the Lab surely cannot load.
        should_stop: give the search up.

    Raises:
        LabError: where the task is unknown or the Hub cannot be asked.
    """
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
    with telling(text.strip() or task):
        found = run_stoppable(lambda _: list(_ask(text.strip(), task, asked)), should_stop)
    entries = {info.id: _entry(info, task, info.id in here) for info in found}
    kept = [entry for entry in entries.values() if not (only_loadable and entry.loadable is False)]
    return sorted(kept, key=lambda entry: -(entry.downloads or 0))[:limit]


def _ask(text: str, task: str, limit: int) -> Iterator[Any]:
    # One page is enough, and the library's own listing waits for minutes where the Hub asks for patience.
    from huggingface_hub import ModelInfo, get_session
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

    for query in _QUERIES[task]:
        asked: dict[str, Any] = (
            {"sort": "downloads", "limit": limit, "expand": _SHOWN} | query | ({"search": text} if text else {})
        )
        answer = get_session().get(f"{endpoint()}/api/models", params=asked, headers=request_headers(), timeout=TIMEOUT_SECONDS)
        hf_raise_for_status(answer)
        for item in answer.json():
            yield ModelInfo(**item)


def _entry(info: Any, task: str, is_cached: bool) -> Found:
    from core.models.formats.registry import judge  # not before it is needed: it brings torch

    names, tags = tuple(sibling.rfilename for sibling in info.siblings or ()), tuple(info.tags or ())
    listing = Listing(names, info.config or {}, library=info.library_name, task=info.pipeline_tag, tags=tags)
    verdict = judge(listing, "classifier" if task == "image-classification" else task)
    return Found(
        name=info.id,
        ref=f"hub/{info.id}",
        downloads=info.downloads,
        likes=info.likes,
        license=license_of(info.card_data, info.tags),
        bytes=_bytes(info),
        library=info.library_name,
        task=info.pipeline_tag,
        tags=tags,
        gated=bool(info.gated),
        private=bool(info.private),
        loadable=verdict.loadable,
        reason=verdict.reason,
        cached=is_cached,
    )


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

    Attributes:
        ref: its reference.
        kind: ``classifier`` or ``denoiser``.
        data: the data set it was trained on.
        remark: half a sentence for people.
    """

    ref: str
    kind: str
    data: str
    remark: str


@cache
def curated(kind: str) -> list[Curated]:
    """The known classifiers or denoisers."""
    known = [Curated(**entry) for entry in json.loads(CURATED_FILE.read_text(encoding="utf-8"))]
    return [entry for entry in known if entry.kind == kind]
