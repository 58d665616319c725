"""What verbs say on the terminal: JSON on stdout; progress, remarks and Ctrl-C on stderr."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

EVERY_SECONDS = 5.0
"""How often progress is told where stderr is no terminal."""


def print_json(document: object) -> None:
    """Print one JSON document on stdout. NaN and infinity are not JSON: such a value is a fault, and raises."""
    print(json.dumps(document, indent=2, allow_nan=False))


def remark(sentence: str) -> None:
    """Tell something the user should know, on stderr."""
    print(f"note: {' '.join(sentence.split())}", file=sys.stderr)


class ProgressLine:
    """One line that is written over on a terminal; elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._told = time.monotonic() - (EVERY_SECONDS if self._on_terminal else 0)

    def show(self, text: str) -> None:
        """Show the state of the work, unless it was shown a moment ago."""
        now = time.monotonic()
        if now - self._told < (0.1 if self._on_terminal else EVERY_SECONDS):
            return
        self._told = now
        start, end = ("\r\x1b[K", "") if self._on_terminal else ("", "\n")
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._on_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class InterruptFlag:
    """Within ``with``, Ctrl-C sets a flag that the work asks for; a second Ctrl-C ends it where it stands."""

    def __init__(self) -> None:
        self._set = False
        self._previous: Any = None

    def is_set(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._set

    def __enter__(self) -> Self:
        # Only the main thread may handle signals; and one that is ignored, as under nohup, stays so.
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._set:
            raise KeyboardInterrupt
        self._set = True
