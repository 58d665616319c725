"""Many visitors at once: ``python -m tests.load --sessions 100 --jobs 8`` measures, prints a table, says what is too slow."""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from app_process import run
from load.measured import BOUNDED, KEPT, App, leave_all, measured_app, open_all, until, within
from load.tab import Tab

from core.ui.jobs.follow import RECONSIDERED
from core.ui.jobs.session import GRACE

FIRST_VIEW = 5.0
"""Seconds within which each is to see the start page."""
POLLING = 0.25
"""Cores that looking at jobs may take."""


@dataclass
class Report:
    """A table, and what is wrong."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, idle: str, loaded: str = "") -> None:
        self.rows.append((what, idle, loaded))

    def check(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.wrong.append(sentence)

    def text(self) -> str:
        lines = ["| | idle | loaded |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in self.rows)]
        return "\n".join([*lines, "", *(f"- {sentence}" for sentence in self.wrong or ["Everything is as promised."])])


async def arrive(app: App, sessions: int, report: Report) -> tuple[tuple[str, ...], list[Tab]]:
    """So many look at the start page at once; returns what to tell of it, and their tabs."""
    tabs = [app.visitor() for _ in range(sessions)]
    before = app.usage()
    seconds = await open_all(tabs)
    after = app.usage()
    last, load = seconds[-1], os.getloadavg()[0]
    cores = (after["cpu"] - before["cpu"]) / (after["clock"] - before["clock"])
    report.check(last <= FIRST_VIEW, f"The start page took {last:.1f} s, more than {FIRST_VIEW:g} (load average {load:.1f}).")
    return (f"{statistics.median(seconds):.1f} s", f"{last:.1f} s", f"{cores:.2f}", f"{load:.1f}"), tabs


async def measure(app: App, sessions: int, jobs: int, polls: int, seconds: float) -> Report:
    """Visitors while nothing and while jobs are computed, what looking at jobs costs, and what stays when all have left."""
    report = Report()
    first = [app.job(0), app.visitor()]  # models, figures and libraries are loaded
    await open_all(first)
    await until(lambda: first[0].samples > 0, 120)
    await leave_all(first)
    await asyncio.sleep(max(KEPT, GRACE) + 5)
    start = await app.settled()

    alone, before = app.visitor(), app.usage()
    took, after = await alone.open(), app.usage()
    report.add("first view, alone: seconds, CPU of the server", f"{took:.2f} s, {1000 * (after['cpu'] - before['cpu']):.0f} ms")
    idle, visitors = await arrive(app, sessions, report)
    await leave_all(visitors)
    working = [app.job(1 + number) for number in range(jobs)]
    await open_all(working)
    for tab in working:
        await until(lambda tab=tab: tab.samples > 0, 300)
    loaded, others = await arrive(app, sessions, report)
    names = ("median", "last", "cores of the server meanwhile, jobs included", "load average of the machine then")
    for name, *both in zip(names, idle, loaded, strict=True):
        report.add(f"first view, {sessions} at once: {name}", *both)
    await leave_all(others)

    few = await app.rate(seconds, working)
    asking = [app.job(1 + number) for number in range(jobs, polls)]
    await open_all(asking)
    await asyncio.sleep(2 * RECONSIDERED)  # until all pages look as often as they are to
    many = await app.rate(seconds, [*working, *asking])
    report.add("pages that follow a job", str(jobs), str(max(jobs, polls)))
    report.add("cores used for that", f"{few['rest']:.2f}", f"{many['rest']:.2f}")
    report.add("parts of pages drawn anew a second", f"{few['runs']:.1f}", f"{many['runs']:.1f}")
    report.add("cores used by the jobs", f"{few['jobs']:.2f}", f"{many['jobs']:.2f}")
    report.check(many["rest"] <= POLLING, f"Following jobs took {many['rest']:.2f} cores, more than {POLLING:g}.")

    await leave_all([alone, *working, *asking])
    await asyncio.sleep(max(KEPT, GRACE) + 5)
    stopped, end = await app.rate(2), await app.settled(start)
    still = stopped["jobs"] + stopped["rest"]
    report.add("cores used when all have left", "", f"{still:.2f}")
    report.check(still < 0.05, "Something is computed though all have left.")
    for name in BOUNDED:
        report.add(f"{name} before anybody came, and when all have left", f"{start[name]:.0f}", f"{end[name]:.0f}")
        report.check(within(end, start, name), f"{name} used: {end[name]:.0f}, more than 10% over {start[name]:.0f}.")
    tabs = [*first, alone, *visitors, *working, *others, *asking]
    faults = [fault for tab in tabs for fault in tab.faults]
    report.add("faults", "", str(len(faults)))
    report.check(not faults, f"{len(faults)} faults, the first: {faults[:1]}.")
    return report


def main(words: list[str] | None = None) -> int:
    """Measure, print, and return 1 where something is not as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--sessions", type=int, default=100, help="visitors of the start page at once")
    parser.add_argument("--jobs", type=int, default=8, help="computations under way meanwhile")
    parser.add_argument("--polls", type=int, default=24, help="pages with a computation that look at it")
    parser.add_argument("--seconds", type=float, default=20, help="of measuring what that costs")
    parser.add_argument("--threads", type=int, default=1, help="threads that compute")
    asked = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as home, measured_app(Path(home), asked.threads) as app:
        report = run(measure(app, asked.sessions, asked.jobs, asked.polls, asked.seconds))
    print(report.text())
    return int(bool(report.wrong))


if __name__ == "__main__":
    sys.exit(main())
