"""Every query to a paid API, kept in a file: reserved before it is sent, answered before it is counted.

The file is an SQLite database: a kill at any moment loses nothing that had been written. What a killed process had sent and not
yet heard of is *in doubt*: it counts against the budget, is never sent again, and counts for no class.
"""

from __future__ import annotations

import copy
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from core.apis.provider import Answer, Label
from core.errors import LabError, first_line
from core.visitor import OPERATOR, Visitor

RESERVED, ANSWERED, UNUSABLE, IN_DOUBT = "reserved", "answered", "unusable", "in doubt"
SETTLED = (ANSWERED, UNUSABLE, IN_DOUBT)

BUSY_SECONDS = 30.0  # how long one waits for others who write
NANO = 1_000_000_000  # money is counted in whole billionths of a dollar: sums of floats would creep past a budget

_SCHEMA = Path(__file__).with_name("ledger.sql").read_text(encoding="utf-8")


class QueryKey(NamedTuple):
    """Which query it is: of which run, and which sample of the noise for which purpose."""

    run: str
    purpose: str
    number: int


@dataclass(frozen=True)
class Query:
    """One query as it was kept."""

    purpose: str
    number: int  # of the sample of the noise, for this purpose
    state: str  # one of the four; ``reserved`` while it is under way
    sent_sha256: str | None  # of the PNG
    answer: Answer  # labels, the best first; empty unless answered
    model: str | None
    asked: float  # seconds since 1970
    seconds: float | None  # until the answer
    price: float  # US dollars
    remark: str | None


class BudgetSpentError(LabError):
    """One more query would exceed the budget, or what a visitor or the server may spend."""


DAYS = 30  # over which an allowance counts


@dataclass(frozen=True)
class Allowance:
    """What visitors of a server may spend within any :data:`DAYS` days, in dollars: each of them, and all together."""

    each: float
    everybody: float


class Ledger:
    """The file of answers, made where there is none. Safe for several threads. Raises LabError where it is no ledger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.visitor: Visitor = OPERATOR
        self.allowance: Allowance | None = None
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            # A full disk sync a transaction: an answer that was paid for outlives even a power cut.
            self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise LabError(f"The file of answers {str(path)!r} cannot be used ({error}): name another.") from error

    def paid_by(self, visitor: Visitor, allowance: Allowance | None = None) -> Ledger:
        """The same file for a visitor, whose runs are their own; what they pay counts against an allowance, if there is one."""
        view = copy.copy(self)
        view.visitor, view.allowance = visitor, allowance
        return view

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def begin(self, run: str, spec: dict[str, Any]) -> None:
        """Note what a run is, once."""
        with self._using():
            self._db.execute(
                "INSERT OR IGNORE INTO runs VALUES (?, ?, ?)", (run, json.dumps(spec, sort_keys=True), time.time())
            )

    @contextmanager
    def working_on(self, run: str) -> Any:
        """Hold a run; what an earlier process left under way is in doubt. Raises LabError where another works on it now."""
        lock = FileLock(self.path.with_name(self.path.name + ".locks") / f"{run[:32]}.lock")
        try:
            held = lock.acquire(timeout=0)
        except Timeout as error:
            raise LabError("Another process is asking these very queries now: wait for it, or stop it first.") from error
        except OSError as error:
            raise self._fault(error) from error
        with held:
            with self._using():
                self._db.execute(
                    "UPDATE queries SET state = ?, remark = ? WHERE run = ? AND state = ?",
                    (IN_DOUBT, "the program ended before the answer came", run, RESERVED),
                )
            yield

    def reserve(self, key: QueryKey, sent_sha256: str, *, price: float, budget: float) -> None:
        """Set the price of a query aside, before it is sent.

        Raises BudgetSpentError where it would exceed the run's budget, everything reserved and in doubt included, or what
        visitors may spend; LabError where this very query was reserved or asked before.
        """
        with self._transaction():
            spent = self._spent(key.run)
            if spent + _nano(price) > _nano(budget):
                raise BudgetSpentError(
                    f"The budget of ${budget:g} is spent (${spent / NANO:.4f}, and a query costs ${price:g}):"
                    " raise it to go on."
                )
            if self.allowance is not None and _nano(price) > self._left(self.allowance):
                raise BudgetSpentError(
                    f"What visitors may spend within {DAYS} days is spent: go on later, or ask the operator for more."
                )
            now = time.time()
            try:
                self._db.execute(
                    "INSERT INTO queries VALUES (?, ?, ?, ?, ?, NULL, NULL, ?, NULL, ?, NULL)",
                    (*key, RESERVED, sent_sha256, now, _nano(price)),
                )
            except sqlite3.IntegrityError as error:
                raise LabError(f"Query {key.number} ({key.purpose}) was asked before: it is not paid for twice.") from error
            if self.allowance is not None:
                self._db.execute("INSERT INTO spent VALUES (?, ?, ?, ?, ?, ?)", (*key, self.visitor.key, now, _nano(price)))

    def release(self, key: QueryKey) -> None:
        """Give back what was set aside for a query that the API did not serve."""
        with self._transaction():
            which = "WHERE run = ? AND purpose = ? AND number = ?"
            if self._db.execute(f"DELETE FROM queries {which} AND state = ?", (*key, RESERVED)).rowcount:
                self._db.execute(f"DELETE FROM spent {which}", key)

    def settle(
        self,
        key: QueryKey,
        state: str,
        *,
        answer: Answer = (),
        model: str | None = None,
        seconds: float | None = None,
        remark: str | None = None,
    ) -> None:
        """Keep what came of a query; on disk when this returns."""
        text = json.dumps([asdict(label) for label in answer]) if state == ANSWERED else None
        with self._using():
            self._db.execute(
                "UPDATE queries SET state = ?, answer = ?, model = ?, seconds = ?, remark = ?"
                " WHERE run = ? AND purpose = ? AND number = ?",
                (state, text, model, seconds, remark, *key),
            )

    def queries(self, run: str, purpose: str) -> list[Query]:
        """The queries of a run for one purpose, in the order of their numbers."""
        columns = [field.name for field in fields(Query)]
        with self._using():
            rows = self._db.execute(
                f"SELECT {', '.join(columns).replace('price', 'nanodollars')} FROM queries"
                " WHERE run = ? AND purpose = ? ORDER BY number",
                (run, purpose),
            ).fetchall()
        found = (dict(zip(columns, row, strict=True)) for row in rows)
        try:
            return [Query(**row | {"answer": _labels(row["answer"]), "price": row["price"] / NANO}) for row in found]
        except (ValueError, TypeError) as error:
            raise LabError(
                f"The file of answers {str(self.path)!r} is damaged ({first_line(error)}): bring back a copy, or move it away."
            ) from error

    def spent(self, run: str) -> float:
        """US dollars paid or possibly paid for a run, queries under way included."""
        with self._using():
            return self._spent(run) / NANO

    def left(self) -> float | None:
        """US dollars of the allowance that the visitor may still spend; None where nothing bounds it."""
        if self.allowance is None:
            return None
        with self._using():
            return max(0, self._left(self.allowance)) / NANO

    def runs(self) -> list[tuple[str, dict[str, Any], int, float]]:
        """Every run: its name, what it is, how many queries were settled, and dollars spent; the newest first."""
        with self._using():
            rows = self._db.execute(
                "SELECT runs.run, spec, COUNT(number), COALESCE(SUM(nanodollars), 0) FROM runs LEFT JOIN queries USING (run)"
                " GROUP BY runs.run ORDER BY began DESC"
            ).fetchall()
        return [(run, json.loads(spec), count, total / NANO) for run, spec, count, total in rows]

    def kept_seed(self, spec: dict[str, Any]) -> int | None:
        """The seed of the newest run that is as this spec says but for its seed; None where there is none."""
        same = (other["seed"] for _, other, _, _ in self.runs() if {"visitor": "", **other, "seed": 0} == {**spec, "seed": 0})
        return next(same, None)

    def first_look(self, run: str, asked: dict[str, Any], *, note: bool) -> dict[str, Any]:
        """What was asked when the answers to a run's n queries were first looked at: ``asked`` itself, which is kept where
        ``note``, as long as none has come; empty where an older file does not say."""
        with self._transaction():
            wanted = (run, "estimate", RESERVED)
            query = "SELECT 1 FROM queries WHERE run = ? AND purpose = ? AND state <> ? LIMIT 1"
            if self._db.execute(query, wanted).fetchone():
                found = self._db.execute("SELECT asked FROM looks WHERE run = ?", (run,)).fetchone()
                return {} if found is None else dict(json.loads(found[0]))
            if note:
                self._db.execute("INSERT OR REPLACE INTO looks VALUES (?, ?)", (run, json.dumps(asked)))
            return asked

    def _left(self, allowance: Allowance) -> int:
        since, wanted = time.time() - DAYS * 86_400, "SELECT COALESCE(SUM(nanodollars), 0) FROM spent WHERE asked > ?"
        everybody = int(self._db.execute(wanted, (since,)).fetchone()[0])
        own = int(self._db.execute(f"{wanted} AND visitor = ?", (since, self.visitor.key)).fetchone()[0])
        return min(_nano(allowance.each) - own, _nano(allowance.everybody) - everybody)

    def _spent(self, run: str) -> int:
        return int(self._db.execute("SELECT COALESCE(SUM(nanodollars), 0) FROM queries WHERE run = ?", (run,)).fetchone()[0])

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The database, in this thread's turn. What it says is one sentence, and an answer that is kept stays so."""
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise self._fault(error) from error

    def _fault(self, error: Exception) -> LabError:
        return LabError(
            f"The file of answers {str(self.path)!r} cannot be used ({first_line(error)}): what was kept until now stays in it."
            " See to the disk, then go on."
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._using() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # a full disk may have ended it
                    database.execute("ROLLBACK")
                raise


def _nano(dollars: float) -> int:
    return round(min(dollars, 1e9) * NANO)


def _labels(text: str | None) -> Answer:
    return () if text is None else tuple(Label(**label) for label in json.loads(text))


def settled_prefix(queries: Iterable[Query]) -> list[Query]:
    """The settled queries up to the first that is not: which arrive early may depend on what they say."""
    counted = takewhile(lambda place: place[1].number == place[0] and place[1].state in SETTLED, enumerate(queries))
    return [query for _, query in counted]
