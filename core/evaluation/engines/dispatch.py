"""Hands pieces of a task to workers, takes back what they finish, and gives the rest of a lost worker's piece to another."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from core.errors import LabError
from core.evaluation.evaluate import Evaluated, EvaluationTask, Piece

MAX_PIECE = 8
MAX_LOSSES = 3
WAIT_SECONDS = 0.2
PATIENCE_SECONDS = 30.0

OnNotice = Callable[[str], None]
"""Told, in a sentence, of what happened to a worker."""


class Event(NamedTuple):
    """What happened to a worker.

    ``ready``: it has loaded its models and waits for a piece; ``what`` names it for people. ``finished``: an image, ``what``
    :class:`Evaluated`. ``idle``: it is through with its piece, or was stopped. ``lost``: it is gone, killed, out of memory, its
    machine down; ``what`` says why. ``mistake``: the sentence of a LabError. ``fault``: a traceback.
    """

    worker: int
    kind: str
    what: Any = None


class Crew(Protocol):
    """Workers, each known by a number of its own."""

    def start_worker(self) -> int:
        """Start a worker; it tells that it is ready by an event."""

    def give(self, worker: int, piece: Piece) -> None:
        """Hand a piece to a worker that is ready or idle."""

    def events(self, seconds: float) -> list[Event]:
        """What happened, in order for each worker; waits up to ``seconds`` for something to happen."""

    def stop(self) -> None:
        """Ask all workers to leave their pieces after the batch that is under way."""

    def close(self) -> None:
        """End all workers at once."""


class Dispatcher:
    """One run of a task on a crew. Attributes: ``processes``, the live workers' names by their numbers."""

    def __init__(self, task: EvaluationTask, crew: Crew, count: int, on_notice: OnNotice) -> None:
        self._task, self._crew, self._on_notice = task, crew, on_notice
        self._count = min(count, len(task.data))
        self._indices: list[int] = task.data.indices.tolist()
        self._waiting = deque(range(len(task.data)))
        self._pieces: dict[int, list[int]] = {}  # rows that each worker has not finished
        self._idle: set[int] = set()
        self._losses: Counter[int] = Counter()
        self._failed_starts = 0
        self.processes: dict[int, str] = {}

    def run(self, should_stop: Callable[[], bool]) -> Iterator[Evaluated]:
        """As :meth:`core.evaluation.engines.Engine.run`."""
        left = len(self._waiting)
        began, patient = time.monotonic(), True
        try:
            for _ in range(self._count):
                self._crew.start_worker()
            while left:
                if should_stop():
                    yield from self._finish()
                    return
                for event in self._crew.events(WAIT_SECONDS):
                    if event.kind == "finished":
                        left -= 1
                    yield from self._handle(event)
                if patient and not self._pieces and time.monotonic() - began > PATIENCE_SECONDS:
                    patient = False
                    self._on_notice(f"No worker was ready within {PATIENCE_SECONDS:.0f} s; waiting for one.")
                self._hand_out()
        finally:
            self._crew.close()

    def _hand_out(self) -> None:
        while self._idle and self._waiting:
            worker = self._idle.pop()
            # Small towards the end, so that no worker waits long for the last.
            size = max(1, min(MAX_PIECE, len(self._waiting) // (4 * self._count)))
            self._pieces[worker] = [self._waiting.popleft() for _ in range(size)]
            self._crew.give(worker, self._task.piece(self._pieces[worker]))

    def _handle(self, event: Event) -> Iterator[Evaluated]:
        """Take note of what happened; yields the image, where that is what it was."""
        match event.kind:
            case "finished":
                rows = self._pieces[event.worker]
                rows.remove(next(row for row in rows if self._indices[row] == event.what.line.idx))
                yield event.what
            case "ready":
                self._failed_starts = 0
                self.processes[event.worker] = event.what
                self._pieces[event.worker] = []
                self._idle.add(event.worker)
            case "idle":
                self._idle.add(event.worker)
            case "lost":
                self._replace(event.worker, event.what)
            case "mistake":
                raise LabError(event.what)
            case _:
                raise RuntimeError(f"A worker failed:\n{event.what}")

    def _replace(self, worker: int, why: str) -> None:
        name = self.processes.pop(worker, "a worker that loaded its models")
        rows = self._pieces.pop(worker, None)
        self._idle.discard(worker)
        if rows is None:
            self._failed_starts += 1
            if self._failed_starts >= MAX_LOSSES:
                raise LabError(
                    f"{MAX_LOSSES} workers ended before they were ready ({why}): is there memory for so many copies of"
                    " the models? Ask for fewer --workers."
                )
        elif rows:
            self._losses[rows[0]] += 1  # the others had not been begun
            number = self._indices[rows[0]]
            if self._losses[rows[0]] >= MAX_LOSSES:
                raise LabError(
                    f"Image {number} ended its worker {MAX_LOSSES} times ({why}): with --resume and fewer --workers it may"
                    " find more memory."
                )
            self._waiting.extendleft(reversed(rows))
        at = f" at image {self._indices[rows[0]]}" if rows else ""
        self._on_notice(f"Lost {name}{at} ({why}): another takes its place and what it had not finished.")
        self._crew.start_worker()

    def _finish(self) -> Iterator[Evaluated]:
        """After a stop: what was finished before the batch under way ended."""
        self._crew.stop()
        busy = {worker for worker, rows in self._pieces.items() if rows}
        while busy:
            for event in self._crew.events(WAIT_SECONDS):
                if event.kind in ("idle", "lost"):
                    busy.discard(event.worker)
                elif event.kind != "ready":
                    yield from self._handle(event)
