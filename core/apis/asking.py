"""Asking an API for the answers that a run still lacks: within the budget, the rate and the user's patience."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice

from PIL import Image

from core.apis.ledger import ANSWERED, IN_DOUBT, UNUSABLE, BudgetSpentError, Ledger, QueryKey
from core.apis.provider import (
    InDoubtError,
    NotSentError,
    Provider,
    QueryFailedError,
    RefusedError,
    TurnedAwayError,
    UnusableError,
    encode,
)
from core.apis.queries import QueryPictures

ATTEMPTS = 6
"""How often one query is sent that the API turns away or that does not reach it, before the run gives up for now."""

PATIENCE = 120.0  # seconds that an API may ask to wait; where it asks for longer, the run ends for now


MOST_WAIT = 60.0  # seconds between two attempts, at most, unless the API itself asks for longer

_GLANCE = 0.1  # seconds after which a waiting thread looks whether it was stopped


@dataclass(frozen=True)
class Halt:
    """Why asking ended before everything was asked."""

    reason: str  # ``budget``, ``refused``, ``unreachable`` or ``stopped``
    message: str  # one sentence


@dataclass
class QuerySender:
    """Sends the queries of one run, several at a time, and keeps each answer before anybody counts it.

    The run is held by :meth:`Ledger.working_on`; ``on_wait`` is told why everybody waits, and for how many seconds.
    """

    provider: Provider
    ledger: Ledger
    run: str
    pictures: QueryPictures
    budget: float  # US dollars for the whole run, what earlier processes spent on it included
    should_stop: Callable[[], bool] = lambda: False
    on_wait: Callable[[str, float], None] = lambda why, seconds: None
    halt: Halt | None = None

    def __post_init__(self) -> None:
        self._pace, self._stopped = Pace(self.provider.limits.rate), threading.Event()

    def ask(self, purpose: str, numbers: list[int]) -> Iterator[int | None]:
        """Ask for these numbers and yield each as it is settled, in no order; None ten times a second while nothing comes.

        ``self.halt`` says why it ended early. Who leaves the iteration early has what is under way kept, and nothing more sent.
        """
        limits = self.provider.limits
        pictures = self.pictures.pairs(purpose, numbers)
        under_way: dict[Future[None], int] = {}
        passed = threading.Event()
        passed.set()
        with ThreadPoolExecutor(limits.concurrency, thread_name_prefix="api") as pool:
            try:
                while self.halt is None:
                    for number, _, picture in islice(pictures, limits.concurrency - len(under_way)):
                        before, passed = passed, threading.Event()
                        key = QueryKey(self.run, purpose, number)
                        under_way[pool.submit(self._settle, key, picture, before, passed)] = number
                    if not under_way:
                        break
                    done, _ = wait(under_way, timeout=0.1, return_when=FIRST_COMPLETED)
                    if self.should_stop():
                        self._end(Halt("stopped", "Stopped: every answer so far is kept."))
                    if not done:
                        yield None
                    for future in done:
                        number = under_way.pop(future)
                        if self._came_through(future):
                            yield number
            finally:
                self._stopped.set()
                wait(under_way)
                self._stopped.clear()
        for future in under_way:
            self._came_through(future)

    def _came_through(self, future: Future[None]) -> bool:
        try:
            future.result()
        except _GivenUpError:
            return False
        except BudgetSpentError as error:
            self._end(Halt("budget", str(error)))
        except RefusedError as error:
            self._end(Halt("refused", str(error)))
        except QueryFailedError as error:
            self._end(Halt("unreachable", f"{error} Every answer so far is kept: go on later."))
        else:
            return True
        return False

    def _end(self, halt: Halt) -> None:
        self.halt = self.halt or halt
        self._stopped.set()

    def _settle(self, key: QueryKey, picture: Image.Image, before: threading.Event, passed: threading.Event) -> None:
        """Send one query, in a thread of the pool, until it is settled; it sets out after those ``before``.

        So the last of a budget goes to the lowest numbers: only the gapless beginning of the answers can be counted.
        """
        try:
            png = encode(picture, self.provider.limits)
            digest = hashlib.sha256(png).hexdigest()
            before.wait()
            self._set_out(key, digest)
        finally:  # whatever happened
            before.wait()
            passed.set()
        for attempt in range(ATTEMPTS):
            if attempt:
                self._set_out(key, digest)
            began = time.monotonic()
            try:
                answer = self.provider.ask(png)
            except (NotSentError, TurnedAwayError) as error:
                self.ledger.release(key)
                seconds = backoff(attempt, getattr(error, "retry_after", None))
                if attempt == ATTEMPTS - 1 or seconds > PATIENCE:
                    raise
                self._pace.pause(seconds)
                self.on_wait(str(error), seconds)
            except (UnusableError, InDoubtError) as error:
                state = UNUSABLE if isinstance(error, UnusableError) else IN_DOUBT
                self.ledger.settle(key, state, seconds=time.monotonic() - began, remark=str(error))
                return
            except RefusedError:
                self.ledger.release(key)
                raise
            else:
                self.ledger.settle(key, ANSWERED, answer=answer, model=self.provider.model, seconds=time.monotonic() - began)
                return

    def _set_out(self, key: QueryKey, digest: str) -> None:
        if not self._pace.turn(self._stopped):
            raise _GivenUpError
        self.ledger.reserve(key, digest, price=self.provider.limits.price, budget=self.budget)


class Pace:
    """Turns at a steady rate, so many a second, shared by threads. A pause holds everybody."""

    def __init__(self, rate: float) -> None:
        self._every = 1 / rate
        self._next = 0.0
        self._lock = threading.Lock()

    def turn(self, stopped: threading.Event) -> bool:
        """Wait for one's turn; False where ``stopped`` was set meanwhile."""
        while not stopped.is_set():
            with self._lock:
                now = time.monotonic()
                if now >= self._next:
                    self._next = now + self._every
                    return True
                left = self._next - now
            stopped.wait(min(left, _GLANCE))
        return False

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def backoff(attempt: int, retry_after: float | None, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait after failed attempt ``attempt`` (0, 1, ...): what the API asked for, else 1, 2, 4, ... with jitter."""
    if retry_after is not None:
        return retry_after
    return min(MOST_WAIT, 2.0**attempt) * (0.5 + draw() / 2)


class _GivenUpError(Exception):
    """The run was stopped while this query waited for its turn."""
