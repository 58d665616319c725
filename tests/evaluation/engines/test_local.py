"""The engine of this machine: the same lines whatever the number of processes, and whatever happens to them."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.__main__ import main
from core.errors import LabError
from core.evaluation.engines import EvaluationTask, make_engine
from core.evaluation.engines.local import LocalEngine
from core.evaluation.log import read_image_votes, read_log
from tests.evaluation.engines.engine_tasks import Content, content, one_by_one, process_of, save_classifier, small_task


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_classifier(tmp_path_factory.mktemp("models") / "torn")


@pytest.fixture(scope="module")
def expected(reference: str) -> list[Content]:
    found = one_by_one(small_task(reference))
    assert len({str(line[3]) for line in found}) > 4, "else equal logs would prove little"
    return found


def test_alone_it_yields_in_order(reference: str) -> None:
    task = small_task(reference, images=4, n=100)
    with make_engine("local") as engine:
        assert [content(each) for each in engine.run(task)] == one_by_one(task)


def test_auto_is_a_device_of_this_machine(reference: str) -> None:
    task = small_task(reference, images=2, n=100)
    asked = replace(task, device="auto")
    with make_engine("local", workers=1) as engine:
        assert [content(each) for each in engine.run(asked)] == one_by_one(asked)


def test_a_killed_process_costs_nothing_that_is_finished(reference: str, expected: list[Content]) -> None:
    task = small_task(reference)
    notices: list[str] = []
    found, killed = [], 0
    with make_engine("local", workers=2) as engine:
        for each in engine.run(task, on_notice=notices.append):
            found.append(content(each))
            if not killed:
                killed = process_of(engine)
                os.kill(killed, signal.SIGKILL)
    assert sorted(found, key=lambda line: int(str(line[0]))) == expected
    assert [notice for notice in notices if f"Lost process {killed}" in notice and "SIGKILL" in notice]


def test_a_stop_ends_it_and_leaves_no_process(reference: str, expected: list[Content]) -> None:
    task = small_task(reference)
    found, asked = [], 0.0
    with make_engine("local", workers=2) as engine:
        for each in engine.run(task, should_stop=lambda: bool(found)):
            asked = asked or time.monotonic()
            found.append(content(each))
            process = process_of(engine)
    assert time.monotonic() - asked < 10
    assert 1 <= len(found) < len(task.data)
    assert set(map(str, found)) <= set(map(str, expected))
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_other_weights_than_this_process_has_are_refused(tmp_path: Path) -> None:
    reference = save_classifier(tmp_path / "model")
    task = small_task(reference, images=4, n=100)
    save_classifier(tmp_path / "model", seed=1)
    with make_engine("local", workers=2) as engine, pytest.raises(LabError, match="other weights for 'local/"):
        list(engine.run(task))


def test_models_without_a_reference_need_one_worker(reference: str) -> None:
    task = small_task(reference, images=2, n=100)
    bare = EvaluationTask(task.data, lambda pixels: pixels.mean((2, 3)), None, task.settings)
    assert len(list(LocalEngine(1).run(bare))) == 2
    with pytest.raises(LabError, match="has none: use one worker"):
        list(LocalEngine(2).run(bare))


def test_a_log_begun_alone_goes_on_with_two_workers_and_ends_the_same(
    reference: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, shared = tmp_path / "whole.tsv", tmp_path / "shared.tsv"

    def command(out: Path, *more: str) -> list[str]:
        return [
            "evaluate",
            "--dataset",
            "shapes",
            "--stop",
            "300",
            "--every",
            "20",
            "--classifier",
            reference,
            "--denoiser",
            "none",
            "--n",
            "100",
            "--n0",
            "10",
            "--device",
            "cpu",
            "--out",
            str(out),
            *more,
        ]

    assert main(command(whole)) == 0
    assert main(command(shared)) == 0
    text = shared.read_text()
    shared.write_text(text[: text.index("\n60\t") + 1])
    assert main(command(shared, "--resume", "--workers", "2")) == 0
    assert [line.idx for line in read_log(shared).lines()] == list(range(0, 300, 20))
    assert [line[:5] for line in map(str.split, shared.read_text().splitlines())] == [
        line[:5] for line in map(str.split, whole.read_text().splitlines())
    ]
    assert list(read_image_votes(shared).items()) == list(read_image_votes(whole).items())
    made = [json.loads(path.with_suffix(".json").read_text()) for path in (whole, shared)]
    assert made[0] == made[1]
    assert "12/12" in capsys.readouterr().err
