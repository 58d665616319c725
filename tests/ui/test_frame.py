"""The frame of every page: garbage collection passes over what modules hold, and still finds garbage."""

from __future__ import annotations

import gc
import sys
import types
import weakref

import pytest

from core.ui import frame


class Ring:
    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def thawed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frame, "_modules", 0)
    yield
    gc.unfreeze()


def test_what_is_alive_is_spared_and_later_garbage_is_not() -> None:
    frame.spare_modules()
    assert gc.get_freeze_count() > 10_000
    ring = Ring()
    gone = weakref.ref(ring)
    del ring
    gc.collect()
    assert gone() is None


def test_it_is_done_again_only_after_many_imports_and_lets_go_of_what_it_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught = Ring()
    gone = weakref.ref(caught)
    frame.spare_modules()
    del caught
    frame.spare_modules()
    gc.collect()
    assert gone() is not None, "frozen with the rest"
    for number in range(frame.GROWN):
        monkeypatch.setitem(sys.modules, f"no_such_module_{number}", types.ModuleType("none"))
    frame.spare_modules()
    assert gone() is None
