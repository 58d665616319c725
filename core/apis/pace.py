"""Asking no faster than an API allows, and backing off as it says."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

MOST_WAIT = 60.0
"""Seconds between two attempts, at most, unless the API itself asks for longer."""

_GLANCE = 0.1
"""Seconds after which a waiting thread looks whether it was stopped."""


class Pace:
    """Turns at a steady rate, shared by threads. A pause holds everybody.

    Args:
        rate: turns a second.
        clock: seconds; replaced in tests.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._clock = 1 / rate, clock
        self._next = 0.0
        self._lock = threading.Lock()

    def turn(self, stopped: threading.Event) -> bool:
        """Wait for one's turn; False where ``stopped`` was set meanwhile."""
        while not stopped.is_set():
            with self._lock:
                now = self._clock()
                if now >= self._next:
                    self._next = now + self._every
                    return True
                left = self._next - now
            stopped.wait(min(left, _GLANCE))
        return False

    def pause(self, seconds: float) -> None:
        """Let nobody ask for so long."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)


def backoff(attempt: int, retry_after: float | None, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait after failed attempt ``attempt`` (0, 1, ...): what the API asked for, else 1, 2, 4, ... with jitter."""
    if retry_after is not None:
        return retry_after
    return min(MOST_WAIT, 2.0**attempt) * (0.5 + draw() / 2)
