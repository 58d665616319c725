"""Where things lie: what comes with the project, what this machine keeps (``LAB_HOME``), its data sets (``LAB_DATA``); and
how what lies there is read once for all sessions."""

import os
from collections.abc import Callable
from functools import lru_cache, update_wrapper
from pathlib import Path
from threading import RLock
from typing import Any, Generic, ParamSpec, TypeVar

ROOT = Path(__file__).resolve().parents[1]
"""The project's own folder."""
ASSETS = ROOT / "assets"
EVALUATIONS = ASSETS / "evaluations"
P = ParamSpec("P")
T = TypeVar("T")


def home_folder() -> Path:
    """What must outlive the program: the folder that ``LAB_HOME`` names, else one of the user's own; it may not exist yet."""
    named = os.environ.get("LAB_HOME")
    return Path(named) if named else Path.home() / ".denoised-smoothing-lab"


def answers_file() -> Path:
    """The file of answers that were paid for."""
    return home_folder() / "answers.sqlite"


def data_folder() -> Path:
    """The folder that ``LAB_DATA`` names; by default ``shared/data`` beside the project."""
    return Path(os.environ.get("LAB_DATA", ROOT.parent / "shared" / "data"))


class Once(Generic[P, T]):
    """A function whose last ``most`` results are kept. The first thread that asks makes one, whole, and the others wait; with
    ``functools.cache`` each would make it.

    One that calls itself is allowed; two that call each other are not: each may wait for the other.
    """

    def __init__(self, make: Callable[P, T], most: int | None) -> None:
        self._kept: Any = lru_cache(most)(make)
        self._lock = RLock()
        update_wrapper(self, make)

    def __call__(self, *args: P.args, **options: P.kwargs) -> T:
        with self._lock:
            return self._kept(*args, **options)

    def cache_clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.cache_clear()


def made_once(most: int | None = None) -> Callable[[Callable[P, T]], Once[P, T]]:
    """Decorate a function of hashable arguments; ``most`` is how many results are kept, None for all."""
    return lambda make: Once(make, most)
