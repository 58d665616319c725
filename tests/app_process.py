"""The app as a process of its own, as a user starts it, for tests that need a server."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")
COMMAND = (sys.executable, "-m", "streamlit", "run", "app.py")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def running_app(
    home: Path,
    command: Sequence[str] = (*COMMAND, "--server.address=127.0.0.1"),
    *,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    output: Path | None = None,
) -> Iterator[str]:
    """Start the app, wait until it answers, yield its address, and end it.

    Args:
        home: of what is kept, and of the Hub's cache.
        command: to which the port is added.
        environment: beside that of the tests.
        folder: where it is started.
        output: a file for what it prints.
    """
    port = port or free_port()
    inherited = {name: value for name, value in os.environ.items() if name not in ("LAB_STORE", "LAB_PASSPHRASE")}
    own = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home / "hf"), "LAB_HOME": str(home)}
    quiet = ("--server.port", str(port), "--server.fileWatcherType", "none")
    with (output or Path(os.devnull)).open("wb") as told:
        process = subprocess.Popen(
            [*command, *quiet],
            cwd=folder,
            env={**inherited, **own, **(environment or {})},
            stdout=told,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until an address answers 200, or fail."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the app did not start within {seconds:g} s (exit code {process.poll()})")


def run(visit: Coroutine[None, None, T]) -> T:
    """Run a coroutine in a thread of its own: Playwright leaves its loop running in the thread of the tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, visit).result()
