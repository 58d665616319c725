"""Where evaluations live: a database that lists, names and deletes them, and takes each image as soon as it is finished.

Several sessions and processes may write at once: an image of a run is there once, whoever wrote it first.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, RowMapping, func, select, true
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from core.errors import LabError
from core.evaluation.log import ImageVotes, LogLine
from core.evaluation.recorded import RecordedEvaluation, evaluation_files, recorded_from
from core.plain_text import file_name
from core.runs.resuming import IMAGES, VERSIONS
from core.runs.schema import STATES, Database, default_url, lines, parse_url, runs, where
from core.visitor import OPERATOR, Visitor

SILENT_SECONDS = 60.0  # a run whose worker was not heard of for so long was interrupted: its process is gone
BEAT_SECONDS = 10.0
LONGEST_NAME = 200

Image = LogLine | tuple[LogLine, ImageVotes | None]
"""What came of an image: its line, or line and votes, as :func:`core.evaluation.evaluate.evaluate` yields them."""


@dataclass(frozen=True)
class StoredRun:
    """A run as the store knows it."""

    id: int
    name: str
    created: datetime  # in UTC
    settings: dict[str, Any]  # every parameter that decides a line
    classifier: str  # reference, as the next two; empty where a log from elsewhere does not say
    denoiser: str
    dataset: str
    state: str  # one of core.runs.schema.STATES
    planned: int | None  # images it is to have; None where that is not known
    images: int
    silent: float  # seconds since whoever works on it was last heard of
    owner: str = ""  # the key of the visitor whose it is; empty for the operator
    shared: bool = True  # others may look at it

    @property
    def interrupted(self) -> bool:
        """Whether it counts as running, and nobody works on it any more."""
        return self.state == "running" and self.silent > SILENT_SECONDS

    @property
    def may_resume(self) -> bool:
        """Whether images are missing that nobody works on."""
        missing = self.planned is not None and self.images < self.planned
        return missing and (self.state == "stopped" or self.interrupted)


class RunStore:
    """Runs in a database. Safe for several threads and processes.

    ``url``: ``sqlite:///PATH`` or ``postgresql+psycopg://...``; by default what LAB_STORE names, else a file of LAB_HOME. Every
    method may raise LabError: where the database cannot be used, holds something else, or the run is somebody else's.
    """

    def __init__(self, url: str | URL | None = None, visitor: Visitor = OPERATOR) -> None:
        self.visitor = visitor
        named = default_url() if url is None else parse_url(url) if isinstance(url, str) else url
        self.where = where(named)
        self._database = Database(named)

    def close(self) -> None:
        self._database.close()

    def used_by(self, visitor: Visitor) -> RunStore:
        """The same store as a visitor may use it: what is theirs, and looking at what is shared."""
        view = copy.copy(self)
        view.visitor = visitor
        return view

    def begin(self, name: str, settings: dict[str, Any], planned: int | None = None) -> int:
        """Begin a run; returns its number. Runs may share a name; the settings are a JSON document."""
        with self._database.writing() as connection:
            return self._begin(connection, name, settings, planned=planned, state="running")

    def take(self, name: str, settings: dict[str, Any], images: Iterable[Image]) -> int:
        """Take a whole run over that was made elsewhere, or nothing of it; returns its number."""
        written = list(images)
        with self._database.writing() as connection:
            run = self._begin(connection, name, settings, planned=len(written), state="finished")
            self._write(connection, run, written)
        return run

    def add(self, run: int, images: Iterable[Image]) -> None:
        """Write images, all of them or none. Those that the run has already stay as they are."""
        with self._database.writing() as connection:
            self._beat(connection, run)
            self._write(connection, run, images)

    def run(self, run: int) -> StoredRun:
        """One run. Raises LabError where there is none of that number."""
        found = self._runs(run)
        if not found:
            raise _gone(run)
        return found[0]

    def runs(self) -> list[StoredRun]:
        return self._runs()

    def lines(self, run: int) -> list[LogLine]:
        """The images of a run by their numbers; empty where there is no such run."""
        with self._database.reading() as connection:
            columns = [lines.c[field.name] for field in fields(LogLine)]
            rows = connection.execute(select(*columns).where(*self._lines_of(run)).order_by(lines.c.idx)).all()
        return [LogLine(*row) for row in rows]

    def votes(self, run: int) -> dict[int, ImageVotes]:
        """The votes behind each image, where they were kept."""
        with self._database.reading() as connection:
            wanted = select(lines.c.votes).where(*self._lines_of(run), lines.c.votes.is_not(None)).order_by(lines.c.idx)
            found = [ImageVotes.from_dict(document) for document in connection.execute(wanted).scalars()]
        return {votes.idx: votes for votes in found}

    def rename(self, run: int, name: str) -> None:
        with self._database.writing() as connection:
            self._update(connection, run, name=_checked(name))

    def share(self, run: int, shared: bool) -> None:
        with self._database.writing() as connection:
            self._update(connection, run, shared=shared)

    def delete(self, run: int) -> None:
        """Delete a run and all its images. Whoever still writes to it is told that it is gone."""
        with self._database.writing() as connection:
            if not connection.execute(runs.delete().where(runs.c.id == run, self._own())).rowcount:
                raise self._refused(connection, run)

    def finish(self, run: int, state: str = "finished") -> None:
        """Note that nobody works on a run any more: ``finished`` or ``stopped``."""
        if state not in STATES:
            raise LabError(f"A run cannot be {state!r}: expected one of {', '.join(STATES)}.")
        with self._database.writing() as connection:
            self._update(connection, run, state=state)

    @contextmanager
    def working_on(self, run: int, *, begun: bool = False) -> Iterator[None]:
        """Hold a run, saying every few seconds that it lives; it is stopped afterwards, unless it was finished.

        Who ``begun`` it just now holds it already; another worker's is refused.
        """
        if not begun:
            self._claim(run)
        ended = threading.Event()
        heart = threading.Thread(target=self._keep_beating, args=(run, ended), name=f"run-{run}", daemon=True)
        heart.start()
        try:
            yield
        finally:
            ended.set()
            heart.join()
            with self._database.writing() as connection:
                connection.execute(
                    runs.update().where(runs.c.id == run, runs.c.state == "running").values(state="stopped", beat=time.time())
                )

    def _begin(self, connection: Connection, name: str, settings: dict[str, Any], *, planned: int | None, state: str) -> int:
        now = time.time()
        values = {"name": _checked(name), "created": now, "beat": now, "state": state, "planned": planned}
        values |= {"settings": json.loads(json.dumps(settings))}
        values |= {part: _reference(settings.get(part)) for part in ("classifier", "denoiser", "dataset")}
        values |= {"owner": self.visitor.key, "shared": self.visitor.operates}
        key = connection.execute(runs.insert().values(values)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def _update(self, connection: Connection, run: int, **values: Any) -> None:
        if not connection.execute(runs.update().where(runs.c.id == run, self._own()).values(**values)).rowcount:
            raise self._refused(connection, run)

    def _own(self) -> ColumnElement[bool]:
        return true() if self.visitor.operates else runs.c.owner == self.visitor.key

    def _visible(self) -> ColumnElement[bool]:
        return self._own() | runs.c.shared

    def _lines_of(self, run: int) -> tuple[ColumnElement[bool], ...]:
        return lines.c.run_id == run, lines.c.run_id.in_(select(runs.c.id).where(self._visible()))

    def _refused(self, connection: Connection, run: int) -> LabError:
        wanted = select(runs.c.name, runs.c.owner).where(runs.c.id == run, self._visible())
        for name, owner in connection.execute(wanted):
            self.visitor.check_owns(owner, f"The run {name!r}")
        return _gone(run)

    def _runs(self, run: int | None = None) -> list[StoredRun]:
        counted = select(func.count()).where(lines.c.run_id == runs.c.id).scalar_subquery()
        wanted = select(runs, counted.label("images")).where(self._visible()).order_by(runs.c.created.desc(), runs.c.id.desc())
        if run is not None:
            wanted = wanted.where(runs.c.id == run)
        with self._database.reading() as connection:
            return [_stored(row) for row in connection.execute(wanted).mappings()]

    def _write(self, connection: Connection, run: int, images: Iterable[Image]) -> None:
        parts = ((image, None) if isinstance(image, LogLine) else image for image in images)
        rows = [{"run_id": run, **asdict(line), "votes": votes and votes.to_dict()} for line, votes in parts]
        if rows:
            statement = sqlite_insert(lines) if self._database.is_sqlite else postgres_insert(lines)
            # A list of rows, not one statement with all of them: databases bound the parameters of a statement.
            connection.execute(statement.on_conflict_do_nothing(index_elements=["run_id", "idx"]), rows)

    def _beat(self, connection: Connection, run: int) -> None:
        """Say that the worker lives. It comes first in every transaction on a run, so that none waits for another in a ring."""
        self._update(connection, run, beat=time.time())

    def _keep_beating(self, run: int, ended: threading.Event) -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                with self._database.writing() as connection:
                    self._beat(connection, run)
            except LabError:
                continue  # a database may come back; where the run is gone, the next image says so to whoever can tell the user

    def _claim(self, run: int) -> None:
        now = time.time()
        free = (runs.c.state != "running") | (runs.c.beat < now - SILENT_SECONDS)
        with self._database.writing() as connection:
            change = runs.update().where(runs.c.id == run, free, self._own())
            taken = connection.execute(change.values(state="running", beat=now))
        if not taken.rowcount:
            found = self.run(run)
            self.visitor.check_owns(found.owner, f"The run {found.name!r}")
            late = "where that was a crash, it can be resumed a minute after it."
            raise LabError(f"Somebody works on the run {found.name!r} already; {late}")


def _gone(run: int) -> LabError:
    return LabError(f"There is no run {run} in the store: it may have been deleted meanwhile.")


def _checked(name: str) -> str:
    stripped = name.strip()
    if not stripped or len(stripped) > LONGEST_NAME or not stripped.isprintable():
        raise LabError(f"The name of a run is to have 1 to {LONGEST_NAME} printable signs: {name[:40]!r} has not.")
    return stripped


def _reference(record: Any) -> str:
    return str((record.get("ref") if isinstance(record, dict) else record) or "")


def _stored(row: RowMapping) -> StoredRun:
    told = {field.name: row[field.name] for field in fields(StoredRun) if field.name in row}
    created = datetime.fromtimestamp(row["created"], UTC)
    return StoredRun(**{**told, "created": created, "silent": max(0.0, time.time() - row["beat"])})


def import_recorded(store: RunStore, log: RecordedEvaluation) -> int:
    """Take a log over, with what made it and its votes where they are known; returns the number of its run."""
    images = ((line, log.votes.get(line.idx)) for line in log.outcomes.lines())
    settings = log.made_by.document
    if settings is None:
        settings = {} if log.made_by.sigma is None else {"sigma": log.made_by.sigma}
    return store.take(log.name[:LONGEST_NAME], settings, images)


def export_files(store: RunStore, run: int) -> dict[str, bytes]:
    """The files of a run by their names: the log, what made it, and the votes where they were kept."""
    stored = store.run(run)
    return evaluation_files(file_name(stored.name, "run"), store.lines(run), stored.settings, store.votes(run).values())


def is_growing(store: RunStore, run: StoredRun) -> bool:
    """Whether images are missing, or fewer of the same random order were looked at before: the number was not fixed then."""

    def kind(one: StoredRun) -> dict[str, Any] | None:
        rest = {name: value for name, value in one.settings.items() if name not in (IMAGES, VERSIONS)}
        return rest if {"seed", "dataset", "chosen"} <= rest.keys() else None

    missing = run.images < max(run.planned or 0, run.settings.get(IMAGES) or 0)  # a stopped one may have come as a file
    fewer = (one for one in store.runs() if 0 < one.images < run.images)
    return missing or (kind(run) is not None and any(kind(one) == kind(run) for one in fewer))


def recorded_run(store: RunStore, run: int) -> RecordedEvaluation:
    """A run as the curves and tables take it. Raises LabError where it has no images yet."""
    stored, files = store.run(run), export_files(store, run)
    stem = file_name(stored.name, "run")
    log = recorded_from(f"{stem}.tsv", files[f"{stem}.tsv"], files.get(f"{stem}.json"), files.get(f"{stem}.votes.jsonl"))
    return replace(log, name=stored.name, outcomes=replace(log.outcomes, growing=is_growing(store, stored)))
