"""A real PostgreSQL on a loopback port for the time of the tests, from the programs of Debian's package ``postgresql``."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

USER = "lab"


@dataclass(frozen=True)
class PostgresServer:
    """A server that is running.

    Attributes:
        port: on 127.0.0.1.
        password: of the only user.
        stop, start: it is gone, and back with all that was in it.
    """

    port: int
    password: str
    stop: Callable[[], None]
    start: Callable[[], None]

    def url(self, database: str = "postgres", password: str | None = None) -> str:
        """Of one of its databases."""
        return f"postgresql+psycopg://{USER}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database; returns its URL."""
        import psycopg

        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)


def programs() -> Path | None:
    """The folder of the newest installed server's programs; None where there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb") if path.parent.parent.name.isdigit()]
    if found:
        return max(found, key=lambda folder: int(folder.parent.name))
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@contextlib.contextmanager
def running_postgres(bin_folder: Path) -> Iterator[PostgresServer]:
    """Start a server with data and socket in a folder of its own, and end it afterwards."""
    # Not pytest's own folder: only its user may enter that one, and root may not run PostgreSQL. The path of a socket must
    # be short, too.
    with tempfile.TemporaryDirectory(prefix="lab-pg-", ignore_cleanup_errors=True) as folder:
        root, data, password = Path(folder), Path(folder) / "data", secrets.token_hex(12)
        secret = root / "password"
        secret.write_text(password)
        as_user: list[str] = []
        if os.geteuid() == 0:
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            for path in (root, secret):
                shutil.chown(path, "postgres", "postgres")
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": folder}

        def call(*command: str) -> None:
            done = subprocess.run(
                [*as_user, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
            )
            log = root / "log"
            said = log.read_text(errors="replace") if done.returncode and log.exists() else ""
            assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}{said}"

        call(
            str(bin_folder / "initdb"),
            "-D",
            str(data),
            "-U",
            USER,
            "-E",
            "UTF8",
            "--auth=scram-sha-256",
            "--no-sync",
            f"--pwfile={secret}",
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        control = str(bin_folder / "pg_ctl")

        def start() -> None:
            call(control, "-D", str(data), "-l", str(root / "log"), "-o", options, "-w", "-t", "60", "start")

        def stop() -> None:
            call(control, "-D", str(data), "-m", "immediate", "-w", "stop")

        start()
        try:
            yield PostgresServer(port, password, stop, start)
        finally:
            stop()
