"""kill -9 at random moments while querying: no answer is lost, none is paid twice, the budget is never exceeded."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.apis.ledger import ANSWERED, IN_DOUBT, RESERVED, Ledger, Query
from tests.apis.conftest import Vendors

ROOT = Path(__file__).resolve().parents[2]
KILLS = 24
CONCURRENCY = 4


@pytest.fixture
def asking() -> Iterator[subprocess.Popen[str]]:
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork, with which a process is started fast enough to be killed this often")
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("asking_process.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def test_killed_over_and_over(asking: subprocess.Popen[str], vendors: Vendors, tmp_path: Path) -> None:
    assert asking.stdin is not None
    assert asking.stdout is not None
    vendors.latency = 0.04  # four at a time: no machine is through with all of them before the last kill
    path, budget, n = tmp_path / "answers.sqlite", 9.0, 800  # money for 900 queries
    draw = random.Random(1)
    kills = 0
    for _ in range(KILLS):
        asking.stdin.write(f"{vendors.url} {path} {budget} {n}\n")
        asking.stdin.flush()
        pid = int(asking.stdout.readline())
        time.sleep(draw.uniform(0.02, 0.35))
        with contextlib.suppress(ProcessLookupError):  # ended by itself: not counted below
            os.kill(pid, signal.SIGKILL)
        kills += int(asking.stdout.readline()) == signal.SIGKILL
        check(vendors, path, budget)
    vendors.latency = 0.0
    asking.stdin.write(f"{vendors.url} {path} {budget} {n}\n")
    asking.stdin.flush()
    asking.stdout.readline()
    assert asking.stdout.readline().strip() == "0"
    queries = check(vendors, path, budget)
    assert kills >= 20, f"only {kills} of {KILLS} runs were still asking when they were killed"
    assert not [query for query in queries if query.state == RESERVED]
    assert sorted((query.purpose, query.number) for query in queries) == sorted(
        [("select", number) for number in range(10)] + [("estimate", number) for number in range(n)]
    )
    assert sum(query.state == IN_DOUBT for query in queries) <= kills * CONCURRENCY


def check(vendors: Vendors, path: Path, budget: float) -> list[Query]:
    """What holds after every kill. Returns every query kept."""
    time.sleep(0.05)  # for what was on its way to the server
    if not path.exists():
        return []
    ledger = Ledger(path)
    runs = ledger.runs()
    assert len(runs) <= 1
    queries = [query for run, *_ in runs for purpose in ("select", "estimate") for query in ledger.queries(run, purpose)]
    spent = sum(ledger.spent(run) for run, *_ in runs)
    ledger.close()
    received = list(vendors.received)
    assert len(received) == len(set(received)), "a picture was sent, and so paid, twice"
    assert len(received) <= len(queries), "a query reached the API that was not noted before"
    assert spent == pytest.approx(0.01 * len(queries))
    assert spent <= budget + 1e-9
    sent = {query.sent_sha256 for query in queries}
    assert set(received) <= sent
    answered = [query for query in queries if query.state == ANSWERED]
    assert {query.sent_sha256 for query in answered} <= set(received)
    # An answer that the process had in hand is on disk: what lacks one was under way at a kill.
    assert len(queries) - len(answered) <= CONCURRENCY * KILLS
    return queries
