"""`models --search`, `--details`, `--cached` and `--delete`: the Hub and its cache on the terminal."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from core.commands.terminal import print_json, remark
from core.models.hub.cached import CachedRepository, cached, delete
from core.models.hub.details import details
from core.models.hub.download import gigabytes
from core.models.hub.search import Found, search
from core.models.references import pinned

SHOWN_LABELS = 12


def print_found(text: str, task: str, limit: int, only_loadable: bool, as_json: bool) -> int:
    """Search and list, one repository a line.

    Raises:
        LabError: as :func:`core.models.hub.search.search`.
    """
    found = search(text, task, limit=limit, only_loadable=only_loadable)
    if as_json:
        print_json({"search": text, "task": task, "found": [asdict(entry) for entry in found]})
        return 0
    for entry in found:
        print(f"{entry.ref:60} {_line(entry)}")
    if not found:
        print(f"nothing on the Hub fits {text!r}: try fewer words, or leave out --only-loadable")
    return 0


def _line(entry: Found) -> str:
    parts = [
        "" if entry.downloads is None else f"{entry.downloads:,} downloads",
        "" if entry.likes is None else f"{entry.likes:,} likes",
        entry.license or "",
        "" if entry.bytes is None else gigabytes(entry.bytes),
        "gated" if entry.gated else "",
        "cached" if entry.cached else "",
        {True: "loads", False: "does not load", None: "may load"}[entry.loadable] + f": {entry.reason}",
    ]
    return ", ".join(part for part in parts if part)


def print_details(reference: str, kind: str, as_json: bool) -> int:
    """Say what a repository is and takes, before its weights are fetched.

    Raises:
        LabError: as :func:`core.models.hub.details.details`.
    """
    found = details(reference, kind)
    repository = found.repository
    if as_json:
        about: dict[str, Any] = asdict(repository)
        about |= {"ref": pinned(f"hub/{repository.name}", repository.commit), "needed": list(found.needed)}
        about |= {"bytes": found.bytes, "labels": found.labels, "problem": found.problem}
        print_json(about)
        return 0
    for note in repository.notes:
        remark(note)
    print(pinned(f"hub/{repository.name}", repository.commit))
    access = "private" if repository.private else "gated" if repository.gated else "public"
    print(f"  licence {repository.license or 'not named'}, {access}, made with {repository.library or 'an unnamed library'}")
    for file in repository.files:
        print(f"  {'needed' if file.name in found.needed else '      '} {gigabytes(file.size):>10}  {file.name}")
    if found.labels:
        more = "" if len(found.labels) <= SHOWN_LABELS else ", ..."
        print(f"  {len(found.labels)} classes: {', '.join(found.labels[:SHOWN_LABELS])}{more}")
    print(f"  {found.problem}" if found.problem else f"  to download: {gigabytes(found.bytes)}")
    return 0


def print_cached(as_json: bool) -> int:
    """List what the cache of the Hub holds."""
    entries = cached()
    if as_json:
        print_json({"cached": [asdict(entry) | {"folder": str(entry.folder)} for entry in entries]})
        return 0
    for entry in entries:
        print(f"hub/{entry.name:56} {_cached_line(entry)}")
    print(f"{gigabytes(sum(entry.bytes for entry in entries))} in all" if entries else "nothing of the Hub is cached")
    return 0


def _cached_line(entry: CachedRepository) -> str:
    parts = [gigabytes(entry.bytes)]
    parts += [f"commit {revision.commit[:12]} {' '.join(revision.refs)}".strip() for revision in entry.revisions]
    if entry.incomplete_bytes:
        parts.append(f"{gigabytes(entry.incomplete_bytes)} of a broken download")
    if entry.last_used:
        parts.append(f"last used {time.strftime('%Y-%m-%d', time.localtime(entry.last_used))}")
    return ", ".join(parts)


def print_deleted(name: str, as_json: bool) -> int:
    """Delete a repository from the cache.

    Raises:
        LabError: where it is not there.
    """
    name = name.strip().removeprefix("hub/")
    freed = delete(name)
    if as_json:
        print_json({"deleted": name, "bytes": freed})
    else:
        print(f"deleted {name}: {gigabytes(freed)} given back")
    return 0
