"""`models`: what there is to choose from, bundled, cached and on the Hub."""

import argparse
import time
from dataclasses import asdict
from typing import Any

from core.commands.options import add_options
from core.commands.terminal import print_result, remark
from core.errors import LabError
from core.models.catalogue import Entry, classifiers, denoisers
from core.models.hub.cached import CachedRepository, cached, delete_cached
from core.models.hub.download import gigabytes
from core.models.hub.search import TASKS, Found, details, search
from core.models.references import pinned
from core.plain_text import named

SHOWN_LABELS = 12


def add_models_verb(verbs: Any) -> None:
    parser = verbs.add_parser("models", help="list, search and delete classifiers and denoisers", allow_abbrev=False)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--search", metavar="TEXT", help="search the Hub; offline (HF_HUB_OFFLINE=1) the cache")
    what.add_argument("--details", metavar="REF", help="hub/OWNER/NAME[@REVISION] before it is downloaded")
    what.add_argument("--cached", action="store_true", help="list what was downloaded from the Hub")
    what.add_argument("--delete", metavar="OWNER/NAME", help="delete what was downloaded of a repository")
    add = parser.add_argument
    add("--task", choices=TASKS, default=TASKS[0], help="what to search for or look at (default: %(default)s)")
    add("--limit", type=int, default=20, help="most results of a search (default: %(default)s)")
    add("--only-loadable", action="store_true", help="leave out of a search what cannot be loaded")
    add_options(parser, "json")
    parser.set_defaults(run=run_models)


def run_models(args: argparse.Namespace) -> int:
    """List the bundled models with what their cards say, and the classical denoisers; or ask the Hub or its cache."""
    if args.search is not None:
        told = _found(args)
    elif args.details is not None:
        told = _details(args)
    elif args.cached:
        told = _cached()
    elif args.delete is not None:
        told = _deleted(args.delete)
    else:
        told = _bundled()
    print_result(args, *told)
    return 0


def _bundled() -> tuple[dict[str, Any], list[str]]:
    try:
        groups = {"classifiers": classifiers(), "denoisers": denoisers()}
    except (OSError, ValueError, AttributeError) as error:
        raise LabError(f"A bundled model cannot be listed ({error}): fetch assets/models again.") from error
    lines = []
    for name, entries in groups.items():
        lines += [f"{name}:", *(f"  {entry.ref:28} {_summary(entry)}" for entry in entries)]
        if not entries:
            lines.append("  none is bundled: 'python -m core train-classifier --help' says how to train one")
    lines += [
        "and local/PATH: a folder that train-classifier or train-denoiser wrote, or that holds a model of another library",
        "and torchvision/ARCH[@WEIGHTS], hub/OWNER/NAME[@REVISION]: 'python -m core models --search TEXT' searches the Hub",
    ]
    return {name: [_document(entry) for entry in entries] for name, entries in groups.items()}, lines


def _document(entry: Entry) -> dict[str, Any]:
    config = entry.config
    return {
        "ref": entry.ref,
        "title": entry.title,
        "architecture": None if config is None else config.architecture,
        "input_size": None if config is None else list(config.input_size),
        "labels": None if config is None or config.labels is None else list(config.labels),
        "sigma_range": None if entry.sigma_range is None else list(entry.sigma_range),
        "bytes": entry.bytes,
        "card": entry.card,
    }


def _summary(entry: Entry) -> str:
    """Title, what it was measured at, and its size, in one line."""
    card, parts = entry.card, [entry.title]
    if entry.config is not None and entry.config.labels is not None:
        parts.append(f"{len(entry.config.labels)} classes")
    if "test_accuracy" in card:
        parts.append(f"{100 * card['test_accuracy']:.1f}% right on {card.get('test_images', 0):,} test pictures")
    noisy = card.get(f"test_accuracy_{card.get('noise_sigma', 0):g}")
    if noisy is not None:
        parts.append(f"{100 * noisy:.1f}% with its noise")
    if entry.sigma_range is not None:
        low, high = entry.sigma_range
        parts.append(f"sigma {low:g} to {high:g}" if low < high else f"sigma {low:g}")
    if card.get("classifier"):
        parts.append(f"{card.get('objective')} for {card['classifier']}")
    share = (card.get("test") or {}).get("one_shot_accuracy_0.25")
    if share is not None:
        parts.append(f"{100 * share:.1f}% right after one draw at sigma 0.25")
    if entry.bytes:
        parts.append(f"{entry.bytes / 1e6:.1f} MB")
    return ", ".join(parts)


def _found(args: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    found = search(args.search, args.task, limit=args.limit, only_loadable=args.only_loadable)
    lines = [f"{entry.ref:60} {_line(entry)}" for entry in found]
    nothing = f"nothing on the Hub fits {args.search!r}: try fewer words, or leave out --only-loadable"
    return {"search": args.search, "task": args.task, "found": [asdict(entry) for entry in found]}, lines or [nothing]


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


def _details(args: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    found = details(args.details, "classifier" if args.task == TASKS[0] else "denoiser")
    repository = found.repository
    reference = pinned(f"hub/{repository.name}", repository.commit)
    about = asdict(repository) | {"ref": reference, "needed": list(found.needed)}
    about |= {"bytes": found.bytes, "labels": found.labels, "problem": found.problem}
    if not args.json:
        for note in repository.notes:
            remark(note)
    access = "private" if repository.private else "gated" if repository.gated else "public"
    made = f"licence {repository.license or 'not named'}, {access}, made with {repository.library or 'an unnamed library'}"
    needed = {file: "needed" if file.name in found.needed else "      " for file in repository.files}
    lines = [reference, f"  {made}", *(f"  {word} {gigabytes(file.size):>10}  {file.name}" for file, word in needed.items())]
    if found.labels:
        more = "" if len(found.labels) <= SHOWN_LABELS else ", ..."
        lines.append(f"  {len(found.labels)} classes: {', '.join(map(named, found.labels[:SHOWN_LABELS]))}{more}")
    return about, [*lines, f"  {found.problem}" if found.problem else f"  to download: {gigabytes(found.bytes)}"]


def _cached() -> tuple[dict[str, Any], list[str]]:
    entries = cached()
    lines = [f"hub/{entry.name:56} {_cached_line(entry)}" for entry in entries]
    lines.append(f"{gigabytes(sum(entry.bytes for entry in entries))} in all" if entries else "nothing of the Hub is cached")
    return {"cached": [asdict(entry) | {"folder": str(entry.folder)} for entry in entries]}, lines


def _cached_line(entry: CachedRepository) -> str:
    parts = [gigabytes(entry.bytes)]
    parts += [f"commit {revision.commit[:12]} {' '.join(revision.refs)}".strip() for revision in entry.revisions]
    if entry.incomplete_bytes:
        parts.append(f"{gigabytes(entry.incomplete_bytes)} of a broken download")
    if entry.last_used:
        parts.append(f"last used {time.strftime('%Y-%m-%d', time.localtime(entry.last_used))}")
    return ", ".join(parts)


def _deleted(name: str) -> tuple[dict[str, Any], list[str]]:
    name = name.strip().removeprefix("hub/")
    freed = delete_cached(name)
    return {"deleted": name, "bytes": freed}, [f"deleted {name}: {gigabytes(freed)} given back"]
