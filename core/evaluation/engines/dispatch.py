"""Hands pieces of a task to workers, takes back what they finish, and gives the rest of a lost worker's piece to another."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import LabError
from core.evaluation.engines.task import EvaluationTask, Piece
from core.evaluation.evaluate import Evaluated

MAX_PIECE = 8
MAX_LOSSES = 3
WAIT_SECONDS = 0.2
PATIENCE_SECONDS = 30.0

OnNotice = Callable[[str], None]
"""Told, in a sentence, of what happened to a worker."""


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its models and waits for a piece. ``process`` names it for people: a number, and where it runs."""

    worker: int
    process: str


@dataclass(frozen=True)
class Finished:
    """A worker has certified an image."""

    worker: int
    evaluated: Evaluated


@dataclass(frozen=True)
class Idle:
    """A worker is through with its piece, or was stopped."""

    worker: int


@dataclass(frozen=True)
class Lost:
    """A worker is gone: killed, out of memory, its machine down."""

    worker: int
    why: str


@dataclass(frozen=True)
class Mistake:
    """A worker met what the user should know: the sentence of a LabError."""

    sentence: str


@dataclass(frozen=True)
class Fault:
    """A worker met a fault of the program: its traceback."""

    trace: str


Event = Ready | Finished | Idle | Lost | Mistake | Fault


def event_of(worker: int, kind: str, what: Any) -> Event:
    """What a worker sent: ``ready``, its name; ``finished``, an image; ``idle``; ``mistake`` or ``fault``, a text."""
    if kind == "finished":
        return Finished(worker, what)
    if kind == "ready":
        return Ready(worker, what)
    if kind == "idle":
        return Idle(worker)
    return Mistake(what) if kind == "mistake" else Fault(what)


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
                    if isinstance(event, Finished):
                        left -= 1
                        self._take(event)
                        yield event.evaluated
                    else:
                        self._handle(event)
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

    def _take(self, event: Finished) -> None:
        rows = self._pieces[event.worker]
        rows.remove(next(row for row in rows if self._indices[row] == event.evaluated.line.idx))

    def _handle(self, event: Event) -> None:
        if isinstance(event, Mistake):
            raise LabError(event.sentence)
        if isinstance(event, Fault):
            raise RuntimeError(f"A worker failed:\n{event.trace}")
        if isinstance(event, Ready):
            self._failed_starts = 0
            self.processes[event.worker] = event.process
            self._pieces[event.worker] = []
            self._idle.add(event.worker)
        elif isinstance(event, Idle):
            self._idle.add(event.worker)
        elif isinstance(event, Lost):
            self._replace(event)

    def _replace(self, lost: Lost) -> None:
        name = self.processes.pop(lost.worker, "a worker that loaded its models")
        rows = self._pieces.pop(lost.worker, None)
        self._idle.discard(lost.worker)
        if rows is None:
            self._failed_starts += 1
            if self._failed_starts >= MAX_LOSSES:
                raise LabError(
                    f"{MAX_LOSSES} workers ended before they were ready ({lost.why}): is there memory for so many copies of"
                    " the models? Ask for fewer --workers."
                )
        elif rows:
            self._losses[rows[0]] += 1  # the others had not been begun
            number = self._indices[rows[0]]
            if self._losses[rows[0]] >= MAX_LOSSES:
                raise LabError(
                    f"Image {number} ended its worker {MAX_LOSSES} times ({lost.why}): with --resume and fewer --workers it may"
                    " find more memory."
                )
            self._waiting.extendleft(reversed(rows))
        at = f" at image {self._indices[rows[0]]}" if rows else ""
        self._on_notice(f"Lost {name}{at} ({lost.why}): another takes its place and what it had not finished.")
        self._crew.start_worker()

    def _finish(self) -> Iterator[Evaluated]:
        """After a stop: what was finished before the batch under way ended."""
        self._crew.stop()
        busy = {worker for worker, rows in self._pieces.items() if rows}
        while busy:
            for event in self._crew.events(WAIT_SECONDS):
                if isinstance(event, Finished):
                    self._take(event)
                    yield event.evaluated
                elif isinstance(event, Idle | Lost):
                    busy.discard(event.worker)
                elif isinstance(event, Mistake | Fault):
                    self._handle(event)
