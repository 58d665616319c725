"""Kept answers: nothing is paid twice, the budget holds, and what was cut off is in doubt."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from core.apis.ledger import ANSWERED, IN_DOUBT, UNUSABLE, Allowance, BudgetSpentError, Ledger, QueryKey, settled_prefix
from core.apis.provider import Label
from core.errors import LabError
from core.visitor import visitor_named
from tests.small_disk import run_on_disk


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "answers.sqlite")
    made.begin("run", {"provider": "test"})
    return made


def test_an_answer_outlives_the_process(ledger: Ledger) -> None:
    ledger.reserve(QueryKey("run", "select", 0), "abc", price=0.001, budget=1.0)
    ledger.settle(QueryKey("run", "select", 0), ANSWERED, answer=(Label("cat", 0.5),), model="m1", seconds=0.25)
    ledger.close()
    (query,) = Ledger(ledger.path).queries("run", "select")
    assert (query.state, query.answer, query.model, query.seconds, query.price) == (
        ANSWERED,
        (Label("cat", 0.5),),
        "m1",
        0.25,
        0.001,
    )
    assert query.sent_sha256 == "abc"


def test_the_same_query_is_reserved_once(ledger: Ledger) -> None:
    ledger.reserve(QueryKey("run", "select", 0), "abc", price=0.001, budget=1.0)
    with pytest.raises(LabError, match="not paid for twice"):
        ledger.reserve(QueryKey("run", "select", 0), "abc", price=0.001, budget=1.0)
    ledger.reserve(QueryKey("run", "estimate", 0), "abc", price=0.001, budget=1.0)


def test_a_budget_pays_for_exactly_what_it_should(ledger: Ledger) -> None:
    for number in range(100):  # floats would add 100 times 0.001 up to more than 0.1
        ledger.reserve(QueryKey("run", "estimate", number), "abc", price=0.001, budget=0.1)
    with pytest.raises(BudgetSpentError, match="budget of"):
        ledger.reserve(QueryKey("run", "estimate", 100), "abc", price=0.001, budget=0.1)
    assert ledger.spent("run") == 0.1


def test_many_threads_cannot_overspend(ledger: Ledger) -> None:
    refused = []

    def spend(first: int) -> None:
        for number in range(first, first + 50):
            try:
                ledger.reserve(QueryKey("run", "estimate", number), "abc", price=0.01, budget=1.0)
            except BudgetSpentError:
                refused.append(number)

    threads = [threading.Thread(target=spend, args=(50 * i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.queries("run", "estimate")) == 100
    assert len(refused) == 200


def test_what_was_not_served_is_given_back_and_may_be_asked_again(ledger: Ledger) -> None:
    ledger.reserve(QueryKey("run", "select", 0), "abc", price=0.6, budget=1.0)
    ledger.release(QueryKey("run", "select", 0))
    assert ledger.spent("run") == 0
    ledger.reserve(QueryKey("run", "select", 0), "abc", price=0.6, budget=1.0)


def test_what_a_dead_process_had_under_way_is_in_doubt_and_stays_paid(ledger: Ledger) -> None:
    ledger.reserve(QueryKey("run", "select", 0), "abc", price=0.6, budget=1.0)
    ledger.close()
    again = Ledger(ledger.path)
    with again.working_on("run"):
        (query,) = again.queries("run", "select")
        assert query.state == IN_DOUBT
        assert again.spent("run") == 0.6
        with pytest.raises(BudgetSpentError):
            again.reserve(QueryKey("run", "select", 1), "abc", price=0.6, budget=1.0)


def test_a_run_is_worked_on_by_one_at_a_time(ledger: Ledger) -> None:
    with ledger.working_on("run"), pytest.raises(LabError, match="Another process"), Ledger(ledger.path).working_on("run"):
        raise AssertionError("two at once")
    with ledger.working_on("run"):
        assert ledger.runs()[0][0] == "run"


def test_only_the_gapless_beginning_counts(ledger: Ledger) -> None:
    for number, state in ((0, ANSWERED), (1, UNUSABLE), (2, IN_DOUBT), (4, ANSWERED)):
        ledger.reserve(QueryKey("run", "estimate", number), "abc", price=0.0, budget=1.0)
        ledger.settle(QueryKey("run", "estimate", number), state)
    assert [query.number for query in settled_prefix(ledger.queries("run", "estimate"))] == [0, 1, 2]  # 3 was given back
    ledger.reserve(QueryKey("run", "estimate", 3), "abc", price=0.0, budget=1.0)  # and now it is under way
    assert [query.number for query in settled_prefix(ledger.queries("run", "estimate"))] == [0, 1, 2]


def test_a_file_that_is_no_ledger_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("this is not a database, but long enough to be taken for one. " * 20)
    with pytest.raises(LabError, match="cannot be used"):
        Ledger(path)


ADA, BOB = (visitor_named(name, "", "passphrase", name) for name in ("ada", "bob"))


def spend(ledger: Ledger, run: str, count: int, price: float = 1.0) -> None:
    first = len(ledger.queries(run, "estimate"))
    for number in range(first, first + count):
        ledger.reserve(QueryKey(run, "estimate", number), "abc", price=price, budget=1000.0)
        ledger.settle(QueryKey(run, "estimate", number), ANSWERED)


def test_a_visitor_spends_no_more_than_theirs_in_however_many_runs(ledger: Ledger) -> None:
    ada, bob = (ledger.paid_by(who, Allowance(3.0, 5.0)) for who in (ADA, BOB))
    spend(ada, "run", 2)
    spend(ada, "other", 1)
    assert (ada.left(), bob.left()) == (0.0, 2.0)
    with pytest.raises(BudgetSpentError, match="within 30 days is spent"):
        spend(ada, "third", 1)
    spend(bob, "bobs", 2)
    with pytest.raises(BudgetSpentError):  # the server's is spent, though not his own
        spend(bob, "bobs", 1, price=0.000001)
    spend(ledger, "run", 1)  # the operator's command line is not a visitor's
    assert ledger.left() is None


def test_an_allowance_comes_back_after_its_days_and_with_what_was_not_served(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = ledger.paid_by(ADA, Allowance(2.0, 100.0))
    ada.reserve(QueryKey("run", "select", 0), "abc", price=2.0, budget=10.0)
    assert ada.left() == 0
    ada.release(QueryKey("run", "select", 0))
    assert ada.left() == 2
    spend(ada, "run", 2)
    Ledger(ledger.path)  # who opens it anew finds it spent
    assert Ledger(ledger.path).paid_by(ADA, Allowance(2.0, 100.0)).left() == 0
    now = time.time()
    monkeypatch.setattr("core.apis.ledger.time.time", lambda: now + 31 * 86_400)
    assert ada.left() == 2


def test_many_sessions_of_one_visitor_cannot_overspend(ledger: Ledger) -> None:
    refused = []

    def buy(run: str) -> None:
        own = Ledger(ledger.path).paid_by(ADA, Allowance(1.0, 100.0))  # as another process would
        for number in range(20):
            try:
                own.reserve(QueryKey(run, "estimate", number), "abc", price=0.05, budget=100.0)
            except BudgetSpentError:
                refused.append(number)
        own.close()

    threads = [threading.Thread(target=buy, args=(f"run {i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.paid_by(ADA, Allowance(1.0, 100.0)).left() == 0
    assert len(refused) == 60


FILL = """
from core.apis.ledger import ANSWERED, Ledger, QueryKey
from core.apis.provider import Label
from core.errors import LabError
from core.folders import answers_file
ledger, kept = Ledger(answers_file()), 0
ledger.begin("run", {})
try:
    with ledger.working_on("run"):
        for number in range(100_000):
            key = QueryKey("run", "estimate", number)
            ledger.reserve(key, "0" * 64, price=0.001, budget=1e6)
            ledger.settle(key, ANSWERED, answer=(Label("cat", 0.5),) * 20)
            kept += 1
except LabError as error:
    print(error)
ledger.close()
again = Ledger(answers_file())
print(kept, sum(query.state == ANSWERED for query in again.queries("run", "estimate")), again.spent("run"))
"""


def test_a_full_disk_is_a_sentence_and_every_kept_answer_is_there(tmp_path: Path) -> None:
    said, counts = run_on_disk(tmp_path, FILL, 400).splitlines()
    path = tmp_path / "answers.sqlite"
    assert said == (
        f"The file of answers '{path}' cannot be used (database or disk is full): what was kept until now stays in it."
        " See to the disk, then go on."
    )
    kept, answered, spent = counts.split()
    assert int(kept) == int(answered) > 5
    assert float(spent) == pytest.approx(0.001 * int(kept), abs=0.0011)  # one may be in doubt


def test_a_disk_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    before = "from core.apis.ledger import Ledger; from core.folders import answers_file; Ledger(answers_file()).close()"
    code = (
        "from core.apis.ledger import Ledger\nfrom core.folders import answers_file\nfrom core.errors import LabError\n"
        "try:\n    Ledger(answers_file()).begin('run', {})\nexcept LabError as error:\n    print(error)"
    )
    said = run_on_disk(tmp_path, code, 3000, before=before, read_only=True)
    assert "answers.sqlite' cannot be used" in said


def test_a_damaged_file_is_a_sentence_and_the_other_answers_are_there(ledger: Ledger) -> None:
    for number, run in enumerate(("one", "other")):
        ledger.begin(run, {})
        key = QueryKey(run, "select", number)
        ledger.reserve(key, "0", price=0.0, budget=1.0)
        ledger.settle(key, ANSWERED, answer=(Label("cat", 0.5),))
    with sqlite3.connect(ledger.path) as database:
        database.execute("UPDATE queries SET answer = '[{' WHERE run = 'one'")
    with pytest.raises(LabError, match="is damaged"):
        ledger.queries("one", "select")
    assert len(ledger.queries("other", "select")) == 1
    with sqlite3.connect(ledger.path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    content = bytearray(ledger.path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    ledger.path.write_bytes(content)
    with pytest.raises(LabError, match="cannot be used"):
        Ledger(ledger.path).queries("other", "select")


def test_a_locked_file_is_a_sentence_and_goes_on_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.apis.ledger.BUSY_SECONDS", 0.1)
    ledger = Ledger(tmp_path / "answers.sqlite")
    ledger.begin("run", {})
    writer = sqlite3.connect(ledger.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    key = QueryKey("run", "select", 0)
    with pytest.raises(LabError, match="locked"):
        ledger.reserve(key, "0", price=0.0, budget=1.0)
    with pytest.raises(LabError, match="locked"), ledger.working_on("run"):
        pass
    assert ledger.queries("run", "select") == []  # who reads does not wait
    writer.execute("ROLLBACK")
    writer.close()
    with ledger.working_on("run"):
        ledger.reserve(key, "0", price=0.0, budget=1.0)
    assert len(ledger.queries("run", "select")) == 1
    ledger.close()
