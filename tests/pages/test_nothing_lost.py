"""Nothing lost: a page's process is killed in the midst of its work, and what was finished is gone on with after a restart."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.apis.ledger import ANSWERED, IN_DOUBT, Ledger
from core.folders import answers_file
from core.models.references import BUNDLED_FOLDER
from core.runs import store as store_module
from core.runs.store import RunStore
from core.runs.unfinished import unfinished
from core.training import timed
from core.training.trained import trained_models
from core.ui.tradeoffs import run_store as run_store_module
from tests.runs.postgres_server import programs, running_postgres
from tests.small_disk import run_on_disk

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes").exists(), reason="the bundled classifier is not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
EVALUATION = {
    "view": "new",
    "classifier": "bundled/shapes",
    "denoiser-shapes": "none",
    "evaluation-n0": "5",
    "evaluation-n": "300",
    "evaluation-images": "20",
    "evaluation-seed": "3",
}
ASKING = {"api-n": "120", "api-n0": "10", "picture": "red-car", "api-budget": "1", "api-bound": "clopper-pearson"}
TRAINING = {"train-minutes": "0.3", "train-checked": "2", "train-n": "20", "train-batch": "16", "train-seed": "3"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Lab's folder of this test."""
    monkeypatch.delenv("LAB_STORE", raising=False)
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    st.cache_resource.clear()  # the file of answers is opened once a process
    return tmp_path / "home"


def page(name: str, **query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page(f"pages/{name}.py")
    for key, value in query.items():
        at.query_params[key] = value
    return checked(at.run())


def checked(at: AppTest) -> AppTest:
    assert not at.exception, [e.value for e in at.exception]
    return at


def press(at: AppTest, label: str) -> AppTest:
    next(b for b in at.button if b.label.startswith(label)).click()
    return checked(at.run())


def until(at: AppTest, reached: Callable[[AppTest], bool], seconds: float = 120) -> AppTest:
    deadline = time.monotonic() + seconds
    while not reached(at):
        assert time.monotonic() < deadline, "not within the time"
        assert not at.error, [e.value for e in at.error]
        time.sleep(0.1)
        checked(at.run())
    return at


def words(elements: Any) -> str:
    return " ".join(str(element.value) for element in elements)


def kill_under_way(name: str, button: str, query: dict[str, str]) -> None:
    """Begin something on a page in a process of its own, and kill that as soon as a part of it is kept."""
    command = [sys.executable, "-m", "tests.pages.killed_session", name, button, *(f"{k}={v}" for k, v in query.items())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "under way\n":
                pytest.fail(process.communicate()[1][-3000:])
        finally:
            process.send_signal(signal.SIGKILL)


def test_an_evaluation_goes_on_from_its_last_finished_image(home: Path) -> None:
    kill_under_way("3_Trade-offs", "Start", EVALUATION)
    store = RunStore()
    (cut,) = store.runs()
    finished = store.lines(cut.id)
    assert 3 <= len(finished) < 20
    assert cut.state == "running"
    with sqlite3.connect(home / "runs.sqlite") as database:  # a minute later
        database.execute("UPDATE lab_runs SET beat = beat - ?", (store_module.SILENT_SECONDS,))
    at = page("3_Trade-offs", view="new")
    assert f"was cut short after {len(finished)} images" in words(at.info)
    at = press(at, "Go on with it")
    assert (at.selectbox(key="view").value, at.selectbox(key="run").value) == ("runs", str(cut.id))
    assert list(at.dataframe[0].value["state"]) == ["interrupted"]
    assert f"Interrupted after {len(finished)} of 20 images" in words(at.info)
    press(at, f"Resume: {20 - len(finished)} images are missing")
    until(at, lambda at: store.run(cut.id).state == "finished")
    lines = store.lines(cut.id)
    assert len(lines) == 20
    assert [line for line in lines if line.idx in {one.idx for one in finished}] == finished  # to the seconds they took

    until(
        press(page("3_Trade-offs", **EVALUATION), "Start"), lambda at: len(store.runs()) == 2 and store.runs()[0].images == 20
    )
    whole = store.runs()[0]
    told = [[(one.idx, one.predict, one.radius) for one in store.lines(run)] for run in (cut.id, whole.id)]
    assert told[0] == told[1]
    store.close()


def test_a_training_goes_on_from_its_last_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    kill_under_way("6_Train", "Train", TRAINING)
    (left,) = unfinished("training")
    assert not trained_models()
    at = page("6_Train")
    assert "The training shapes-mse-stab was cut short" in words(at.info)
    heard: list[int] = []
    restore = timed._Timed._restore

    def spy(self: Any, saved: Any) -> None:
        restore(self, saved)
        heard.append(self.learner.steps)

    monkeypatch.setattr(timed._Timed, "_restore", spy)
    press(at, "Go on")
    until(at, lambda at: "Kept as" in words(at.success))
    (model,) = trained_models()
    assert heard[0] > 0
    assert model.card["recipe"]["steps"] > heard[0]
    assert model.card["recipe"]["seed"] == 3
    assert "of 2 pictures right and certified" in model.card["certified_told"]
    assert not left.folder.exists()
    assert "cut short" not in words(page("6_Train").info)


def test_a_training_that_was_cut_short_can_be_dropped() -> None:
    kill_under_way("6_Train", "Train", TRAINING)
    at = press(page("6_Train"), "Drop it")
    assert "Dropped." in words(at.success)
    assert not unfinished("training")
    assert not any(b.label == "Go on" for b in at.button)


def test_an_api_is_asked_for_the_missing_answers_alone() -> None:
    """The seed was drawn, and is that of the answers that are kept."""
    kill_under_way("5_Vision_APIs", "Ask", ASKING)
    book = Ledger(answers_file())
    ((run, _, _, spent),) = book.runs()
    (left,) = unfinished("api")
    assert 0 < spent < 0.13
    at = page("5_Vision_APIs")  # with a blank link, as somebody comes who knows nothing of it
    assert "Queries about Red car to the Lab's own demo API" in words(at.info)
    at = press(at, "Go on")
    assert (at.number_input(key="api-n").value, at.selectbox(key="picture").value) == (120, "red-car")
    assert at.selectbox(key="api-bound").value == "clopper-pearson"
    assert at.number_input(key="api-seed").value == left.asked["controls"]["api-seed"]
    kept = [q for purpose in ("select", "estimate") for q in book.queries(run, purpose)]
    assert int(next(m.value for m in at.metric if m.label == "Queries at most")) == 130 - len(kept)
    at = until(press(at, "Ask"), lambda at: any(m.label == "Spent" for m in at.metric))
    assert [name for name, *_ in book.runs()] == [run]
    again = {(q.purpose, q.number): q for purpose in ("select", "estimate") for q in book.queries(run, purpose)}
    assert len(again) == 130
    assert all(again[q.purpose, q.number] == q for q in kept if q.state == ANSWERED)  # nothing was paid twice
    assert {q.state for q in again.values()} <= {ANSWERED, IN_DOUBT}
    assert not unfinished("api")
    assert "cut short" not in words(page("5_Vision_APIs").info)
    book.close()


@pytest.mark.parametrize(("kind", "name"), [("training", "6_Train"), ("api", "5_Vision_APIs")])
@pytest.mark.parametrize(
    "asked", ['{"owner": ""}', '{"owner": "", "name": 5, "request": [1], "controls": [1]}', '[["owner", ""]]']
)
def test_what_cannot_be_read_of_cut_short_work_is_said_and_can_be_dropped(home: Path, kind: str, name: str, asked: str) -> None:
    folder = home / "unfinished" / kind / "0"
    folder.mkdir(parents=True)
    (folder / "asked.json").write_text(asked)
    at = press(page(name), "Go on")
    assert "cannot be read: drop it, and begin anew." in words(at.error)
    at = press(at, "Drop it")
    assert not folder.exists()
    assert not any(button.label == "Go on" for button in at.button)


PAGES = """
import sys, warnings
from pathlib import Path
from streamlit.testing.v1 import AppTest

warnings.simplefilter("ignore")


def page(name, **query):
    at = AppTest.from_file("app.py", default_timeout=90).switch_page(f"pages/{name}.py")
    for key, value in query.items():
        at.query_params[key] = value
    return checked(at.run())


def checked(at):
    assert not at.exception, [e.value for e in at.exception]
    return at


def press(at, label):
    next(b for b in at.button if b.label == label).click()
    return checked(at.run())


def told(at):
    return " ".join(e.value for e in [*at.error, *at.info]).replace("\\\\", "").replace(chr(0x2060), "")


for path in sorted(Path("pages").glob("*.py")):
    page(path.stem)
at = page("3_Trade-offs", view="runs")
print(list(at.dataframe[0].value["name"]), list(at.dataframe[0].value["images"]))
print(told(page("5_Vision_APIs")))
quick = {"classifier": "bundled/shapes", "denoiser-shapes": "none", "evaluation-n": "20", "evaluation-images": "2"}
at = press(page("3_Trade-offs", view="new", **quick), "Start")
while not at.error:
    checked(at.run())
print(told(at))
at = press(page("6_Train", **{"train-minutes": "0.1", "train-checked": "0"}), "Train")
while not at.error:
    checked(at.run())
print(told(at), [b.label for b in at.get("download_button")])
"""
STORED = """
from core.evaluation.log import LogLine
from core.runs.store import RunStore
store = RunStore()
store.take("mine", {"sigma": 0.25}, [LogLine(0, 1, 1, 0.5, True, 1.0)])
store.close()
"""
FILLED = (
    STORED
    + """
from core.folders import home_folder
try:
    (home_folder() / "rest").write_bytes(bytes(10**7))
except OSError:
    pass
"""
)


@pytest.mark.parametrize("read_only", [True, False], ids=["read-only", "full"])
def test_every_page_is_drawn_without_room_says_so_and_shows_what_was_finished(tmp_path: Path, read_only: bool) -> None:
    before = STORED if read_only else FILLED
    runs, asking, evaluation, training = run_on_disk(tmp_path, PAGES, 600, before=before, read_only=read_only).splitlines()
    assert runs == "['mine'] ['1']"
    assert "answers.sqlite' cannot be used" in asking
    assert "runs.sqlite' can only be read now: its disk is full, or cannot be written to." in evaluation
    assert "The denoiser cannot be written into the Lab's folder" in training
    assert "a crash would lose it" in training
    assert "'Download'" in training  # the denoiser itself is not lost


def test_a_server_that_goes_and_comes_back_under_an_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL is installed here (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with running_postgres(found) as server:
        monkeypatch.setenv("LAB_STORE", server.url())
        monkeypatch.setattr(run_store_module, "RETRY_SECONDS", 0.0)
        store = RunStore()
        at = press(page("3_Trade-offs", **EVALUATION), "Start")
        until(at, lambda at: any(run.images >= 3 for run in store.runs()))
        server.stop()
        deadline = time.monotonic() + 60
        while not at.error:
            assert time.monotonic() < deadline, "nothing was said"
            checked(at.run())
        assert "cannot be used" in words(at.error)
        assert "cannot be used" in words(page("3_Trade-offs", view="runs").error)
        server.start()
        (cut,) = store.runs()
        assert 3 <= cut.images < 20
        monkeypatch.setattr(store_module, "SILENT_SECONDS", 0.0)  # a minute later
        at = page("3_Trade-offs", view="runs")
        assert list(at.dataframe[0].value["state"]) == ["interrupted"]
        press(at, "Resume")
        until(at, lambda at: store.run(cut.id).state == "finished")
        assert store.run(cut.id).images == 20
        store.close()
        run_store_module._opened.clear()
