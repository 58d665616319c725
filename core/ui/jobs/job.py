"""Work on its way, what it sees of itself, and the lock by which one job computes at a time."""

import dataclasses
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

ABANDONED_AFTER = 120.0
"""Seconds without a look after which a job stops by itself: its page shows something else. A hidden tab looks once a minute."""

JobWork = Callable[["JobContext"], Any]


@dataclass
class Job:
    """Work on its way. Pages read it and may call :meth:`stop`; only the queue writes it.

    Attributes:
        state: ``queued``, ``running``, ``done`` (with a result, also after a stop) or ``failed``.
        progress: the last thing the work reported.
        result: what the work returned.
        size: about how many bytes the finished job holds.
        whole: done, and not stopped before: the result may be served to others who ask for the same.
        orphan: its session is gone for good.
        error: one sentence for the user, where it failed.
    """

    title: str
    session: str
    key: tuple[Any, ...] | None
    work: JobWork | None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: str = "queued"
    progress: Any = None
    result: Any = None
    size: int = 0
    whole: bool = False
    orphan: bool = False
    error: str | None = None
    looked_at: float = field(default_factory=time.monotonic)
    _stop: threading.Event = field(default_factory=threading.Event)
    _finished: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Ask the work to end; what it returns is kept as the result."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop.is_set()

    @property
    def abandoned(self) -> bool:
        """Whether no page looked at it for long."""
        return time.monotonic() - self.looked_at > ABANDONED_AFTER

    @property
    def finished(self) -> bool:
        """Whether nothing more will change."""
        return self._finished.is_set()

    @property
    def shared(self) -> bool:
        """Whether others may be given its result."""
        return self.whole and self.key is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it is finished; for tests and scripts, never for a page."""
        return self._finished.wait(timeout)


class FairLock:
    """A lock that is handed out in the order of asking."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._holder: Job | None = None

    def take(self, job: Job) -> None:
        """Wait until it is this job's."""
        with self._changed:
            self._waiting.append(job)
            # A stopped job need not wait: all it still does is to put its result together.
            self._changed.wait_for(lambda: job.stopping or (self._holder is None and self._waiting[0] is job))
            self._waiting.remove(job)
            if self._holder is None:
                self._holder = job

    def give_back(self, job: Job) -> None:
        """Let the next job have it."""
        with self._changed:
            if self._holder is job:
                self._holder = None
            self._changed.notify_all()

    def hand_on(self, job: Job) -> None:
        """Let those that wait have it first."""
        if self._waiting and not job.stopping:
            self.give_back(job)
            self.take(job)

    def wake(self) -> None:
        """Have those that wait see whether they were stopped."""
        with self._changed:
            self._changed.notify_all()


class Pages:
    """The pages that are being drawn anew, by the threads that do it: they share one interpreter with what is computed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()

    def draw(self) -> None:
        """The thread that calls draws one, until it ends."""
        with self._lock:
            self._threads.add(threading.current_thread())

    def let_through(self, seconds: float, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Wait while others' are drawn, for so long at most."""
        until = time.monotonic() + seconds
        while self._others() and time.monotonic() < until and not is_stopped():
            time.sleep(0.01)

    def _others(self) -> bool:
        with self._lock:
            self._threads = {thread for thread in self._threads if thread.is_alive()}
            return bool(self._threads) and threading.current_thread() not in self._threads


class JobContext:
    """What the work sees of its job."""

    def __init__(self, job: Job, lock: FairLock, pages: Pages) -> None:
        self._job, self._lock, self._pages = job, lock, pages
        self._aside = False
        self._since = time.monotonic()

    def report(self, progress: Any) -> None:
        """Show progress, and let pages that are drawn, and then whoever waited longest, go on first."""
        self._job.progress = progress
        self._stop_if_abandoned()
        if not self._aside:
            # For as long as was computed at most: however many come, a job keeps half of its speed.
            self._pages.let_through(time.monotonic() - self._since, lambda: self._job.stopping)
            self._lock.hand_on(self._job)
            self._since = time.monotonic()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let others compute meanwhile: for work that waits for a network, which would hold the turn and not use it."""
        self._aside = True
        self._lock.give_back(self._job)
        try:
            yield
        finally:
            self._lock.take(self._job)
            self._aside = False
            self._since = time.monotonic()

    def should_stop(self) -> bool:
        """Whether the user stopped the job or left."""
        self._stop_if_abandoned()
        return self._job.stopping

    def _stop_if_abandoned(self) -> None:
        # Here, so that it ends by itself: nobody may come who would ask.
        if self._job.abandoned:
            self._job.stop()


def result_size(result: object) -> int:
    """Bytes of everything reached through dataclasses, mappings and sequences; what is reached twice counts once.

    Pictures, arrays and tensors count by their pixels and elements, on whatever device they are.

    >>> result_size({"picture": Image.new("RGB", (1000, 1000))}) > 4_000_000  # Pillow keeps four bytes a pixel
    True
    """
    seen: set[int] = set()
    waiting, total = [result], 0
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Image.Image):
            total += item.width * item.height * (1 if item.mode in ("1", "L", "P") else 4)
            continue
        elements = getattr(item, "nbytes", None)  # arrays and tensors
        total += elements if isinstance(elements, int) else sys.getsizeof(item)
        if isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += item
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            waiting += [getattr(item, field.name) for field in dataclasses.fields(item)]
    return total
