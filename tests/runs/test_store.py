"""The store of runs, in SQLite's file and in a real PostgreSQL."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from core.errors import LabError
from core.evaluation.log import HEADER, LogLine
from core.evaluation.recorded import read_recorded
from core.plain_text import file_name
from core.runs import schema as schema_module
from core.runs import store as store_module
from core.runs.schema import VERSION, default_url, parse_url, where
from core.runs.store import RunStore, export_files, import_recorded, recorded_run
from core.visitor import visitor_named
from tests.runs.postgres_server import PostgresServer, programs, running_postgres
from tests.runs.store_writers import REFUSED, image
from tests.small_disk import run_on_disk

ROOT = Path(__file__).resolve().parents[2]
ADA, BOB = (visitor_named(name, "", "passphrase", name) for name in ("ada", "bob"))
PROCESSES = 8
MANY = 10_000
"""More images than a writer is through with before it is killed."""
SETTINGS = {
    "dataset": "shapes",
    "split": "test",
    "sigma": 0.25,
    "n0": 100,
    "n": 1000,
    "alpha": 0.001,
    "seed": 0,
    "classifier": {"ref": "bundled/shapes", "revision": "abc"},
    "denoiser": {"ref": "none", "revision": ""},
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL is installed here (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with running_postgres(found) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'runs.sqlite'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create(f"db_{time.monotonic_ns()}")


@pytest.fixture
def store(url: str) -> Iterator[RunStore]:
    opened = RunStore(url)
    yield opened
    opened.close()


class Writers:
    """The processes of ``store_writers.py``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, url: str, work: list[tuple[int | str, list[int]]]) -> list[int]:
        """Start a process for each piece of work; returns their pids."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"url": url, "work": work}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def ended(self) -> list[int]:
        """Wait for all of them; returns their exit statuses."""
        return self._read()

    def _read(self) -> list[int]:
        assert self._process.stdout is not None
        found: list[int] = json.loads(self._process.stdout.readline())
        return found


@pytest.fixture(scope="module")
def writers() -> Iterator[Writers]:
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("store_writers.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    yield Writers(process)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_what_is_written_is_read_back_after_reopening(store: RunStore, url: str) -> None:
    run = store.begin(" mine ", SETTINGS, 3)
    store.add(run, [image(2), image(0)])
    store.add(run, [LogLine(1, 4, -1, 0.0, False, 1.25)])
    again = RunStore(url)
    (found,) = again.runs()
    again.close()
    assert (found.id, found.name, found.state, found.planned, found.images) == (run, "mine", "running", 3, 3)
    assert (found.classifier, found.denoiser, found.dataset) == ("bundled/shapes", "none", "shapes")
    assert found.settings == SETTINGS
    assert abs(found.created.timestamp() - time.time()) < 60
    assert store.lines(run) == [image(0)[0], LogLine(1, 4, -1, 0.0, False, 1.25), image(2)[0]]
    assert store.votes(run) == {0: image(0)[1], 2: image(2)[1]}


def test_an_image_stays_as_it_was_first_written(store: RunStore) -> None:
    run = store.begin("mine", SETTINGS)
    store.add(run, [image(5)])
    store.add(run, [LogLine(5, 0, -1, 0.0, False, 9.0), image(6)])
    store.add(run, [image(6), image(6)])
    assert store.lines(run) == [image(5)[0], image(6)[0]]


def test_no_number_loses_a_digit(store: RunStore) -> None:
    run = store.begin("mine", {})
    line = LogLine(2**40, 1, 1, 0.1 + 0.2, True, 1 / 3)
    store.add(run, [line])
    assert store.lines(run) == [line]


def test_a_batch_is_written_as_a_whole_or_not_at_all(store: RunStore) -> None:
    run = store.begin("mine", {})

    def broken() -> Iterator[LogLine]:
        yield image(0)[0]
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        store.add(run, broken())
    assert not store.lines(run)


def test_runs_are_renamed_finished_and_deleted_by_themselves(store: RunStore) -> None:
    one, other = store.begin("one", SETTINGS, 2), store.begin("other", SETTINGS, 2)
    for run in (one, other):
        store.add(run, [image(0)])
    store.rename(one, "first")
    store.finish(other, "stopped")
    assert [(run.name, run.state, run.may_resume) for run in store.runs()] == [
        ("other", "stopped", True),
        ("first", "running", False),
    ]
    store.delete(one)
    assert [run.id for run in store.runs()] == [other]
    assert not store.lines(one)
    assert len(store.lines(other)) == 1
    third = store.begin("third", SETTINGS)
    assert third not in (one, other)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201, "\0"])
def test_names_that_are_none_are_refused(store: RunStore, name: str) -> None:
    with pytest.raises(LabError, match="name of a run"):
        store.begin(name, {})
    run = store.begin("mine", {})
    with pytest.raises(LabError, match="name of a run"):
        store.rename(run, name)
    assert [found.name for found in store.runs()] == ["mine"]


def test_what_is_gone_is_said_to_be(store: RunStore) -> None:
    run = store.begin("mine", {})
    store.delete(run)
    for attempt in (
        lambda: store.add(run, [image(0)]),
        lambda: store.rename(run, "x"),
        lambda: store.delete(run),
        lambda: store.finish(run),
        lambda: store.run(run),
        lambda: store.working_on(run).__enter__(),
        lambda: recorded_run(store, run),
    ):
        with pytest.raises(LabError, match=f"no run {run}"):
            attempt()
    with pytest.raises(LabError, match="cannot be 'lost'"):
        store.finish(run, "lost")


def test_a_run_has_one_worker_at_a_time_until_that_one_falls_silent(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.begin("mine", {}, 2)
    with store.working_on(run, begun=True), pytest.raises(LabError, match="works on the run 'mine' already"):
        store.working_on(run).__enter__()
    assert store.run(run).state == "stopped"
    with store.working_on(run):
        assert store.run(run).state == "running"
        assert not store.run(run).interrupted
        store.finish(run)
    assert store.run(run).state == "finished"
    left = store.begin("left alone", {}, 2)
    monkeypatch.setattr(store_module, "SILENT_SECONDS", 0.0)
    assert store.run(left).interrupted
    assert store.run(left).may_resume
    with store.working_on(left):
        pass
    assert store.run(left).state == "stopped"


def test_a_worker_is_heard_of_while_an_image_takes_long(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "BEAT_SECONDS", 0.05)
    run = store.begin("mine", {})
    with store.working_on(run, begun=True):
        time.sleep(1.0)
        assert store.run(run).silent < 0.9


def test_a_log_is_imported_and_exported_to_the_last_digit(store: RunStore) -> None:
    path = ROOT / "assets" / "evaluations" / "cifar10-mse-0.25.tsv"
    run = import_recorded(store, read_recorded(path))
    stored, log = store.run(run), read_recorded(path)
    assert (stored.state, stored.planned, stored.images) == ("finished", len(log.outcomes), len(log.outcomes))
    assert stored.denoiser == log.made_by.denoiser
    exported = {tuple(line.split("\t")) for line in export_files(store, run)["cifar10-mse-0.25.tsv"].decode().splitlines()}
    assert exported == {tuple(line.split("\t")) for line in path.read_text().splitlines()}
    again = recorded_run(store, run)
    assert again.made_by == log.made_by
    assert again.votes == log.votes


def test_logs_of_the_field_are_imported_and_wrong_ones_leave_nothing(store: RunStore, tmp_path: Path) -> None:
    path = tmp_path / "theirs_sigma_0.50.tsv"
    path.write_text("\t".join(HEADER) + "\n7\t1\t1\t0.25\t1\t0:00:02.5\n9\t1\t-1\t0.0\t0\t0:01:00\n")
    run = import_recorded(store, read_recorded(path))
    assert store.lines(run) == [LogLine(7, 1, 1, 0.25, True, 2.5), LogLine(9, 1, -1, 0.0, False, 60.0)]
    assert store.run(run).settings == {"sigma": 0.5}
    assert not store.votes(run)
    path.write_text(path.read_text() + "7\t1\t1\t0.25\t1\t1.0\n")
    with pytest.raises(LabError, match="has image 7 twice"):
        import_recorded(store, read_recorded(path))
    assert len(store.runs()) == 1


def test_the_files_of_a_run_are_those_that_evaluate_writes(store: RunStore, tmp_path: Path) -> None:
    run = store.begin("stab 0.25/first", SETTINGS)
    with pytest.raises(LabError, match="no images"):
        recorded_run(store, run)
    store.add(run, [image(3), image(1)])
    files = export_files(store, run)
    assert sorted(files) == ["stab 0.25-first.json", "stab 0.25-first.tsv", "stab 0.25-first.votes.jsonl"]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    again = import_recorded(store, read_recorded(tmp_path / "stab 0.25-first.tsv"))
    assert store.run(again).settings == SETTINGS
    assert store.votes(again) == store.votes(run)
    assert [line.text() for line in store.lines(again)] == [line.text() for line in store.lines(run)]
    assert recorded_run(store, run).name == "stab 0.25/first"


def test_eight_processes_at_once_lose_and_double_nothing(store: RunStore, url: str, writers: Writers) -> None:
    run = store.begin("all of them", SETTINGS, 400)
    work: list[tuple[int | str, list[int]]] = []
    for number in range(PROCESSES):
        # Every image is written by two of them, in another order each.
        numbers = [idx for idx in range(400) if idx % PROCESSES in (number, (number + 1) % PROCESSES)]
        work.append((run, numbers if number % 2 else numbers[::-1]))
    writers.start(url, work)
    assert writers.ended() == [0] * PROCESSES
    assert store.lines(run) == [image(idx)[0] for idx in range(400)]
    assert store.votes(run) == {idx: image(idx)[1] for idx in range(400)}


def test_eight_processes_may_be_the_first_to_open_a_store(url: str, writers: Writers) -> None:
    writers.start(url, [(f"of process {number}", [0, 1]) for number in range(PROCESSES)])
    assert writers.ended() == [0] * PROCESSES
    opened = RunStore(url)
    assert sorted((run.name, run.images) for run in opened.runs()) == [(f"of process {n}", 2) for n in range(PROCESSES)]
    opened.close()


def test_kill_9_while_writing_leaves_it_whole(store: RunStore, url: str, writers: Writers) -> None:
    draw, run = random.Random(3), store.begin("killed", SETTINGS)
    killed, before = 0, 0
    for number in range(12):
        first, end = MANY * number, MANY * (number + 1)
        numbers = list(range(first, end))
        pids = writers.start(url, [(run, numbers), (run, numbers[::-1])])
        time.sleep(draw.uniform(0.05, 0.3))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        killed += writers.ended().count(-signal.SIGKILL)
        found = store.lines(run)
        assert len(found) >= before
        before = len(found)
        assert found == [image(line.idx)[0] for line in found]
        # What a writer had written stands without gaps, from either end.
        here = [line.idx for line in found if first <= line.idx < end]
        gaps = sum(b != a + 1 for a, b in itertools.pairwise(here))
        assert gaps <= 1
    assert killed >= 12
    assert before
    assert set(store.votes(run)) == {line.idx for line in store.lines(run)}
    store.add(run, [image(999_999)])
    assert store.lines(run)[-1] == image(999_999)[0]


def test_a_run_deleted_while_others_write_is_gone_for_good(store: RunStore, url: str, writers: Writers) -> None:
    kept, run = store.begin("kept", SETTINGS), store.begin("deleted", SETTINGS)
    endless = list(range(100_000))
    work: list[tuple[int | str, list[int]]] = [(run, endless), (run, endless[::-1]), (kept, list(range(50)))]
    writers.start(url, work)
    deadline = time.monotonic() + 30
    while len(store.lines(run)) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    store.delete(run)
    assert writers.ended() == [REFUSED, REFUSED, 0]
    assert not store.lines(run)
    assert [(found.name, found.images) for found in store.runs()] == [("kept", 50)]


def test_threads_share_a_store(store: RunStore) -> None:
    run = store.begin("threads", {})
    threads = [
        threading.Thread(target=lambda part=part: [store.add(run, [image(idx)]) for idx in range(part, 40, 4)])
        for part in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line.idx for line in store.lines(run)] == list(range(40))


def test_tables_of_another_version_are_named(store: RunStore, url: str) -> None:
    execute(url, "UPDATE lab_store SET version = 0")
    with pytest.raises(LabError, match=rf"older version of the Lab .*version 0, expected {VERSION}"):
        RunStore(url)
    execute(url, f"UPDATE lab_store SET version = {VERSION + 1}")
    with pytest.raises(LabError, match="newer version"):
        RunStore(url)


def test_a_store_of_before_there_were_visitors_is_the_operators_and_open_to_all(store: RunStore, url: str) -> None:
    run = store.begin("old", {"sigma": 0.25})
    store.add(run, [image(i) for i in range(3)])
    columns = [f"ALTER TABLE lab_runs DROP COLUMN {name}" for name in ("owner", "shared")]
    execute(url, *columns, "UPDATE lab_store SET version = 1")
    opened = [RunStore(url), RunStore(url)]  # the second finds it changed already
    assert opened[0].lines(run) == opened[1].used_by(ADA).lines(run)
    assert (opened[0].run(run).owner, opened[0].run(run).shared) == ("", True)
    with pytest.raises(LabError, match="belongs to the operator"):
        opened[1].used_by(ADA).delete(run)
    for one in opened:
        one.close()


def test_a_run_belongs_to_who_began_it(store: RunStore) -> None:
    ada, bob = store.used_by(ADA), store.used_by(BOB)
    run = ada.begin("mine", {"sigma": 0.25}, 5)
    ada.add(run, [image(i) for i in range(3)])
    ada.finish(run, "stopped")
    assert (ada.run(run).owner, ada.run(run).shared) == (ADA.key, False)
    assert len(ada.lines(run)) == 3
    # To others it is not there.
    assert not bob.runs()
    assert not bob.lines(run)
    assert not bob.votes(run)
    actions: list[Callable[[], Any]] = [
        lambda: bob.rename(run, "stolen"),
        lambda: bob.delete(run),
        lambda: bob.share(run, True),
        lambda: bob.add(run, [image(i) for i in range(5)]),
        lambda: bob.finish(run),
        lambda: bob.working_on(run).__enter__(),
    ]
    for action in [lambda: bob.run(run), *actions]:
        with pytest.raises(LabError, match=f"There is no run {run}"):
            action()
    # Shared, they may look and no more.
    ada.share(run, True)
    assert [found.name for found in bob.runs()] == ["mine"]
    assert bob.lines(run) == ada.lines(run)
    assert bob.votes(run) == ada.votes(run)
    for action in actions:
        with pytest.raises(LabError, match="The run 'mine' belongs to another visitor"):
            action()
    found = ada.run(run)
    assert (found.name, found.images, found.state, found.shared) == ("mine", 3, "stopped", True)
    # The operator, and who made it, may all.
    store.rename(run, "renamed")
    with ada.working_on(run):
        ada.add(run, [image(i) for i in range(5)])
    ada.delete(run)
    assert not store.runs()


def test_what_the_operator_brings_is_open_to_all_and_theirs(store: RunStore) -> None:
    run = store.take("published", {}, [image(i) for i in range(3)])
    assert [found.name for found in store.used_by(ADA).runs()] == ["published"]
    with pytest.raises(LabError, match="belongs to the operator"):
        store.used_by(ADA).rename(run, "mine")


def test_tables_of_another_program_are_left_alone(url: str) -> None:
    execute(url, "CREATE TABLE lab_runs (id INTEGER)")
    with pytest.raises(LabError, match="database of another program"):
        RunStore(url)


def test_another_programs_file_is_left_alone_but_a_server_is_shared(url: str) -> None:
    execute(url, "CREATE TABLE customers (id INTEGER)")
    if url.startswith("sqlite"):
        with pytest.raises(LabError, match=r"another program .*customers"):
            RunStore(url)
    else:
        shared = RunStore(url)
        shared.begin("mine", {})
        shared.close()


def test_half_a_store_is_none(store: RunStore, url: str) -> None:
    execute(url, "DROP TABLE lab_lines")
    with pytest.raises(LabError, match="no store of runs"):
        RunStore(url)


def test_a_wrong_password_is_told_of_without_it(postgres: PostgresServer, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LabError, match="password authentication failed") as caught:
        RunStore(postgres.url(password="my-secret-word"))
    seen: list[Any] = [caught.value]
    while seen[-1] is not None and not seen[-1].__suppress_context__:
        seen.append(seen[-1].__cause__ or seen[-1].__context__)
    assert not any("my-secret-word" in str(error) for error in seen)
    assert "my-secret-word" not in "".join(capfd.readouterr())


def test_a_server_that_goes_away_is_a_sentence(postgres: PostgresServer) -> None:
    with pytest.raises(LabError, match="cannot be used") as caught:
        RunStore("postgresql://ada:my-secret-word@127.0.0.1:1/lab")
    assert "my-secret-word" not in str(caught.value)
    with pytest.raises(LabError, match="cannot be used") as caught:
        RunStore(postgres.url() + "?nonsense=my-secret-word")
    assert "my-secret-word" not in str(caught.value)


def test_urls_that_are_none_are_refused_without_repeating_them() -> None:
    for url in (
        "my-secret-word",
        "mysql://a:my-secret-word@h/d",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://u:my-secret-word@h:x/d",
    ):
        with pytest.raises(LabError, match="store of runs") as caught:
            parse_url(url)
        assert "my-secret-word" not in str(caught.value)


def test_what_a_database_is_called_has_no_password_in_it() -> None:
    assert where(parse_url("postgres://u:pw@h/d?password=pw&options=pw")) == "postgresql://u@h/d"
    assert where(parse_url("postgresql+psycopg2://u:p%40w@h:1/d")) == "postgresql://u@h:1/d"


def test_the_environment_chooses_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_STORE", raising=False)
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "new" / "home, 100% mine?"))
    opened = RunStore()
    assert opened.where == str(tmp_path / "new" / "home, 100% mine?" / "runs.sqlite")
    assert Path(opened.where).is_file()
    opened.close()
    monkeypatch.setenv("LAB_STORE", f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert where(default_url()) == str(tmp_path / "other.sqlite")


def test_files_that_cannot_be_a_store_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("not a database at all, however long it is" * 100)
    with pytest.raises(LabError, match="no SQLite database"):
        RunStore(f"sqlite:///{tmp_path / 'text.sqlite'}")
    with pytest.raises(LabError, match="cannot be"):
        RunStore(f"sqlite:///{tmp_path / 'text.sqlite' / 'below.sqlite'}")
    with pytest.raises(LabError, match="cannot be used"):
        RunStore(f"sqlite:///{tmp_path}")


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    store = RunStore(f"sqlite:///{path}")
    run = store.begin("mine", {})
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert store.run(run).name == "mine"
    assert time.monotonic() - began < 5
    writer.execute("ROLLBACK")
    writer.close()
    store.close()


def test_names_of_files_hide_nothing() -> None:
    assert file_name("../../etc/passwd") == "etc-passwd"
    assert file_name("///", "run") == "run"


IMAGE = "from core.evaluation.log import LogLine\nimage = lambda i: LogLine(i, 1, 1, 0.5, True, 1.0)\n"
FILL = (
    "from core.runs.store import RunStore\nfrom core.errors import LabError\n"
    f"{IMAGE}"
    "store = RunStore(); run = store.begin('mine', {'sigma': 0.25}, 100_000); done = 0\n"
    "try:\n"
    "    with store.working_on(run, begun=True):\n"
    "        for done in range(100_000):\n"
    "            store.add(run, [image(done)])\n"
    "except LabError as error:\n"
    "    print(error)\n"
    "print(done, len(store.lines(run)), RunStore().run(run).images)\n"
)


def test_a_full_disk_is_a_sentence_and_what_was_written_is_there(tmp_path: Path) -> None:
    said, counts = run_on_disk(tmp_path, FILL, 300).splitlines()
    assert said == f"The store of runs '{tmp_path / 'runs.sqlite'}' cannot be used: database or disk is full."
    done, lines, images = map(int, counts.split())
    assert done == lines == images > 100


def test_a_folder_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    before = (
        f"from core.runs.store import RunStore\n{IMAGE}"
        "import os\nstore = RunStore(); run = store.take('mine', {'sigma': 0.25}, [image(0)])\n"
        "held = store._database._engine.connect()\n"  # as a kill leaves it: what is newest stands beside the file
        "run = store.begin('cut short', {'sigma': 0.5}, 9); store.add(run, [image(0), image(1)])\nos._exit(0)"
    )
    code = (
        "from core.runs.store import RunStore\nfrom core.errors import LabError\n"
        "store = RunStore()\nprint([(run.name, len(store.lines(run.id))) for run in store.runs()])\n"
        "try:\n    store.rename(1, 'other')\nexcept LabError as error:\n    print(error)\nstore.close()\n"
    )
    listed, said = run_on_disk(tmp_path, code, 3000, before=before, read_only=True).splitlines()
    assert listed == "[('cut short', 2), ('mine', 1)]"
    assert said.endswith("can only be read now: its disk is full, or cannot be written to.")


def test_a_disk_without_any_room_can_be_read(tmp_path: Path) -> None:
    before = (
        f"from core.runs.store import RunStore\n{IMAGE}"
        "store = RunStore(); store.take('mine', {}, [image(0)]); store.close()\n"
        "from core.folders import home_folder\n"
        "try:\n    (home_folder() / 'rest').write_bytes(bytes(10**7))\nexcept OSError:\n    pass\n"
    )
    code = "from core.runs.store import RunStore\nstore = RunStore(); print([run.name for run in store.runs()]); store.close()"
    assert run_on_disk(tmp_path, code, 300, before=before) == "['mine']\n"


def test_a_folder_that_can_be_written_again_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'runs.sqlite'}"
    first = RunStore(url)
    run = first.take("mine", SETTINGS, [image(0)])
    first.close()
    with monkeypatch.context() as refused:
        refused.setattr(schema_module, "_writable", lambda folder: False)
        store = RunStore(url)
        assert [found.images for found in store.runs()] == [1]
        with pytest.raises(LabError, match="can only be read now"):
            store.rename(run, "other")
    store.rename(run, "other")
    assert RunStore(url).run(run).name == "other"
    store.close()


def test_a_damaged_file_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    store = RunStore(f"sqlite:///{path}")
    run = store.take("mine", SETTINGS, [image(i) for i in range(500)])
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("UPDATE lab_lines SET votes = '{' WHERE idx = 7")
    with pytest.raises(LabError, match="is damaged"):
        store.votes(run)
    assert len(store.lines(run)) == 500  # what is whole is there
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(LabError, match="damaged"):
        RunStore(f"sqlite:///{path}").runs()


def test_a_server_that_goes_away_and_comes_back_has_what_was_finished(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "BEAT_SECONDS", 0.05)
    store = RunStore(postgres.create("gone_and_back"))
    run = store.begin("mine", SETTINGS, 4)

    def work() -> None:
        with store.working_on(run, begun=True):
            store.add(run, [image(0), image(1)])
            postgres.stop()
            time.sleep(0.3)  # nobody hears of the worker meanwhile
            store.add(run, [image(2)])

    with pytest.raises(LabError, match="cannot be used"):
        work()
    with pytest.raises(LabError, match="cannot be used"):
        store.runs()
    postgres.start()
    assert [line.idx for line in store.lines(run)] == [0, 1]
    assert store.run(run).state == "running"
    monkeypatch.setattr(store_module, "SILENT_SECONDS", 0.0)
    assert store.run(run).may_resume
    with store.working_on(run):
        postgres.stop()
        postgres.start()
        time.sleep(0.3)
        assert store.run(run).silent < 0.3  # its worker outlived it
        store.add(run, [image(2), image(3)])
        store.finish(run)
    assert [line.idx for line in store.lines(run)] == [0, 1, 2, 3]
    store.close()


def test_a_locked_file_is_a_sentence_and_goes_on_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_module, "BUSY_SECONDS", 0.2)
    store = RunStore(f"sqlite:///{tmp_path / 'runs.sqlite'}")
    run = store.begin("mine", {})
    writer = sqlite3.connect(tmp_path / "runs.sqlite", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(LabError, match=r"it was busy for more than 0\.2 s"):
        store.add(run, [image(0)])
    writer.execute("ROLLBACK")
    writer.close()
    store.add(run, [image(0)])
    assert len(store.lines(run)) == 1
    store.close()
