"""Loaded models: one load however many ask, and a bounded number and size kept."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import core.models.cache
from core.errors import LabError
from core.models.cache import ModelCache
from core.models.hub.access import DownloadStoppedError

BUSY = 1.0
"""Seconds that a machine with other things to do may add to what is promised."""

CPU = torch.device("cpu")


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the loader by a slow one that notes what it was asked for; a model takes 4000 bytes."""
    asked: list[str] = []

    def slow(reference: str, *, size: Any = None, on_progress: Any = None, should_stop: Any = None) -> nn.Module:
        asked.append(reference.removeprefix("bundled/"))
        time.sleep(0.05)
        if reference == "bundled/broken":
            raise LabError("damaged.")
        if should_stop is not None and should_stop():
            raise DownloadStoppedError("stopped.")
        return nn.Linear(1000, 1, bias=False)

    monkeypatch.setattr(core.models.cache, "load_classifier", slow)
    return asked


def at_once(ask: Callable[[], Any], count: int = 10) -> list[Any]:
    """What ``count`` threads get that ask at the same time, exceptions too."""
    got: list[Any] = []

    def run() -> None:
        try:
            got.append(ask())
        except LabError as error:
            got.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


def test_ten_sessions_asking_at_once_load_once(loads: list[str]) -> None:
    cache = ModelCache()
    got = at_once(lambda: cache.classifier("bundled/one", CPU))
    assert loads == ["one"]
    assert len({id(model) for model in got}) == 1
    assert len(got) == 10


def test_least_recently_used_goes_first_and_is_really_freed(loads: list[str]) -> None:
    cache = ModelCache(max_models=2)
    first = weakref.ref(cache.classifier("bundled/a", CPU))
    second = weakref.ref(cache.classifier("bundled/b", CPU))
    cache.classifier("bundled/a", CPU)
    cache.classifier("bundled/c", CPU)
    assert second() is None  # without another collection of ours
    assert first() is not None
    assert cache.references == ["bundled/a", "bundled/c"]
    cache.classifier("bundled/b", CPU)
    assert loads == ["a", "b", "c", "b"]


def test_modules_that_refer_to_themselves_are_freed_too(loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def knotted(reference: str, **options: Any) -> nn.Module:
        model = nn.Linear(2, 2)
        model.forward_hook = model.register_forward_hook(lambda *args, model=model: None)
        return model

    monkeypatch.setattr(core.models.cache, "load_classifier", knotted)
    cache = ModelCache(max_models=1)
    gone = weakref.ref(cache.classifier("bundled/a", CPU))
    cache.classifier("bundled/b", CPU)
    assert gone() is None


def test_bytes_are_bounded_too(loads: list[str]) -> None:
    cache = ModelCache(max_models=8, max_bytes=9000)
    for name in ("a", "b", "c"):
        cache.classifier(f"bundled/{name}", CPU)
    assert cache.references == ["bundled/b", "bundled/c"]
    assert cache.bytes == 8000
    small = ModelCache(max_bytes=10)
    assert small.classifier("bundled/a", CPU) is small.classifier("bundled/a", CPU)  # larger than the bound: kept alone
    small.classifier("bundled/b", CPU)
    assert small.references == ["bundled/b"]


def test_sizes_are_different_models(loads: list[str]) -> None:
    cache = ModelCache()
    small, large = (cache.classifier("bundled/one", CPU, size=(side, side)) for side in (32, 64))
    assert small is not large
    assert cache.classifier("bundled/one", CPU, size=(32, 32)) is small
    assert loads == ["one", "one"]


def test_a_failed_load_is_told_to_all_and_tried_again(loads: list[str]) -> None:
    cache = ModelCache()
    got = at_once(lambda: cache.classifier("bundled/broken", CPU))
    assert [str(error) for error in got] == ["damaged."] * 10
    assert len(loads) == 1
    assert cache._loading == {}
    with pytest.raises(LabError, match="damaged"):
        cache.classifier("bundled/broken", CPU)
    assert len(loads) == 2
    assert cache._loading == {}


def test_one_who_gives_up_does_not_spoil_it_for_the_others(loads: list[str]) -> None:
    cache = ModelCache()
    outcomes: list[Any] = []

    def impatient() -> None:
        try:
            cache.classifier("bundled/one", CPU, should_stop=lambda: True)
        except DownloadStoppedError as error:
            outcomes.append(error)

    thread = threading.Thread(target=impatient)
    thread.start()
    while not loads:
        time.sleep(0.001)
    assert isinstance(cache.classifier("bundled/one", CPU), nn.Module)
    thread.join()
    assert len(outcomes) == 1
    assert loads == ["one", "one"]


def test_one_who_waits_may_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def hanging(reference: str, **options: Any) -> nn.Module:
        go_on.wait(20)
        return nn.Linear(2, 2)

    monkeypatch.setattr(core.models.cache, "load_classifier", hanging)
    cache = ModelCache()
    thread = threading.Thread(target=lambda: cache.classifier("bundled/one", CPU))
    thread.start()
    while not cache._loading:
        time.sleep(0.001)
    started = time.monotonic()
    with pytest.raises(DownloadStoppedError, match="The wait for 'bundled/one', which is being loaded, was stopped"):
        cache.classifier("bundled/one", CPU, should_stop=lambda: True)
    assert time.monotonic() - started < 0.5 + BUSY
    go_on.set()
    thread.join()


def test_forget_waits_for_a_load_and_frees(loads: list[str]) -> None:
    cache = ModelCache()
    thread = threading.Thread(target=lambda: cache.classifier("bundled/one", CPU, size=(32, 32)))
    thread.start()
    while not loads:
        time.sleep(0.001)
    assert cache.forget("bundled/one") == 1
    thread.join()
    assert cache.references == []
    kept = weakref.ref(cache.classifier("bundled/a", CPU))
    assert cache.forget("bundled/one") == 0
    assert kept() is not None
    assert cache.forget("bundled/a") == 1
    assert kept() is None


def test_a_model_in_use_outlives_being_forgotten(loads: list[str]) -> None:
    cache = ModelCache(max_models=1)
    working = cache.classifier("bundled/a", CPU)
    cache.classifier("bundled/b", CPU)
    gc.collect()
    assert working(torch.zeros(1, 1000)).shape == (1, 1)


def test_the_denoiser_none_is_no_model() -> None:
    cache = ModelCache()
    assert cache.denoiser("none", CPU) is None
    assert cache.references == []
    assert cache.denoiser("classical/median", CPU) is cache.denoiser("classical/median", CPU)
    with pytest.raises(LabError, match="Unknown model reference"):
        cache.denoiser("nonsense", CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_memory_of_the_graphics_card_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def large(reference: str, **options: Any) -> nn.Module:
        return nn.Linear(8192, 8192, bias=False)  # 256 MiB

    monkeypatch.setattr(core.models.cache, "load_classifier", large)
    device = torch.device("cuda")
    cache = ModelCache(max_models=1)
    cache.classifier("bundled/a", device)
    reserved = torch.cuda.memory_reserved()
    for name in ("b", "c", "d"):
        cache.classifier(f"bundled/{name}", device)
    assert torch.cuda.memory_reserved() <= reserved
    cache.forget("bundled/d")
    assert torch.cuda.memory_reserved() <= reserved - 2**28
