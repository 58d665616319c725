"""Who leaves, leaves nothing: jobs end by themselves, and memory, threads and files are given back."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from app_process import run
from load.measured import BOUNDED, KEPT, App, leave_all, measured_app, open_all, until, within
from load.tab import Tab

from core.ui.jobs.session import GRACE

SLACK = 15.0
"""Seconds that a machine with other things to do may add."""
SESSIONS = 100
SETTLED = 30
"""Sessions that come and go twice before the measuring begins, until pools of threads and of memory have their size, and every
library is loaded: OpenVINO, with threads and 120 MB of its own, once the page's own sigma is met for the second time."""

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with measured_app(tmp_path_factory.mktemp("home")) as app:
        yield app


async def computes(app: App) -> bool:
    """Whether it uses a processor, when nobody looks at it."""
    used = await app.rate(2.0)
    return used["jobs"] + used["rest"] > 0.05


def test_a_job_whose_tab_was_closed_ends_and_waits_for_nobody(app: App) -> None:
    async def visit() -> None:
        tab = app.job(1)
        await tab.open()
        await until(lambda: tab.samples > 0, 60)
        await tab.leave()
        await asyncio.sleep(GRACE - 7)
        assert await computes(app), "it may come back"
        await asyncio.sleep(7 + SLACK / 2)
        assert not await computes(app)
        assert tab.faults == []

    run(visit())


def test_a_page_that_is_loaded_again_goes_on_with_its_job(app: App) -> None:
    async def visit() -> None:
        before = app.job(2)
        await before.open()
        await until(lambda: before.samples >= 300, 120)
        await before.leave()
        after = Tab(app.address, before.page, before.query)
        await after.open()
        await until(lambda: after.samples > 0, 60)
        assert after.samples >= before.samples
        await asyncio.sleep(GRACE + 3)
        reached = after.samples
        await until(lambda: after.samples > reached, 60)
        await after.leave()

    run(visit())


def test_a_short_drop_of_the_connection_ends_nothing(app: App) -> None:
    async def visit() -> None:
        tab = app.job(3)
        await tab.open()
        await until(lambda: tab.samples > 0, 60)
        await tab.drop()
        await asyncio.sleep(GRACE / 3)
        reached = tab.samples
        await tab.come_back()
        await asyncio.sleep(GRACE + 3)
        await until(lambda: tab.samples > reached, 60)
        await tab.leave()
        assert tab.faults == []

    run(visit())


@pytest.mark.skipif(
    "LAB_LOAD" not in os.environ, reason="minutes of waiting: LAB_LOAD=1 runs it; ten sessions do the same in test_load"
)
def test_a_hundred_sessions_come_and_go_and_leave_nothing(app: App) -> None:
    async def come_and_go(sessions: int) -> None:
        for begin in range(0, sessions, 10):
            tabs = [app.job(number // 10) if number % 10 == 0 else app.visitor() for number in range(begin, begin + 10)]
            await open_all(tabs)
            await leave_all(tabs)
            assert [tab.faults for tab in tabs] == [[]] * 10
        await asyncio.sleep(max(KEPT, GRACE) + 5)

    async def visit() -> None:
        for _ in range(2):
            await come_and_go(SETTLED)
        before = await app.settled()
        await come_and_go(SESSIONS)
        after = await app.settled(before)
        assert [name for name in BOUNDED if not within(after, before, name)] == [], (before, after)

    run(visit())
