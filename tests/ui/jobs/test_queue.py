"""The job queue: progress, stop, fairness, limits, results."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image

import core.ui.jobs.job
import core.ui.jobs.queue
from core.errors import LabError
from core.ui.jobs.job import Job, JobContext, Pages, result_size
from core.ui.jobs.queue import MAX_QUEUED_PER_SESSION, JobQueue

BUSY = 1.0
"""Seconds that a machine with other things to do may add to what is promised."""


def counting(steps: int, pause: float = 0.01, log: list[str] | None = None, name: str = ""):
    """Work that reports a number after each short step."""

    def work(context: JobContext) -> int:
        for step in range(steps):
            time.sleep(pause)
            if log is not None:
                log.append(name)
            context.report(step + 1)
            if context.should_stop():
                return step + 1
        return steps

    return work


def test_result_progress_and_key_are_kept() -> None:
    queue = JobQueue()
    calls: list[int] = []

    def work(context: JobContext) -> str:
        calls.append(1)
        context.report("half")
        return "result"

    job = queue.submit("a", "title", work, key=("k",))
    assert job.wait(5)
    assert (job.state, job.result, job.progress) == ("done", "result", "half")
    again = queue.submit("b", "title", work, key=("k",))
    assert again.finished
    assert again.result == "result"
    assert calls == [1]
    assert queue.look(job.id) is job
    assert queue.look("unknown") is None


def test_stop_acts_within_half_a_second_and_keeps_the_partial_result() -> None:
    queue = JobQueue()
    job = queue.submit("a", "long", counting(100_000), key=("long",))
    while not job.progress:
        time.sleep(0.01)
    began = time.monotonic()
    queue.stop(job)
    assert job.wait(0.5 + BUSY)
    assert time.monotonic() - began < 0.5 + BUSY
    assert job.state == "done"
    assert 0 < job.result < 100_000
    assert not queue.submit("a", "again", counting(1), key=("long",)).finished, "a stopped result must not be served as whole"


def test_stop_acts_at_once_on_a_job_that_waits_for_its_turn() -> None:
    queue = JobQueue()
    release = threading.Event()

    def stubborn(context: JobContext) -> None:
        release.wait(10)

    blocker = queue.submit("a", "computes without reporting", stubborn)
    waiting = queue.submit("b", "waits", counting(1_000))
    time.sleep(0.05)
    queue.stop(waiting)
    assert waiting.wait(0.5)
    assert not blocker.finished
    release.set()
    assert blocker.wait(5)


def test_queued_job_that_is_stopped_never_starts() -> None:
    queue = JobQueue()
    first = queue.submit("a", "first", counting(50))
    second = queue.submit("a", "second", counting(1))
    assert second.state == "queued"
    assert queue.ahead_of(second) == 0
    queue.stop(second)
    assert second.finished
    assert second.state == "failed"
    assert second.progress is None
    queue.stop(first)
    assert first.wait(1)


def test_a_short_job_does_not_wait_for_a_long_one_of_another_session() -> None:
    queue = JobQueue()
    log: list[str] = []
    long = queue.submit("a", "long", counting(2_000, log=log, name="long"))
    while not long.progress:
        time.sleep(0.01)
    before = len(log)
    short = queue.submit("b", "short", counting(10, log=log, name="short"))
    assert short.wait(5)
    assert not long.finished
    during = log[before:]
    # They take turns: while the short one did its 10 steps, the long one did about as many.
    assert during.count("short") == 10
    assert 5 <= during.count("long") <= 30
    queue.stop(long)
    assert long.wait(1)


def test_sessions_are_served_in_turn_and_one_job_a_session_runs() -> None:
    queue = JobQueue()
    started: list[str] = []

    def named(name: str):
        def work(context: JobContext) -> None:
            started.append(name)
            time.sleep(0.02)

        return work

    jobs = [queue.submit("a", "", named(f"a{i}")) for i in range(4)] + [queue.submit("b", "", named("b0"))]
    assert all(job.wait(5) for job in jobs)
    assert started.index("b0") <= 1, started
    assert [name for name in started if name.startswith("a")] == ["a0", "a1", "a2", "a3"]


def test_limits_are_told() -> None:
    queue = JobQueue()
    running = queue.submit("a", "", counting(100_000))
    for _ in range(MAX_QUEUED_PER_SESSION):
        queue.submit("a", "", counting(1))
    with pytest.raises(LabError, match="waiting already"):
        queue.submit("a", "", counting(1))
    queue.submit("b", "", counting(1))
    queue.stop(running)


def test_a_users_mistake_is_a_sentence_and_a_fault_does_not_stop_the_queue(capfd: pytest.CaptureFixture[str]) -> None:
    queue = JobQueue()

    def mistake(context: JobContext) -> None:
        raise LabError("sigma is 0: expected more.")

    def fault(context: JobContext) -> None:
        raise KeyError("oops")

    first, second = queue.submit("a", "", mistake), queue.submit("a", "", fault)
    assert first.wait(5)
    assert second.wait(5)
    assert (first.state, first.error) == ("failed", "sigma is 0: expected more.")
    assert second.state == "failed"
    assert "KeyError" in (second.error or "")
    assert "Traceback" in capfd.readouterr().err
    third = queue.submit("a", "", counting(1))
    assert third.wait(5)
    assert third.result == 1


def test_a_job_that_no_page_looks_at_ends_without_anybody_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = JobQueue()
    monkeypatch.setattr(core.ui.jobs.job, "ABANDONED_AFTER", 0.5)
    job, looked_at = queue.submit("a", "", counting(100_000)), queue.submit("b", "", counting(100_000))
    waiting = [queue.submit("b", "", counting(1)) for _ in range(MAX_QUEUED_PER_SESSION)]
    for _ in range(10):
        time.sleep(0.1)
        queue.look(looked_at.id)
    assert job.finished
    assert not looked_at.stopping
    last = queue.submit("b", "", counting(1))
    assert all(job.finished for job in waiting), "nobody looks at those that wait: they make room"
    queue.stop(looked_at)
    assert last.wait(5)


def holding(bytes_: int):
    """Work whose result is that large."""
    return lambda context: bytearray(bytes_)


def done(queue: JobQueue, work, key: tuple[object, ...] | None = None) -> Job:
    job = queue.submit("a", "", work, key=key)
    assert job.wait(5)
    return job


def test_of_too_many_bytes_the_results_looked_at_longest_ago_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.ui.jobs.queue, "KEPT_BYTES", 350_000)
    queue = JobQueue()
    first, second, third = (done(queue, holding(100_000), key=(number,)) for number in range(3))
    assert 100_000 <= first.size < 110_000
    assert queue.look(first.id) is first
    fourth = done(queue, holding(100_000))
    assert queue.look(second.id) is None, "nobody looked at it since the first was looked at"
    assert [queue.look(job.id) for job in (first, third, fourth)] == [first, third, fourth]
    assert queue.submit("b", "", holding(1), key=(0,)) is first
    again = queue.submit("b", "", holding(100_000), key=(1,))
    assert again is not second, "what was dropped is computed again"
    assert again.wait(5)


def test_asking_for_a_result_again_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.ui.jobs.queue, "KEPT_BYTES", 250_000)
    queue = JobQueue()
    first, second = (done(queue, holding(100_000), key=(number,)) for number in range(2))
    assert queue.submit("b", "", holding(100_000), key=(0,)) is first
    done(queue, holding(100_000))
    assert queue.look(first.id) is first
    assert queue.look(second.id) is None


def test_a_result_larger_than_the_limit_stays_until_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.ui.jobs.queue, "KEPT_BYTES", 1_000)
    queue = JobQueue()
    small, large = done(queue, holding(10)), done(queue, holding(10_000))
    assert queue.look(small.id) is None
    assert queue.look(large.id) is large
    next_one = done(queue, holding(10))
    assert queue.look(large.id) is None
    assert queue.look(next_one.id) is next_one


def test_of_too_many_results_the_oldest_go_and_unfinished_jobs_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.ui.jobs.queue, "KEPT_RESULTS", 3)
    queue = JobQueue()
    running = queue.submit("b", "", counting(100_000, pause=0.001))
    jobs = [done(queue, holding(1)) for _ in range(5)]
    assert [queue.look(job.id) is None for job in jobs] == [True, True, False, False, False]
    assert queue.look(running.id) is running
    queue.stop(running)
    assert running.wait(5)


def test_a_finished_job_lets_go_of_what_its_work_held() -> None:
    class Upload:
        pass

    queue, upload = JobQueue(), Upload()
    held = weakref.ref(upload)
    job = queue.submit("a", "", lambda context, upload=upload: None)
    assert job.wait(5)
    del upload
    gc.collect()
    assert held() is None


def test_work_that_waits_for_a_network_lets_others_compute() -> None:
    queue, answered, reported = JobQueue(), threading.Event(), threading.Event()

    def waits(context: JobContext) -> str:
        with context.aside():
            context.report("asked")
            reported.set()
            assert answered.wait(20)
        return "answered"

    def computes(context: JobContext) -> str:
        for step in range(50):
            context.report(step)
        return "computed"

    first = queue.submit("one", "waits", waits)
    assert reported.wait(20)
    second = queue.submit("two", "computes", computes)
    assert second.wait(20), "it waited for a job that only waits itself"
    assert first.progress == "asked"
    answered.set()
    assert first.wait(20)
    assert (first.result, second.result) == ("answered", "computed")


def test_closing_stops_what_runs_and_drops_what_waits() -> None:
    queue = JobQueue()
    running = queue.submit("a", "long", counting(100_000))
    waiting = queue.submit("a", "next", counting(100_000))
    while not running.progress:
        time.sleep(0.01)
    began = time.monotonic()
    queue.close()
    assert time.monotonic() - began < 0.5 + BUSY
    assert (running.state, waiting.state) == ("done", "failed")
    assert running.result < 100_000
    gone = weakref.ref(queue)
    del queue, running, waiting
    gc.collect()
    assert gone() is None, "the interpreter's end is no reason to keep a queue"


@dataclass(frozen=True)
class Part:
    pixels: object
    more: dict[str, object] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("heavy", "bytes_"),
    [
        (torch.zeros(3, 100, 100), 120_000),
        (np.zeros((100, 100, 3)), 240_000),
        (Image.new("RGB", (200, 100)), 80_000),
        (Image.new("L", (200, 100)), 20_000),
        (b"x" * 50_000, 50_000),
        ("x" * 50_000, 50_000),
    ],
)
def test_what_weighs_is_found_wherever_it_is_and_counted_once(heavy, bytes_):
    for held in (heavy, [heavy], (1, {"a": heavy}), Part(heavy), Part(None, {"b": [Part(heavy)]}), [heavy, heavy, Part(heavy)]):
        assert bytes_ <= result_size(held) < bytes_ + 3_000, held


def test_different_things_add_up():
    assert result_size([torch.zeros(1_000), torch.zeros(1_000)]) >= 8_000
    assert result_size([tuple(range(1_000, 2_000))]) >= 8_000 + 1_000 * 28


def test_small_and_circular_things():
    circle: list[object] = [1]
    circle.append(circle)
    assert 0 < result_size(circle) < 300
    assert 0 < result_size(None) < 100
    assert result_size(Part) > 0


def test_what_only_a_session_that_left_could_look_at_ends_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = JobQueue()
    own, whole = done(queue, holding(10)), done(queue, holding(10), key=("shared",))
    running = queue.submit("a", "", counting(100_000), key=("running",))
    waiting = [queue.submit("a", "", counting(100_000)) for _ in range(3)]
    other = queue.submit("b", "", counting(100_000, pause=0.001))
    queue.mark_away("a")
    assert not running.stopping, "it may come back"
    queue.leave("a")
    assert all(job.wait(1) for job in (running, *waiting))
    assert not other.finished
    assert [queue.look(job.id) for job in (own, running, *waiting)] == [None] * 5
    assert queue.look(whole.id) is whole, "others may ask for it"
    queue.stop(other)
    assert other.wait(5)


def test_a_page_that_is_loaded_again_goes_on_with_its_job() -> None:
    queue = JobQueue()
    job = queue.submit("before", "", counting(100_000), key=("k",))
    assert queue.submit("other", "", counting(3), key=("k",)) is not job, "whoever started it may stop it"
    queue.mark_away("before")
    assert queue.submit("after", "", counting(3), key=("another",)) is not job
    assert queue.submit("after", "", counting(3), key=("k",)) is job
    queue.leave("before")
    time.sleep(0.1)
    assert not job.stopping
    queue.leave("after")
    assert job.wait(1)


def test_who_came_back_keeps_its_job() -> None:
    queue = JobQueue()
    job = queue.submit("a", "", counting(100_000), key=("k",))
    queue.mark_away("a")
    queue.mark_present("a")
    assert queue.submit("b", "", counting(3), key=("k",)) is not job
    queue.stop(job)
    assert job.wait(5)


def drawn_until(pages: Pages, end: threading.Event) -> threading.Thread:
    """A thread that draws a page until then."""
    begun = threading.Event()

    def draw() -> None:
        pages.draw()
        begun.set()
        end.wait(30)

    thread = threading.Thread(target=draw)
    thread.start()
    begun.wait(5)
    return thread


def test_a_job_gives_way_to_pages_and_keeps_half_of_its_speed() -> None:
    queue, end = JobQueue(), threading.Event()
    job = queue.submit("a", "steps of 0.1 s", counting(1_000, pause=0.1))
    while not job.progress:
        time.sleep(0.01)
    page = drawn_until(queue.pages, end)
    before, began = job.progress, time.monotonic()
    time.sleep(2)
    slowed = (job.progress - before) / (time.monotonic() - began)
    assert 3 <= slowed <= 6.5, "a step a fifth of a second"
    end.set()
    page.join()
    before, began = job.progress, time.monotonic()
    time.sleep(2)
    assert (job.progress - before) / (time.monotonic() - began) > 1.4 * slowed
    queue.stop(job)
    assert job.wait(5)


def test_a_stopped_job_does_not_wait_for_pages() -> None:
    queue, end = JobQueue(), threading.Event()
    page = drawn_until(queue.pages, end)

    def work(context: JobContext) -> str:
        time.sleep(0.5)
        context.report("half")
        return "ended"

    job = queue.submit("a", "title", work)
    time.sleep(0.1)
    queue.stop(job)
    assert job.wait(0.6 + BUSY / 4)
    end.set()
    page.join()


def test_pages_wait_for_others_for_so_long_at_most_and_never_for_themselves() -> None:
    pages, end = Pages(), threading.Event()
    page = drawn_until(pages, end)
    began = time.monotonic()
    pages.let_through(0.3)
    assert 0.3 <= time.monotonic() - began < 0.3 + BUSY
    pages.draw()
    began = time.monotonic()
    pages.let_through(30)
    assert time.monotonic() - began < BUSY
    end.set()
    page.join()


def test_who_ended_is_waited_for_no_more() -> None:
    pages, end = Pages(), threading.Event()
    page = drawn_until(pages, end)
    threading.Timer(0.2, end.set).start()
    began = time.monotonic()
    pages.let_through(30)
    assert time.monotonic() - began < 0.2 + BUSY
    page.join()
