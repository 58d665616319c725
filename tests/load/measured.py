"""A measured app: its address, what it uses, and tabs that look at it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Client
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # modules of tests are imported by their own names
from app_process import running_app
from load.tab import Tab

SERVER = (sys.executable, str(Path(__file__).parent / "server.py"), "app.py", "--server.address=127.0.0.1")
KEPT = 20
"""Seconds that the measured app keeps sessions that left."""
BOUNDED = ("memory", "threads", "files")


def within(now: dict[str, float], before: dict[str, float], name: str) -> bool:
    """Whether no more of something is used than 10% over what was; of threads, one more may be about to end."""
    return now[name] <= 1.1 * before[name] + (name == "threads")


@dataclass
class App:
    """An app under measurement."""

    address: str
    meter: Path

    def usage(self) -> dict[str, float]:
        """As :func:`server.usage`, and by which clock."""
        with Client(str(self.meter), "AF_UNIX") as connection:
            return {**connection.recv(), "clock": time.perf_counter()}

    async def settled(self, before: dict[str, float] | None = None, seconds: float = 60.0) -> dict[str, float]:
        """What it uses when that no longer falls, or has come within 10% of what it used before."""
        last, best = self.usage(), time.perf_counter() + seconds
        while time.perf_counter() < best and not (before and all(within(last, before, name) for name in BOUNDED)):
            await Tab(self.address).fetch("/")  # the server ends threads that long had nothing to do when it hands out work
            await asyncio.sleep(6)
            now = self.usage()
            if before is None and all(now[name] >= last[name] for name in BOUNDED):
                return now
            last = now
        return last

    async def rate(self, seconds: float, tabs: Sequence[Tab] = ()) -> dict[str, float]:
        """Cores used by jobs and by all else, and how often a second these tabs drew a part anew."""
        before, runs = self.usage(), sum(tab.fragment_runs for tab in tabs)
        await asyncio.sleep(seconds)
        after, runs = self.usage(), sum(tab.fragment_runs for tab in tabs) - runs
        took = after["clock"] - before["clock"]
        jobs = (after["jobs"] - before["jobs"]) / took
        return {"jobs": jobs, "rest": (after["cpu"] - before["cpu"]) / took - jobs, "runs": runs / took}

    def visitor(self) -> Tab:
        """A tab with the start page."""
        return Tab(self.address)

    def job(self, number: int) -> Tab:
        """A tab with a computation of many minutes, unlike that of other numbers: from 0, the page's own sigma, to 75."""
        assert 0 <= number <= 75, "the page takes no larger sigma than 1, and its own instead"
        return Tab(self.address, "Certify", f"n=100000&compare=false&sigma={0.25 + 0.01 * number:.2f}")


@contextmanager
def measured_app(home: Path, threads: int = 1) -> Iterator[App]:
    """Start an app that computes with so many threads, keeps what it keeps under ``home``, and end it."""
    meter = home / "meter"
    own = {"LAB_METER": str(meter), "OMP_NUM_THREADS": str(threads), "MALLOC_ARENA_MAX": "1"}
    command = (*SERVER, f"--server.disconnectedSessionTTL={KEPT}")
    with running_app(home, command, environment=own, output=home / "output.txt") as address:
        yield App(address, meter)


async def open_all(tabs: Sequence[Tab]) -> list[float]:
    """All at once; the seconds until each saw its page, sorted."""
    return sorted(await asyncio.gather(*(tab.open() for tab in tabs)))


async def leave_all(tabs: Sequence[Tab]) -> None:
    """Close the tabs."""
    await asyncio.gather(*(tab.leave() for tab in tabs))


async def until(true: Callable[[], bool], seconds: float, every: float = 0.25) -> float:
    """Wait until a function says so; returns the seconds. Raises TimeoutError."""
    begin = time.perf_counter()
    while not true():
        if time.perf_counter() - begin > seconds:
            raise TimeoutError(f"not within {seconds:g} s")
        await asyncio.sleep(every)
    return time.perf_counter() - begin
