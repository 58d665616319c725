"""The dispatcher against workers that fail on cue; and the engines' options."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.__main__ import main
from core.data.datasets import LabelledImages
from core.errors import LabError
from core.evaluation.engines import EvaluationTask, make_engine
from core.evaluation.engines import dispatch as dispatching
from core.evaluation.engines.dispatch import Dispatcher, Event
from core.evaluation.evaluate import Evaluated, Piece, Settings, Worker, check_versions
from core.evaluation.log import ImageVotes, LogLine
from tests.evaluation.engines.engine_tasks import save_classifier, small_task

SETTINGS = Settings(sigma=0.25, n0=10, n=100)


def task_of(images: int) -> EvaluationTask:
    """Images numbered by threes."""
    numbers = torch.arange(images)
    data = LabelledImages(torch.zeros(images, 3, 8, 8, dtype=torch.uint8), numbers % 10, 3 * numbers, None)
    return EvaluationTask(data, lambda pixels: pixels.mean((2, 3)), None, SETTINGS)


class Scripted:
    """Workers that certify at once, unless ``ends`` says that worker and image are the end of the worker."""

    def __init__(self, ends: Callable[[int, int], bool] = lambda worker, image: False, starts: bool = True) -> None:
        self._ends, self._starts = ends, starts
        self._events: deque[Event] = deque()
        self.started, self.stopped, self.closed = 0, False, False
        self.given: list[tuple[int, ...]] = []

    def start_worker(self) -> int:
        self.started += 1
        self._events.append(
            Event(self.started, "ready", f"process {self.started}")
            if self._starts
            else Event(self.started, "lost", "no memory")
        )
        return self.started

    def give(self, worker: int, piece: Piece) -> None:
        assert not self.stopped
        self.given.append(piece.indices)
        for number, label in zip(piece.indices, piece.labels, strict=True):
            if self._ends(worker, number):
                self._events.append(Event(worker, "lost", "SIGKILL"))
                return
            line = LogLine(number, label, label, 0.5, True, 0.1)
            self._events.append(Event(worker, "finished", Evaluated(line, ImageVotes(number, label, {label: 1}, 1, 0.5))))
        self._events.append(Event(worker, "idle"))

    def events(self, seconds: float) -> list[Event]:
        return [self._events.popleft()] if self._events else []

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True


def run(crew: Scripted, images: int, notices: list[str] | None = None) -> list[int]:
    found = Dispatcher(task_of(images), crew, 3, (notices if notices is not None else []).append).run(lambda: False)
    return [each.line.idx for each in found]


def test_every_image_once_in_pieces_that_shrink_towards_the_end() -> None:
    crew = Scripted()
    assert sorted(run(crew, 200)) == list(range(0, 600, 3))
    assert len(crew.given[0]) == dispatching.MAX_PIECE
    assert [len(piece) for piece in crew.given[-3:]] == [1, 1, 1]
    assert crew.started == 3
    assert crew.closed


def test_a_lost_worker_costs_only_what_it_had_not_finished() -> None:
    crew, notices = Scripted(lambda worker, image: worker == 2 and image % 5 == 0), []
    assert sorted(run(crew, 100, notices)) == list(range(0, 300, 3))
    assert crew.started == 4
    assert len(notices) == 1
    assert "Lost process 2 at image" in notices[0]
    handed = [number for piece in crew.given for number in piece]
    again = {number for number in handed if handed.count(number) > 1}
    assert again, "the rest of its piece went to another"
    assert len(again) <= dispatching.MAX_PIECE


def test_an_image_that_ends_three_workers_ends_the_run() -> None:
    crew = Scripted(lambda worker, image: image == 30)
    with pytest.raises(LabError, match=r"Image 30 ended its worker 3 times \(SIGKILL\)"):
        run(crew, 40)
    assert crew.closed


def test_workers_that_never_get_ready_end_the_run() -> None:
    crew = Scripted(starts=False)
    with pytest.raises(LabError, match=r"3 workers ended before they were ready \(no memory\)"):
        run(crew, 40)
    assert crew.closed


@pytest.mark.parametrize(
    ("event", "error"), [(Event(1, "mistake", "No such device."), LabError), (Event(1, "fault", "Traceback ..."), RuntimeError)]
)
def test_what_a_worker_met_is_raised_here(event: Event, error: type[Exception]) -> None:
    crew = Scripted()
    crew._events.append(event)
    with pytest.raises(error, match=r"No such device|Traceback"):
        run(crew, 3)
    assert crew.closed


def test_after_a_stop_what_was_finished_is_still_told() -> None:
    crew, found = Scripted(), list[int]()
    dispatcher = Dispatcher(task_of(200), crew, 1, lambda sentence: None)
    found.extend(each.line.idx for each in dispatcher.run(lambda: bool(crew.given)))
    assert crew.stopped
    assert crew.closed
    assert found == list(range(0, 3 * dispatching.MAX_PIECE, 3)), "the piece that was certified before the stop was asked for"


def test_it_says_that_nobody_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "PATIENCE_SECONDS", 0.0)
    crew, notices = Scripted(), []
    late = crew._events
    crew._events = deque()
    calls = iter(range(100))

    def events(seconds: float) -> list[Event]:
        if next(calls) == 5:
            late.extend(Event(number, "ready", f"process {number}") for number in (1, 2, 3))
            crew._events = late
        return [crew._events.popleft()] if crew._events else []

    monkeypatch.setattr(crew, "events", events)
    monkeypatch.setattr(crew, "start_worker", lambda: 1)
    assert len(run(crew, 3, notices)) == 3
    assert notices == ["No worker was ready within 0 s; waiting for one."]


def test_versions_are_compared_but_not_builds() -> None:
    wanted = {"lab": "0.1.0", "torch": "2.13.0+cpu"}
    check_versions(wanted, {"lab": "0.1.0", "torch": "2.13.0+cu130", "numpy": "1"})
    with pytest.raises(LabError, match=r"A worker has torch 2.11.0, and this process 2.13.0\+cpu"):
        check_versions(wanted, {"lab": "0.1.0", "torch": "2.11.0"})
    with pytest.raises(LabError, match=r"has the Lab 0.0.9"):
        check_versions(wanted, {"lab": "0.0.9", "torch": "2.13.0"})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--workers", "0"], "--workers is 0: expected 1 to 1,024."),
        (["--ray-address", "auto"], "--ray-address is for the engine ray"),
        (["--engine", "ray", "--ray-address", "ray://head:10001"], "expected HOST:PORT"),
        (["--engine", "ray", "--ray-address", "head:99999"], "expected HOST:PORT"),
        (["--engine", "ray", "--classifier", "api/demo", "--budget", "1"], "An API is asked from this process alone"),
    ],
)
def test_options_that_make_no_engine(options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--dataset", "shapes", "--out", "none.tsv", *options]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_devices_that_are_not_there_in_such_numbers() -> None:
    with pytest.raises(LabError, match="--workers is 2, and there is 1 of device 'mps'"):
        list(
            make_engine("local", workers=2).run(
                EvaluationTask(task_of(3).data, lambda x: x, None, Settings(sigma=0.25, n0=1, n=9, alpha=0.1), device="mps")
            )
        )


@pytest.mark.parametrize(
    ("engine", "precision", "says"),
    [("openvino", "float32", "by eager in float32"), ("openvino", "bfloat16", "by eager in bfloat16")],
)
def test_a_worker_without_the_engine_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, precision: str, says: str
) -> None:
    setup = small_task(save_classifier(tmp_path)).setup("Several workers", "use one worker")
    assert (setup.settings.engine, setup.settings.precision) == ("eager", "float32"), "settled, so that all have the same"
    Worker(setup, "cpu")
    monkeypatch.setattr("core.engines.programs.why_not", lambda engine, precision, pair: "it is not installed")
    asked = replace(setup, settings=replace(setup.settings, engine=engine, precision=precision))
    with pytest.raises(LabError, match=f"A worker computes {says}, and this process by {engine} in {precision}"):
        Worker(asked, "cpu")
