"""Memory that pages leave: collected for all of them together, without what modules hold."""

from __future__ import annotations

import gc
import sys
import time
import types
import weakref
from collections.abc import Iterator

import pytest
from streamlit.runtime.scriptrunner import script_runner

from core.ui import memory
from core.ui.memory import Collector, collect_for_all


class Ring:
    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    """One that collects whenever it is asked."""
    monkeypatch.setattr(memory, "PAUSE", 0.0)
    return Collector()


def test_what_is_alive_is_spared_and_later_garbage_is_not(collector: Collector) -> None:
    collector.collect(2)
    assert gc.get_freeze_count() > 10_000
    ring = Ring()
    gone = weakref.ref(ring)
    del ring
    assert collector.collect(2) > 0
    assert gone() is None


def test_it_is_frozen_again_only_after_many_imports_and_lets_go_of_what_it_caught(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught = Ring()
    gone = weakref.ref(caught)
    collector.collect(2)
    del caught
    collector.collect(2)
    assert gone() is not None, "frozen with the rest"
    for number in range(memory.GROWN):
        monkeypatch.setitem(sys.modules, f"no_such_module_{number}", types.ModuleType("none"))
    collector.collect(2)
    assert gone() is None


def test_one_collection_serves_all_runs_of_a_while() -> None:
    collector = Collector()
    begin = time.monotonic()
    collector.collect(2)
    took = time.monotonic() - begin
    ring = Ring()
    gone = weakref.ref(ring)
    del ring
    assert collector.collect(2) == 0
    assert gone() is not None, "another one just collected"
    time.sleep((memory.PAUSE + 1) * took)
    assert collector.collect(2) > 0
    assert gone() is None


def test_streamlit_asks_it_after_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_runner, "gc", gc)
    collect_for_all()
    assert isinstance(script_runner.gc, Collector)
    assert "gc" in script_runner.ScriptRunner._on_script_finished.__code__.co_names
