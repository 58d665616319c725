"""Memory that pages leave: garbage is collected for all of them together, and the heap given back when all have left."""

import ctypes
import gc
import sys
import threading
import time

from streamlit.runtime.scriptrunner import script_runner

PAUSE = 20.0
"""How many times as long as collecting took nothing is collected afterwards."""
GROWN = 50
"""So many modules more are worth a new look at what collecting may pass over."""


class Collector:
    """Stands in for :mod:`gc` where Streamlit collects garbage fully after each run of a page's program.
    Python does nothing else meanwhile. With torch and its like imported that takes 0.16 s, and more with every session: when a
    hundred come at once, more than drawing their pages does. So one collection serves all runs of a while, and passes over
    functions and classes, which never go away: what is alive once many modules have been imported is frozen."""

    def __init__(self) -> None:
        self._collecting = threading.Lock()
        self._next, self._modules = 0.0, 0

    def collect(self, generation: int = 2) -> int:
        """Collect, if that is worth its time yet; returns the number of objects that could not be reached."""
        if time.monotonic() < self._next or not self._collecting.acquire(blocking=False):
            return 0
        try:
            begin, grown = time.monotonic(), len(sys.modules) >= self._modules + GROWN
            if grown:
                self._modules = len(sys.modules)
                gc.unfreeze()  # what an earlier freeze caught by chance is let go
            found = gc.collect(generation)
            if grown:
                gc.freeze()
            self._next = time.monotonic() + PAUSE * (time.monotonic() - begin)
            return found
        finally:
            self._collecting.release()


_collector = Collector()


def collect_for_all() -> None:
    """Have Streamlit collect garbage for all pages together."""
    script_runner.gc = _collector  # type: ignore[assignment, attr-defined]


def give_back_memory() -> None:
    """Free what was left, and have the C library give its pages back, where it can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
