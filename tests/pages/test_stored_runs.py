"""New evaluations from the Trade-offs page and the store of runs, driven without a browser on the quick `shapes` models."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation.intervals import share_interval
from core.evaluation.log import HEADER, ImageVotes, LogLine
from core.evaluation.recorded import read_recorded
from core.models.references import BUNDLED_FOLDER
from core.runs.store import RunStore, StoredRun, import_recorded, recorded_run
from core.ui.tradeoffs import run_store as run_store_module
from core.ui.tradeoffs.runs import run_archive
from tests.runs.postgres_server import programs, running_postgres

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes").exists(), reason="the bundled classifier is not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"view": "new", "classifier": "bundled/shapes", "denoiser-shapes": "none", "evaluation-n0": "5", "evaluation-n": "20"}
HEAD = "\t".join(HEADER) + "\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Lab's folder of this test, with nothing in it."""
    monkeypatch.delenv("LAB_STORE", raising=False)
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Iterator[RunStore]:
    """The store that the pages of this test use."""
    opened = RunStore()
    yield opened
    opened.close()


def page(**query: str | list[str]) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page("pages/3_Trade-offs.py")
    for name, value in query.items():
        at.query_params[name] = value
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


def ended(at: AppTest) -> bool:
    return not any(b.label == "Stop" for b in at.button) and any(b.label.startswith("Compare") for b in at.button)


def words(elements: Any) -> str:
    return " ".join(str(element.value) for element in elements)


def lines(count: int, seed: int = 0) -> list[tuple[LogLine, ImageVotes | None]]:
    rng = np.random.default_rng(seed)
    return [
        (LogLine(i, i % 10, i % 10, float(rng.uniform(0, 0.6)), True, 0.5), ImageVotes(i, i % 10, {i % 10: 20}, 20, 0.7))
        for i in range(count)
    ]


def results(store: RunStore, run: int) -> list[tuple[object, ...]]:
    return [(line.idx, line.label, line.predict, line.radius, line.correct) for line in store.lines(run)]


def test_nothing_is_made_before_it_is_asked_for(home: Path) -> None:
    at = page(view="runs")
    assert "Nothing here yet" in words(at.info)
    assert not at.error
    page()
    page(view="new")
    assert not (home / "runs.sqlite").exists()


def test_a_new_evaluation_grows_in_the_store_and_can_be_compared(store: RunStore) -> None:
    at = press(page(**QUICK, **{"evaluation-images": "12"}), "Start")
    at = until(at, ended)
    assert "Finished: 12 images" in words(at.success)
    assert at.get("plotly_chart")
    (run,) = store.runs()
    assert (run.state, run.images, run.planned, run.dataset, run.classifier) == ("finished", 12, 12, "shapes", "bundled/shapes")
    assert run.name == "Shapes: no denoiser, sigma 0.25"
    assert len(store.votes(run.id)) == 12
    at = press(at, "Compare, name, download")
    assert at.selectbox(key="view").value == "runs"
    assert at.selectbox(key="run").value == str(run.id)
    at = press(at, "Compare")
    assert at.selectbox(key="view").value == "curve"
    assert at.multiselect(key="runs").value == [f"run-{run.id}"]
    assert "12" in list(at.dataframe[0].value["images"])


@pytest.mark.parametrize(
    ("query", "settings"),
    [
        ({"evaluation-ending": "within"}, {"method": "anytime", "within": 0.05, "table_radii": None}),
        (
            {"evaluation-ending": "table", "evaluation-radii": "0.3, 0.1", "precision": "bfloat16", "engine": "eager"},
            {"method": "group-sequential", "table_radii": [0.1, 0.3], "precision": "bfloat16", "engine": "eager"},
        ),
    ],
)
def test_an_image_may_end_early_and_a_run_so_made_is_gone_on_with(
    store: RunStore, query: dict[str, str], settings: dict[str, Any]
) -> None:
    at = press(page(**QUICK | {"evaluation-n": "3000", "evaluation-images": "12"} | query), "Start")
    at = until(at, lambda at: any(run.images for run in store.runs()))
    press(at, "Stop")
    until(at, ended)
    other = page(view="runs")
    if store.runs()[0].state == "stopped":
        press(other, "Resume")
    until(other, lambda at: store.runs()[0].state == "finished")
    (run,) = store.runs()
    assert {key: run.settings[key] for key in settings} == settings
    taken = [votes.n for votes in store.votes(run.id).values()]
    assert len(taken) == 12
    assert max(taken) <= 3000
    assert sum(taken) < 0.8 * 12 * 3000  # nearly all votes agree: by the anytime bound 2,016 are enough, by the table fewer
    if settings["table_radii"]:
        assert {line.radius for line in store.lines(run.id)} <= {0.0, 0.1, 0.3}


def test_radii_that_no_vote_reaches_are_a_sentence(store: RunStore) -> None:
    query = {"evaluation-ending": "table", "evaluation-radii": "2", "evaluation-images": "3"}
    at = until(press(page(**QUICK, **query), "Start"), lambda at: bool(at.error))
    assert "The least of table_radii is 2, which no vote of 20 samples" in at.error[0].value.replace("\\", "")


def test_stopped_and_resumed_it_has_the_lines_of_an_unbroken_one(store: RunStore) -> None:
    many = {**QUICK, "evaluation-n": "150", "evaluation-images": "30", "evaluation-minutes": "5"}
    at = press(page(**many), "Start")
    at = until(at, lambda at: any(run.images for run in store.runs()))
    press(at, "Stop")
    at = until(at, ended)
    (broken,) = store.runs()
    assert broken.state == "stopped"
    assert 0 < broken.images < 30
    assert f"after {broken.images} of 30 images" in words(at.info)
    assert at.metric

    other = page(view="runs")  # another session goes on with it
    assert list(other.dataframe[0].value["state"]) == ["stopped"]
    press(other, f"Resume: {30 - broken.images} images")
    until(other, lambda at: store.run(broken.id).state == "finished")
    until(other, lambda at: list(at.dataframe[0].value["state"]) == ["finished"])

    until(press(page(**many), "Start"), ended)
    whole = store.runs()[0]
    assert whole.id != broken.id
    assert whole.images == 30
    assert results(store, whole.id) == results(store, broken.id)
    assert store.votes(whole.id) == store.votes(broken.id)


def test_the_interval_of_a_run_that_lacks_images_holds_at_every_moment_and_the_page_says_which_it_is(store: RunStore) -> None:
    for planned, said, growing in ((40, "it holds at every moment", True), (20, "Clopper-Pearson", False)):
        run = store.begin(f"of {planned}", {"sigma": 0.25, "images": planned}, planned)
        store.add(run, lines(20))
        store.finish(run, "stopped" if growing else "finished")
        at = page(view="runs", run=str(run))
        assert said in words(at.caption)
        right = sum(line.correct for line, _ in lines(20))
        (low,), (high,) = share_interval([right], 20, growing=growing)
        assert f"{low:.0%} to {high:.0%}" in [metric.delta for metric in at.metric]
        assert recorded_run(store, run).outcomes.growing is growing


def test_a_run_of_which_fewer_images_were_seen_before_is_growing(store: RunStore) -> None:
    asked = {"sigma": 0.25, "seed": 7, "dataset": "shapes", "chosen": "at random, by the seed"}
    for seed, images, growing in ((7, 20, False), (7, 30, True), (8, 30, False), (7, 20, False)):
        run = store.begin("run", asked | {"seed": seed, "images": images}, images)
        store.add(run, lines(images))
        store.finish(run, "finished")
        assert recorded_run(store, run).outcomes.growing is growing
        assert ("it holds at every moment" in words(page(view="runs", run=str(run)).caption)) is growing


def test_when_its_minutes_are_over_it_stops(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.evaluation.time", SimpleNamespace(monotonic=_leaping(25.0)))
    at = press(page(**{**QUICK, "evaluation-images": "30", "evaluation-minutes": "1"}), "Start")
    at = until(at, lambda at: "The minutes are over" in words(at.info))
    assert store.runs()[0].state == "stopped"
    assert store.runs()[0].images < 30
    assert any(b.label.startswith("Resume: ") for b in at.button)


def _leaping(seconds: float) -> Callable[[], float]:
    """A clock on which so much passes between two looks."""
    now = [0.0]

    def clock() -> float:
        now[0] += seconds
        return now[0]

    return clock


def test_another_view_keeps_an_evaluation_going_and_leads_back_to_it(store: RunStore) -> None:
    at = press(page(**{**QUICK, "evaluation-n": "2000", "evaluation-images": "50"}), "Start")
    at.selectbox(key="view").set_value("path")
    checked(at.run())
    assert "under way" in words(at.caption)
    at = press(at, "Look at it")
    assert at.selectbox(key="view").value == "new"
    press(at, "Stop")
    until(at, lambda at: not any(b.label == "Stop" for b in at.button))
    at.selectbox(key="view").set_value("path")
    checked(at.run())
    assert "under way" not in words(at.caption)


def test_the_store_can_be_a_real_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL is installed here (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with running_postgres(found) as server:
        monkeypatch.setenv("LAB_STORE", server.url())
        assert "Nothing here yet" in words(page(view="runs").info)
        until(press(page(**QUICK, **{"evaluation-images": "4"}), "Start"), ended)
        opened = RunStore()
        (run,) = opened.runs()
        assert (run.state, run.images) == ("finished", 4)
        at = page(view="runs")
        at.text_input(key=f"name-{run.id}-{run.name}").set_value("mine").run()
        at.button(key=f"rename-{run.id}").click()
        assert list(checked(at.run()).dataframe[0].value["name"]) == ["mine"]
        assert page(logs="none", published="none", runs=[f"run-{run.id}"]).multiselect(key="runs").options == ["mine"]
        at.button(key=f"delete-{run.id}").click()
        checked(at.run())
        assert not opened.runs()
        opened.close()
        run_store_module._opened.clear()


def test_the_store_is_listed_and_read_without_torch(store: RunStore) -> None:
    store.take("mine", {"sigma": 0.25}, lines(3))
    code = (
        "import sys\n"
        "import core.ui.tradeoffs.logs\n"
        "assert 'sqlalchemy' not in sys.modules, 'SQLAlchemy was imported before there was need'\n"
        "from core.ui.tradeoffs.run_store import recorded, stored_runs\n"
        "assert len(recorded(stored_runs()[0]).outcomes) == 3\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_two_sessions_see_the_same_runs_and_only_one_works_on_each(store: RunStore) -> None:
    run = store.begin("mine", {"sigma": 0.25}, 40)
    store.add(run, lines(10))
    at = page(view="runs")
    assert list(at.dataframe[0].value["state"]) == ["running"]
    assert list(at.dataframe[0].value["images"]) == ["10 of 40"]
    assert not any(b.label.startswith("Resume") for b in at.button)
    store.add(run, lines(25))
    checked(at.run())
    assert list(at.dataframe[0].value["images"]) == ["25 of 40"]
    store.delete(run)
    checked(at.run())
    assert "Nothing here yet" in words(at.info)


def test_a_run_is_renamed_and_deleted_after_a_question(store: RunStore) -> None:
    kept, run = store.take("kept", {"sigma": 0.5}, lines(5)), store.take("first", {"sigma": 0.25}, lines(5))
    at = page(view="runs", run=str(run))
    at.text_input(key=f"name-{run}-first").set_value("better <b>name</b>").run()
    at.button(key=f"rename-{run}").click()
    checked(at.run())
    assert store.run(run).name == "better <b>name</b>"
    assert "Renamed" in words(at.success)
    assert "gone for good" in words(at.markdown)
    at.button(key=f"delete-{run}").click()
    checked(at.run())
    assert [left.id for left in store.runs()] == [kept]
    assert at.selectbox(key="run").value == str(kept)


def test_a_name_that_is_none_is_a_sentence(store: RunStore) -> None:
    run = store.take("first", {}, lines(3))
    at = page(view="runs")
    at.text_input(key=f"name-{run}-first").set_value("  ").run()
    at.button(key=f"rename-{run}").click()
    checked(at.run())
    assert "printable signs" in words(at.error)
    assert store.run(run).name == "first"


def test_what_was_deleted_meanwhile_is_a_sentence(store: RunStore) -> None:
    run = store.take("first", {}, lines(3))
    at = page(view="runs")
    button = at.button(key=f"delete-{run}")
    store.delete(run)
    button.click()
    checked(at.run())
    assert "Nothing here yet" in words(at.info)


def test_the_archive_is_what_evaluate_writes(store: RunStore, tmp_path: Path) -> None:
    run = import_recorded(store, read_recorded(ROOT / "assets" / "evaluations" / "cifar10-mse-0.25.tsv"))
    at = page(view="runs")
    assert any(b.label == "Download" for b in at.get("download_button"))
    beside = sorted(path.name for path in (ROOT / "assets" / "evaluations").glob("cifar10-mse-0.25.*"))
    with zipfile.ZipFile(io.BytesIO(run_archive(run))) as archive:
        assert sorted(archive.namelist()) == beside
        archive.extractall(tmp_path)
    again = read_recorded(tmp_path / "cifar10-mse-0.25.tsv")
    stored = read_recorded(ROOT / "assets" / "evaluations" / "cifar10-mse-0.25.tsv")
    assert again.made_by == stored.made_by
    assert np.array_equal(np.sort(again.outcomes.radius), np.sort(stored.outcomes.radius))


def test_logs_are_brought_in_and_wrong_ones_named(store: RunStore) -> None:
    at = page(view="runs")
    files = [("mine_sigma_0.50.tsv", f"{HEAD}0\t1\t1\t0.5\t1\t1.0\n".encode(), "text/plain"), ("bad.tsv", b"x\n", "text/plain")]
    at.file_uploader(key="import-logs-0").set_value(files).run()
    assert "bad.tsv" in words(checked(at).error)
    at.button(key="import").click()
    checked(at.run())
    (run,) = store.runs()
    assert (run.name, run.images, run.settings) == ("mine_sigma_0.50", 1, {"sigma": 0.5})
    assert "In the store now" in words(at.success)
    assert not any(b.key == "import" for b in at.button)


def test_a_link_chooses_runs_among_the_logs(store: RunStore) -> None:
    one, other = store.take("one", {"sigma": 0.25}, lines(20)), store.take("other", {"sigma": 0.5}, lines(30, 1))
    store.begin("empty", {}, 5)
    at = page(logs="none", published="none", runs=[f"run-{one}", f"run-{other}"])
    assert at.multiselect(key="runs").value == [f"run-{one}", f"run-{other}"]
    assert list(at.dataframe[0].value["images"]) == ["20", "30"]
    assert at.multiselect(key="runs").options == ["other", "one"]
    gone = page(logs="none", runs=["run-999"])
    assert "run-999" in words(gone.warning)


def test_runs_of_the_store_are_not_mixed_into_the_best_sigma_of_other_logs(store: RunStore) -> None:
    path = ROOT / "assets" / "evaluations" / "cifar10-mse-0.25.tsv"
    made_by = read_recorded(path).made_by.document
    assert made_by is not None
    before = list(page(published="none", radii="0.5").dataframe[0].value["log"])
    few = store.take("lucky", made_by, [(LogLine(i, 1, 1, 0.5, True, 1.0), None) for i in (0, 40, 80)])
    again = import_recorded(store, read_recorded(path))
    at = page(published="none", radii="0.5", runs=[f"run-{few}", f"run-{again}"])
    table = at.dataframe[0].value
    assert sorted(table["log"]) == sorted([*before, "lucky", "cifar10-mse-0.25"])
    best = table[table["log"].str.contains("best sigma")]
    assert not best.map(lambda cell: "lucky" in str(cell)).any(axis=None)


def test_sigmas_of_the_store_on_the_same_images_make_an_envelope_of_their_own(store: RunStore) -> None:
    models = {"classifier": {"ref": "bundled/cifar10"}, "denoiser": {"ref": "bundled/cifar10-mse"}}
    runs = [
        store.take(f"sigma {sigma:g}", {**models, "sigma": sigma}, lines(20, seed)) for seed, sigma in ((1, 0.25), (2, 0.5))
    ]
    runs.append(store.take("fewer", {**models, "sigma": 0.5}, lines(5)))
    at = page(published="none", radii="0.5", runs=[f"run-{run}" for run in runs])
    assert "MSE, made here, 20 images, best sigma" in list(at.dataframe[0].value["log"])
    assert sum("made here" in name for name in at.dataframe[0].value["log"]) == 1
    for view in ("path", "cost"):
        assert page(view=view, published="none", runs=[f"run-{run}" for run in runs]).get("plotly_chart")


def test_a_store_that_is_broken_is_a_sentence_and_the_rest_goes_on(home: Path) -> None:
    home.mkdir()
    (home / "runs.sqlite").write_text("no database" * 1000)
    at = page(view="runs")
    assert "no SQLite database" in words(at.error)
    at = page()
    assert "no SQLite database" in words(at.warning)
    assert at.get("plotly_chart")
    at = press(page(**QUICK), "Start")
    assert "no SQLite database" in words(at.error)


def test_a_server_that_is_away_is_a_sentence_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    monkeypatch.setenv("LAB_STORE", "postgresql://ada:my-secret-word@127.0.0.1:1/lab")
    at = page(view="runs")
    assert "cannot be used" in words(at.error)
    assert "my-secret-word" not in words(at.error)


def test_a_file_that_was_taken_away_is_made_anew(store: RunStore, home: Path) -> None:
    store.take("first", {}, lines(3))
    assert len(page(view="runs").dataframe[0].value) == 1
    for path in home.glob("runs.sqlite*"):
        path.unlink()
    sqlite3.connect(home / "runs.sqlite").close()
    assert "cannot be used" in words(page(view="runs").error)
    assert "Nothing here yet" in words(page(view="runs").info)


def test_data_of_other_classes_is_refused_before_it_begins(home: Path, store: RunStore) -> None:
    from PIL import Image

    for name in ("ant", "bee"):
        folder = home / "data" / "insects" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (32, 32), (9, 9, 9)).save(folder / "a.png")
    at = press(page(**{**QUICK, "evaluation-data-shapes": "own-insects"}), "Start")
    deadline = time.monotonic() + 60
    while not at.error:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        checked(at.run())
    assert "(ant, bee) are not the classifier's" in words(at.error)
    assert not store.runs()


def test_a_stored_run_of_ten_thousand_images_opens_and_compares_within_a_second(store: RunStore) -> None:
    run = store.take("large", {"sigma": 0.25, "n0": 5, "n": 20, "alpha": 0.001}, lines(10_000))
    page()
    began = time.process_time()
    at = page(view="runs")
    assert time.process_time() - began < 2.0
    assert at.metric
    began = time.process_time()
    checked(at.run())
    assert time.process_time() - began < 1.0
    page(logs="none", published="none", runs=[f"run-{run}"])
    began = time.process_time()
    page(logs="none", published="none", runs=[f"run-{run}"])
    assert time.process_time() - began < 1.0


def test_runs_of_one_name_are_told_apart() -> None:
    from core.ui.tradeoffs.run_store import run_titles

    def named(number: int, name: str) -> StoredRun:
        return StoredRun(number, name, None, {}, "", "", "", "finished", 1, 1, 0.0)  # type: ignore[arg-type]

    assert run_titles([named(1, "a"), named(2, "a"), named(3, "b")]) == {
        "run-1": "a (run-1)",
        "run-2": "a (run-2)",
        "run-3": "b",
    }
