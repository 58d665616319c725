"""`models`: what there is to choose from, bundled, cached and on the Hub."""

import argparse
import time
from dataclasses import asdict
from typing import Any

from core.commands.options import add_options
from core.commands.terminal import print_json, remark, say
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
    parser.add_argument("--task", choices=TASKS, default=TASKS[0], help="what to search for or look at (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=20, help="most results of a search (default: %(default)s)")
    parser.add_argument("--only-loadable", action="store_true", help="leave out of a search what cannot be loaded")
    add_options(parser, "json")
    parser.set_defaults(run=run_models)


def run_models(args: argparse.Namespace) -> int:
    """List the bundled models with what their cards say, and the classical denoisers; or ask the Hub or its cache."""
    if args.search is not None:
        return print_found(args)
    if args.details is not None:
        return print_details(args.details, "classifier" if args.task == TASKS[0] else "denoiser", args.json)
    if args.cached:
        return print_cached(args.json)
    if args.delete is not None:
        return print_deleted(args.delete, args.json)
    return _list_bundled(args)


def _list_bundled(args: argparse.Namespace) -> int:
    try:
        groups = {"classifiers": classifiers(), "denoisers": denoisers()}
    except (OSError, ValueError, AttributeError) as error:
        raise LabError(f"A bundled model cannot be listed ({error}): fetch assets/models again.") from error
    if args.json:
        print_json({name: [_document(entry) for entry in entries] for name, entries in groups.items()})
        return 0
    for name, entries in groups.items():
        say(f"{name}:")
        if not entries:
            say("  none is bundled: 'python -m core train-classifier --help' says how to train one")
        for entry in entries:
            say(f"  {entry.ref:28} {_summary(entry)}")
    say("and local/PATH: a folder that train-classifier or train-denoiser wrote, or that holds a model of another library")
    say("and torchvision/ARCH[@WEIGHTS], hub/OWNER/NAME[@REVISION]: 'python -m core models --search TEXT' searches the Hub")
    return 0


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
    parts += [
        f"{100 * share:.1f}% right after one draw at sigma {name.removeprefix('one_shot_accuracy_')}"
        for name, share in (card.get("test") or {}).items()
        if name == "one_shot_accuracy_0.25"
    ]
    if entry.bytes:
        parts.append(f"{entry.bytes / 1e6:.1f} MB")
    return ", ".join(parts)


def print_found(args: argparse.Namespace) -> int:
    found = search(args.search, args.task, limit=args.limit, only_loadable=args.only_loadable)
    if args.json:
        print_json({"search": args.search, "task": args.task, "found": [asdict(entry) for entry in found]})
        return 0
    for entry in found:
        say(f"{entry.ref:60} {_line(entry)}")
    if not found:
        say(f"nothing on the Hub fits {args.search!r}: try fewer words, or leave out --only-loadable")
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
    """Say what a repository is and takes, before its weights are fetched."""
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
    say(pinned(f"hub/{repository.name}", repository.commit))
    access = "private" if repository.private else "gated" if repository.gated else "public"
    say(f"  licence {repository.license or 'not named'}, {access}, made with {repository.library or 'an unnamed library'}")
    for file in repository.files:
        say(f"  {'needed' if file.name in found.needed else '      '} {gigabytes(file.size):>10}  {file.name}")
    if found.labels:
        more = "" if len(found.labels) <= SHOWN_LABELS else ", ..."
        say(f"  {len(found.labels)} classes: {', '.join(map(named, found.labels[:SHOWN_LABELS]))}{more}")
    say(f"  {found.problem}" if found.problem else f"  to download: {gigabytes(found.bytes)}")
    return 0


def print_cached(as_json: bool) -> int:
    entries = cached()
    if as_json:
        print_json({"cached": [asdict(entry) | {"folder": str(entry.folder)} for entry in entries]})
        return 0
    for entry in entries:
        say(f"hub/{entry.name:56} {_cached_line(entry)}")
    say(f"{gigabytes(sum(entry.bytes for entry in entries))} in all" if entries else "nothing of the Hub is cached")
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
    """Delete a repository from the cache. Raises LabError where it is not there."""
    name = name.strip().removeprefix("hub/")
    freed = delete_cached(name)
    if as_json:
        print_json({"deleted": name, "bytes": freed})
    else:
        say(f"deleted {name}: {gigabytes(freed)} given back")
    return 0
