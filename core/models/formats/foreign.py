"""Libraries of strangers, and what models of strangers may do with them.

A config may set numbers, switches and words, never paths, addresses or code (:func:`is_plain`). While a model is built
and read (:func:`confined`), nothing is unpickled, no file outside its folder is opened, nothing is written, no process is
started and nobody is called, whatever a library offers for that.

Registry wheels of torchvision are built against CUDA. Beside a CPU build of torch their operators cannot be loaded, and
``import torchvision`` fails when it describes one that is not there (pytorch/vision issues 9077 and 9085). Models and
transforms use none of them: declaring the two is enough.
"""

import importlib.util
import os
import re
import sys
import sysconfig
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from core.errors import LabError
from core.folders import ROOT

LARGEST = 300_000
"""The largest number that a config may set, and sum of a list of them: no network has a layer so wide, or so many."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]{0,63}")
_OF_LOADERS = re.compile(
    r"pretrained|checkpoint|backbone|features_only|implementation|kernels|remote|auto_map|model_args"
    r"|(^|_)(device|dtype|url|file|path|dir|token|weights)$"
)
"""Names of settings that belong to whoever loads a network, in any library."""

_lock = threading.Lock()
_declared: list[torch.library.Library] = []


def import_library(name: str) -> ModuleType:
    """Import torchvision, timm, transformers, diffusers or deepinv (or a module of theirs) where it is needed.
    Raises ModuleNotFoundError where it is not installed."""
    with _lock, _confinement(None):
        if not _declared and not hasattr(torch.ops.torchvision, "nms"):
            _declare_missing()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strangers' imports: nothing that a user of the Lab could act on
            return import_module(name)


@contextmanager
def quiet(library: Any) -> Iterator[None]:
    """Without the reports and progress bars of transformers or diffusers, which would go to the user's terminal."""
    logging = library.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def is_plain(value: object, depth: int = 4) -> bool:
    """Whether a setting is a switch, a number within reason, a word, None, or a list or table of these."""
    if isinstance(value, str):
        return _WORD.fullmatch(value) is not None
    if isinstance(value, list | tuple):
        within = sum(abs(one) for one in value if isinstance(one, int)) <= LARGEST
        return depth > 0 and len(value) <= 1000 and within and all(is_plain(one, depth - 1) for one in value)
    if isinstance(value, dict):
        return is_plain(list(value), depth) and is_plain(list(value.values()), depth)
    most = LARGEST * (100 if isinstance(value, float) else 1)  # no float counts anything
    return value is None or (isinstance(value, int | float) and abs(value) <= most)


def is_of_network(name: object) -> bool:
    """Whether a setting's name is not one by which networks are loaded: from where, with which rights, onto which device."""
    return isinstance(name, str) and not name.startswith("_") and _OF_LOADERS.search(name) is None


def plain_settings(settings: Mapping[str, Any], known: set[str], what: str) -> dict[str, Any]:
    """A config's settings, which it calls ``what``, for a network that takes those ``known``; lists as tuples.
    Raises LabError where one is none of the network's own, or is no plain value."""
    for name, value in settings.items():
        if name not in known or not is_of_network(name) or not is_plain(value):
            raise LabError(
                f"The model's {what} are no plain settings of its network: {str(name)[:60]!r} is {repr(value)[:80]};"
                " it is not built."
            )
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


class ForbiddenError(PermissionError, LabError):
    """A model of strangers tried what it may not do."""


class _Confinement(threading.local):
    roots: tuple[str, ...] | None = None
    """What this thread may read; None where it is free."""


_current = _Confinement()
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REFUSED = {
    "start a process": ("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "pty."),
    "use the network": ("socket.connect", "socket.bind", "socket.send", "socket.get", "urllib.", "http.", "ftplib."),
    "change files": ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.ch", "os.link", "os.symlink", "os.trunc", "shutil."),
    "unpickle an object": ("pickle.",),
}
"""Audit events (https://docs.python.org/3/library/audit_events.html) by the beginning of their names."""
_HARMLESS = ("socket.gethostname",)


@contextmanager
def confined(folder: Path) -> Iterator[None]:
    """Keep this thread, and those it starts, to reading a model's folder and the installed libraries.
    It is no wall against code that already runs: it sees to it that none begins to.
    Raises ForbiddenError where a library is made to do anything else."""
    _install()
    blobs = [folder.parent.parent / "blobs"] if folder.parent.name == "snapshots" else []  # where the cache's links lead
    with _confinement((*map(_real, (folder, *blobs)), *_libraries())):
        yield


@contextmanager
def _confinement(roots: tuple[str, ...] | None) -> Iterator[None]:
    before, _current.roots = _current.roots, roots
    try:
        yield
    finally:
        _current.roots = before


@cache
def _install() -> None:
    sys.addaudithook(_watch)
    start = threading.Thread.start

    def start_confined(thread: threading.Thread) -> None:
        if _current.roots is not None:
            thread.run = partial(_run_confined, thread.run, _current.roots)  # type: ignore[method-assign]
        start(thread)

    # Python tells its hooks of new threads from 3.12 on only; transformers reads weights in several.
    threading.Thread.start = start_confined  # type: ignore[assignment, method-assign]


def _run_confined(run: Callable[[], None], roots: tuple[str, ...]) -> None:
    with _confinement(roots):
        run()


@cache
def _libraries() -> tuple[str, ...]:
    """Where trusted code lies: the standard library, what is installed, the Lab's own; and what the system tells of itself."""
    apart = {str(ROOT), str(Path.cwd()), ""}
    places = [*sysconfig.get_paths().values(), *(place for place in sys.path if place not in apart), str(ROOT / "core")]
    return (*set(map(_real, places)), "/proc/", "/sys/", "/dev/null/", "/dev/urandom/")


def _real(place: str | Path) -> str:
    """Where a path leads, with a separator at its end: a folder's begins those of all that is in it."""
    return os.path.realpath(place) + os.sep


def _watch(event: str, args: tuple[Any, ...]) -> None:
    """The audit hook (PEP 578): called before the thing is done, in the thread that does it."""
    roots = _current.roots
    if roots is None:
        return
    if event == "open":
        path, _, flags = args
        if isinstance(path, str | bytes | os.PathLike):  # else a file that is open already
            real = _real(os.fsdecode(path))
            if flags & _WRITING or not real.startswith(roots):
                raise ForbiddenError(f"The model wants to open {real[:-1]!r}, outside its folder: it is not loaded.")
    else:
        for what, events in _REFUSED.items():
            if event.startswith(events) and event not in _HARMLESS:
                raise ForbiddenError(f"The model wants to {what} while it is built: it is not loaded.")


def _declare_missing() -> None:
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return
    compiled = list(Path(found.origin).parent.glob("_C*.so")) + list(Path(found.origin).parent.glob("_C*.pyd"))
    try:
        for path in compiled:
            torch.ops.load_library(str(path))
    except OSError:
        compiled = []
    if not compiled:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)  # kept: the declaration goes when the object does
