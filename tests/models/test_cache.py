"""Loaded models: one load however many ask, and a bounded number kept."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest
import torch
from torch import nn

import core.models.cache
from core.errors import LabError
from core.models.cache import ModelCache

CPU = torch.device("cpu")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the loader by a slow one that notes what it was asked for."""
    asked: list[str] = []

    def slow(reference: str) -> nn.Module:
        asked.append(reference)
        time.sleep(0.05)
        if reference == "broken":
            raise LabError("damaged.")
        return nn.Linear(2, 2)

    monkeypatch.setattr(core.models.cache, "load_classifier", slow)
    return asked


def test_ten_sessions_asking_at_once_load_once(loads: list[str]) -> None:
    cache, got = ModelCache(), []
    threads = [threading.Thread(target=lambda: got.append(cache.classifier("one", CPU))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["one"]
    assert len({id(model) for model in got}) == 1


def test_least_recently_used_goes_first_and_is_really_freed(loads: list[str]) -> None:
    cache = ModelCache(max_models=2)
    first = weakref.ref(cache.classifier("a", CPU))
    second = weakref.ref(cache.classifier("b", CPU))
    cache.classifier("a", CPU)
    cache.classifier("c", CPU)
    gc.collect()
    assert second() is None
    assert first() is not None
    cache.classifier("b", CPU)
    assert loads == ["a", "b", "c", "b"]


def test_a_failed_load_is_tried_again(loads: list[str]) -> None:
    cache = ModelCache()
    for _ in range(2):
        with pytest.raises(LabError):
            cache.classifier("broken", CPU)
    assert loads == ["broken", "broken"]


def test_the_denoiser_none_is_no_model() -> None:
    assert ModelCache().denoiser("none", CPU) is None
