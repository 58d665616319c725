"""The jobs of a session, and what a page draws of one."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.ui.jobs import follow
from core.ui.jobs.session import picture_key, queue

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def own_queue() -> None:
    queue.clear()  # what other tests left under way is of the same session, which computes one job at a time


def page() -> None:
    """Starts what the session asks for; all depends on whether the last job is under way."""
    import time

    import streamlit as st

    from core.ui.jobs.follow import begin, draw_job, draw_stop, draw_waiting, follow, under_way
    from core.ui.jobs.session import SessionJobs

    jobs = SessionJobs("tests-of-sessions")

    def work(context):
        while not context.should_stop():
            time.sleep(0.01)
        return "the result"

    busy = under_way(jobs.latest())
    if st.button("Start", disabled=busy) and begin(lambda: jobs.start_alone("Test", work, "A test")):
        st.rerun()
    if st.button("Start another"):
        begin(lambda: jobs.start_alone("Test", work, "A test"))

    def running(job):
        draw_waiting(job, "Loading…")
        draw_stop(job)

    follow(lambda job: job is not None and draw_job(job, running, st.markdown), jobs.latest, busy=busy)


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click()
    return at.run()


def until_ended(at: AppTest) -> AppTest:
    deadline = time.monotonic() + 20
    while any(button.label == "Stop" for button in at.button):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        at.run()
    return at


def test_a_job_is_started_once_at_a_time_stopped_and_drawn() -> None:
    at = press(AppTest.from_function(page, default_timeout=20).run(), "Start")
    assert at.button[0].disabled
    assert not at.error
    at = press(at, "Start another")
    assert at.error[0].value.replace("\\", "") == "A test of yours is under way: stop it first, or wait for its end."
    at = until_ended(press(at, "Stop"))
    assert [element.value for element in at.markdown] == ["the result"]
    assert not at.button[0].disabled, "what stands around a job is drawn anew when it ended"
    at = until_ended(press(press(at, "Start"), "Stop"))
    assert [element.value for element in at.markdown] == ["the result"]


def test_a_look_at_a_job_lets_pages_be_drawn_first(monkeypatch: pytest.MonkeyPatch) -> None:
    at = press(AppTest.from_function(page, default_timeout=20).run(), "Start")
    monkeypatch.setattr(follow, "LATER", 1.5)
    begun, end = threading.Event(), threading.Event()

    def draw() -> None:
        queue().pages.draw()
        begun.set()
        end.wait(20)

    other = threading.Thread(target=draw)
    other.start()
    begun.wait(5)
    began = time.monotonic()
    at.run()
    assert time.monotonic() - began >= 1.5
    assert [button.label for button in at.button if button.label == "Stop"], "it is drawn in the end, whoever draws"
    end.set()
    other.join()
    until_ended(press(at, "Stop"))


def test_pictures_differ_by_pixels_and_by_size() -> None:
    pictures: list[Any] = [Image.new("RGB", size, colour) for size in ((2, 8), (4, 4)) for colour in ("red", "blue")]
    assert len({picture_key(picture) for picture in pictures}) == 4
    assert picture_key(pictures[0]) == picture_key(pictures[0].copy())
    assert queue() is queue()
