"""One download, reading or deletion of a repository at a time, across threads and processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from core.models.hub.mistakes import DownloadStoppedError
from core.models.hub.settings import cache_folder, repository_folder

_held = threading.local()


@contextmanager
def repository_lock(name: str, kind: str = "model", should_stop: Callable[[], bool] | None = None) -> Iterator[None]:
    """Have a repository of the cache to oneself. The thread that holds it may take it again.

    Raises:
        DownloadStoppedError: where ``should_stop`` says so while another one holds it.
    """
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
