"""The cache of the Hub: what it holds, how much room it takes, one change at a time, and how room is given back."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import LabError
from core.models.hub.access import DownloadStoppedError, cache_folder, repository_folder
from core.models.references import check_repository_name

_held = threading.local()


@dataclass(frozen=True)
class CachedRevision:
    """One commit in the cache: the branches and tags that stood for it when they were asked for, and the names of its files, of
    so many bytes together.
    """

    commit: str
    refs: tuple[str, ...]
    bytes: int
    files: tuple[str, ...]


@dataclass(frozen=True)
class CachedRepository:
    """One repository in the cache, of the kind ``model`` or ``dataset``, with its commits, the newest first.
    ``bytes``: what it takes on the disk, with the pieces of broken downloads; ``incomplete_bytes`` those pieces alone.
    ``last_used``: when a file was last read, in seconds since 1970; 0 where nothing is complete."""

    name: str
    kind: str
    bytes: int
    incomplete_bytes: int
    revisions: tuple[CachedRevision, ...]
    last_used: float
    folder: Path


def cached(kind: str = "model") -> list[CachedRepository]:
    """The cached repositories, the one used last first. Those that another program left damaged are passed over."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        scan = scan_cache_dir(cache_folder())
    except (CacheNotFound, ValueError):
        return []
    found = {}
    for repository in scan.repos:
        if repository.repo_type != kind:
            continue
        revisions = tuple(
            CachedRevision(
                revision.commit_hash,
                tuple(sorted(revision.refs)),
                revision.size_on_disk,
                tuple(sorted(file.file_path.relative_to(revision.snapshot_path).as_posix() for file in revision.files)),
            )
            for revision in sorted(repository.revisions, key=lambda revision: -revision.last_modified)
        )
        loose = _incomplete_bytes(repository.repo_path)
        found[repository.repo_id] = CachedRepository(
            repository.repo_id,
            kind,
            bytes=repository.size_on_disk + loose,
            incomplete_bytes=loose,
            revisions=revisions,
            last_used=repository.last_accessed,
            folder=repository.repo_path,
        )
    for folder in cache_folder().glob(f"{kind}s--*--*"):  # nothing but pieces of a download: no repository to the library
        name = folder.name.removeprefix(f"{kind}s--").replace("--", "/")
        loose = _incomplete_bytes(folder)
        if name not in found and loose:
            found[name] = CachedRepository(
                name, kind, bytes=loose, incomplete_bytes=loose, revisions=(), last_used=0.0, folder=folder
            )
    return sorted(found.values(), key=lambda repository: (-repository.last_used, repository.name))


@contextmanager
def repository_lock(name: str, kind: str = "model", should_stop: Callable[[], bool] | None = None) -> Iterator[None]:
    """Have a repository of the cache to oneself. The thread that holds it may take it again.
    Raises DownloadStoppedError where ``should_stop`` says so while another one holds it."""
    key = str(repository_folder(name, kind))
    names: set[str] = _held.__dict__.setdefault("names", set())
    if key in names:
        yield
        return
    with ExitStack() as stack:
        _take(stack, name, kind, should_stop)
        names.add(key)
        try:
            yield
        finally:
            names.discard(key)


def _take(stack: ExitStack, name: str, kind: str, should_stop: Callable[[], bool] | None) -> None:
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    path = cache_folder() / ".locks" / repository_folder(name, kind).name / "lab.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a cache that nobody can write to needs no lock
    while True:
        try:
            stack.enter_context(WeakFileLock(path, timeout=0.2))
            return
        except TimeoutError:
            if should_stop is not None and should_stop():
                raise DownloadStoppedError(
                    f"The wait for {name!r}, which is being downloaded or deleted already, was stopped."
                ) from None
        except PermissionError:
            return


def delete_cached(name: str, *, kind: str = "model") -> int:
    """Take a repository out of the cache, all commits; give the bytes it took. Waits for a download of it that is under way.
    Raises LabError where it is not in the cache or cannot be deleted."""
    check_repository_name(name)
    entry = next((entry for entry in cached(kind) if entry.name == name), None)
    folder = repository_folder(name, kind)
    if entry is None and not folder.is_dir():
        raise LabError(f"{name!r} is not in the cache: 'python -m core models --cached' lists what is.")
    with repository_lock(name, kind):
        try:
            if folder.is_dir():
                shutil.rmtree(folder)
        except OSError as error:
            raise LabError(
                f"{name!r} cannot be deleted from {str(folder)!r} ({error.strerror}): close what uses it."
            ) from error
    return 0 if entry is None else entry.bytes


def _incomplete_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "blobs").glob("*.incomplete"))
