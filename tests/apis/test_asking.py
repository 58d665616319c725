"""Asking: rates and back-off."""

from __future__ import annotations

import threading
import time

from core.apis.asking import MOST_WAIT, Pace, backoff


def test_threads_together_keep_to_the_rate() -> None:
    pace, stopped, turns = Pace(rate=100), threading.Event(), []

    def work() -> None:
        for _ in range(5):
            assert pace.turn(stopped)
            turns.append(time.monotonic())

    began = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 0.19  # 20 turns, 19 gaps of 10 ms


def test_a_pause_holds_everybody() -> None:
    pace, stopped = Pace(rate=1000), threading.Event()
    assert pace.turn(stopped)
    pace.pause(0.3)
    began = time.monotonic()
    assert pace.turn(stopped)
    assert time.monotonic() - began >= 0.29


def test_a_stop_ends_the_wait() -> None:
    pace, stopped = Pace(rate=1000), threading.Event()
    pace.pause(60)
    threading.Timer(0.1, stopped.set).start()
    began = time.monotonic()
    assert not pace.turn(stopped)
    assert time.monotonic() - began < 5


def test_backing_off_doubles_up_to_a_minute_and_obeys_the_api() -> None:
    assert [backoff(attempt, None, lambda: 1.0) for attempt in range(8)] == [1, 2, 4, 8, 16, 32, MOST_WAIT, MOST_WAIT]
    assert backoff(0, None, lambda: 0.0) == 0.5
    assert backoff(5, 7.0) == 7.0
