"""Work on the network that can be given up within a moment, whatever it waits for."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from core.models.hub.mistakes import DownloadStoppedError

T = TypeVar("T")

LOOK_SECONDS = 0.1
"""How often a stop is looked for; a stop is obeyed within 0.5 s."""


class Abandon:
    """What work looks at to see whether anyone still wants it, and tells what it waits on."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._socket: socket.socket | None = None

    @property
    def asked(self) -> bool:
        """Whether nobody wants the result any more."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Pause, or less where the work is given up; whether it is."""
        return self._asked.wait(seconds)

    def waits_on(self, stream: Any) -> None:
        """Name the network stream of a response (its extension ``network_stream``), so that waiting on it can be cut short."""
        self._socket = None if stream is None else stream.get_extra_info("socket")

    def ask(self) -> None:
        """Give the work up."""
        self._asked.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed in the meantime
                self._socket.shutdown(socket.SHUT_RDWR)


def run_stoppable(
    work: Callable[[Abandon], T], should_stop: Callable[[], bool] | None = None, look: Callable[[], None] | None = None
) -> T:
    """Do work in a thread of its own; ``look`` and ``should_stop`` are called here, every tenth of a second.

    Raises:
        DownloadStoppedError: where ``should_stop`` says so, at once, even while the work waits for the network.
        Exception: whatever the work raises.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    abandon = Abandon()

    def run() -> None:
        try:
            outcome.append(work(abandon))
        except BaseException as error:  # raised again by whoever waits
            failure.append(error)

    thread = threading.Thread(target=run, name="hub", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(LOOK_SECONDS)
            if look is not None:
                look()
            if thread.is_alive() and should_stop is not None and should_stop():
                raise DownloadStoppedError(
                    "The download was stopped; what has arrived is kept, and the next try goes on from there."
                )
    finally:
        abandon.ask()
        thread.join(LOOK_SECONDS)
    if failure:
        raise failure[0]
    return outcome[0]
