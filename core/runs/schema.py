"""The database behind the store of runs: where it is, its tables, and what is said where it cannot be used."""

import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool

from core.errors import LabError, first_line
from core.folders import home_folder

VERSION = 2  # of the tables; whoever changes them counts on, and says how to go on with the older ones
_FROM_1 = (
    "ALTER TABLE lab_runs ADD COLUMN owner VARCHAR(64) DEFAULT '' NOT NULL",
    "ALTER TABLE lab_runs ADD COLUMN shared BOOLEAN DEFAULT true NOT NULL",
    "UPDATE lab_store SET version = 2",
)
"""Runs of before there were visitors are the operator's, and all may look at them."""

STATES = ("running", "finished", "stopped")
BUSY_SECONDS = 60  # how long a writer waits for its turn before it gives up

_CREATING = 4_202_019  # the number of the lock under which PostgreSQL's tables are made, by one process at a time
_READING = {"lab_reading": True}

_metadata = sa.MetaData()

stores = sa.Table("lab_store", _metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))

# 64 bits; but SQLite counts rows by itself in a column of the type INTEGER alone.
_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")

runs = sa.Table(
    "lab_runs",
    _metadata,
    sa.Column("id", _number, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("created", sa.Double, nullable=False),  # seconds since 1970
    sa.Column("beat", sa.Double, nullable=False),  # when whoever works on it was last heard of, seconds since 1970
    sa.Column("classifier", sa.String, nullable=False),
    sa.Column("denoiser", sa.String, nullable=False),
    sa.Column("dataset", sa.String, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("state", sa.String(10), sa.CheckConstraint(f"state IN {STATES}"), nullable=False),
    sa.Column("planned", sa.Integer),
    sa.Column("owner", sa.String(64), nullable=False, server_default=""),  # a visitor's key; empty for the operator
    sa.Column("shared", sa.Boolean, nullable=False, server_default=sa.true()),  # others may look
    sqlite_autoincrement=True,  # the number of a deleted run is not given to another
)

lines = sa.Table(
    "lab_lines",
    _metadata,
    sa.Column("run_id", _number, sa.ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("label", sa.BigInteger, nullable=False),
    sa.Column("predict", sa.BigInteger, nullable=False),
    sa.Column("radius", sa.Double, nullable=False),
    sa.Column("correct", sa.Boolean, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("votes", sa.JSON(none_as_null=True)),
)


def default_url() -> sa.URL:
    """What ``LAB_STORE`` names; by default a file of the Lab's own folder."""
    named = os.environ.get("LAB_STORE")
    return parse_url(named) if named else sa.URL.create("sqlite", database=str(home_folder() / "runs.sqlite"))


def parse_url(url: str) -> sa.URL:
    """A URL of SQLite or PostgreSQL. Raises LabError for any other, not repeated, since a password may stand in it."""
    wanted = "expected sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE"
    try:
        parsed = sa.make_url(url)
        kind = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise LabError(f"The URL of the store of runs cannot be read: {wanted}.") from None
    if kind in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise LabError(f"The store of runs cannot live in a database of the kind {kind!r}: {wanted}.")
    if parsed.database in (None, "", ":memory:"):
        raise LabError("The store of runs needs a file, not SQLite's memory: expected sqlite:///PATH.")
    return parsed


def where(url: sa.URL) -> str:
    """What to call a database: without password, and without options, among which one may stand, too.

    >>> where(parse_url("postgresql://ada:secret@db.example:5432/lab?sslpassword=secret"))
    'postgresql://ada@db.example:5432/lab'
    """
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return f"postgresql://{user}{url.host or ''}{port}/{url.database or ''}"


class Database:
    """A database whose tables are there and of this version. Raises LabError where it cannot be reached, or holds others.

    A file on a disk that is full or cannot be written can still be read: from a copy, since SQLite would write beside it.
    """

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._engine = self._open()
        try:
            with self._said():
                self._prepare()
        except LabError:
            self.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction, all of it or nothing."""
        engine = self._current()
        if self._copy is not None:
            raise LabError(
                f"The store of runs {where(self._url)!r} can only be read now: its disk is full, or cannot be written to."
            )
        with self._said(), engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Look without keeping writers waiting."""
        with self._said(), self._current().connect().execution_options(**_READING) as connection:
            try:
                yield connection
            except (ValueError, KeyError, TypeError) as error:
                if isinstance(error, LabError):
                    raise
                raise LabError(f"The store of runs {where(self._url)!r} is damaged: {first_line(error)}.") from error

    def close(self) -> None:
        self._engine.dispose()
        if self._copy is not None:
            self._copy.cleanup()

    def _current(self) -> sa.Engine:
        if self._copy is not None and _writable(Path(str(self._url.database)).parent):  # meanwhile
            self.close()
            self._copy, self._engine = None, self._open()
        return self._engine

    def _open(self) -> sa.Engine:
        if self.is_sqlite:
            path = Path(str(self._url.database))
            url = self._url
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.exists() and not _writable(path.parent):
                    self._copy = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
                    for part in (path, path.with_name(f"{path.name}-wal")):  # without the second, the newest images are missing
                        if part.exists():
                            shutil.copy(part, self._copy.name)
                    url = url.set(database=str(Path(self._copy.name) / path.name))
            except OSError as error:
                raise LabError(
                    f"The store of runs {str(path)!r} cannot be made or read ({error.strerror or error})."
                ) from error
            # A connection for each transaction costs little with a file, and leaves none to threads that have ended.
            engine = sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS})
            sa.event.listen(engine, "connect", _set_up_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
            return engine
        try:
            import_module("psycopg")
            return sa.create_engine(self._url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
        except ImportError:
            raise LabError(
                "A store of runs in PostgreSQL needs the package psycopg: install it with pip install 'psycopg[binary]'."
            ) from None
        except (NoSuchModuleError, ArgumentError, TypeError):
            raise LabError(f"The store of runs {where(self._url)!r} has options that are not understood.") from None

    def _prepare(self) -> None:
        """Make the tables where there are none, and see that those that are there are ours."""
        with self._engine.connect().execution_options(**_READING) as connection:
            found = self._version(connection)
        if found in (None, 1):
            with self._engine.begin() as connection:
                if not self.is_sqlite:
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _CREATING})
                if (found := self._version(connection)) is None:
                    _metadata.create_all(connection)
                    connection.execute(stores.insert().values(version=VERSION))
                elif found == 1:
                    for statement in _FROM_1:
                        connection.execute(sa.text(statement))
                found = self._version(connection)
        if found != VERSION:
            older = "an older" if (found or 0) < VERSION else "a newer"
            raise LabError(
                f"The store of runs {where(self._url)!r} was made by {older} version of the Lab (its tables have version"
                f" {found}, expected {VERSION}): set LAB_STORE to another database, or move this one away."
            )

    def _version(self, connection: sa.Connection) -> int | None:
        """Of the tables; None where nothing is there yet."""
        there = set(sa.inspect(connection).get_table_names())
        ours = {table.name for table in _metadata.sorted_tables}
        if not there & ours and not (self.is_sqlite and there):  # with a server, others' tables may stand beside ours
            return None
        if stores.name in there:
            versions = connection.execute(sa.select(stores.c.version)).scalars().all()
            if len(versions) == 1 and (versions[0] != VERSION or ours <= there):
                return int(versions[0])
        some = ", ".join(sorted(there)[:3])
        raise LabError(
            f"{where(self._url)!r} is a database of another program (with the tables {some}), no store of runs: set LAB_STORE"
            " to another."
        )

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeoutError) as error:
            reason = self._reason(error)
        except (SQLAlchemyError, UnicodeError) as error:
            reason = type(error).__name__
        else:
            return
        # The original may quote the password, and would stand in a traceback.
        raise LabError(f"The store of runs {where(self._url)!r} cannot be used: {reason}.") from None

    def _reason(self, error: DBAPIError | PoolTimeoutError) -> str:
        said = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
        reason = re.sub(r"\s+", " ", said[0]).removesuffix(".")
        secrets = [self._url.password, *(str(value) for value in self._url.query.values())]
        for secret in secrets:
            if secret:
                reason = reason.replace(str(secret), "***")
        if "locked" in reason:
            return f"it was busy for more than {BUSY_SECONDS} s"
        if "not a database" in reason:
            return "the file is no SQLite database"
        if "malformed" in reason:
            return "the file is damaged"
        return reason


def _writable(folder: Path) -> bool:
    """Whether there is room for what SQLite needs beside its file."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(2**16))
            file.flush()
    except OSError:
        return False
    return True


def _set_up_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None  # transactions begin where SQLAlchemy says, not before the first change
    connection.execute("PRAGMA foreign_keys=ON")
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            # Readers do not wait for the writer then. The change itself waits for nobody, so it is tried again.
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later could not wait for its turn: it takes it at once.
    reading = connection.get_execution_options().get("lab_reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
