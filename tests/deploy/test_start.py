"""Starting the app by make: for this machine alone, or for others by a decision."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app_process import ROOT, free_port, running_app

LISTENING = "0A"


def make_command(target: str) -> list[str]:
    """What a target of the Makefile starts, with this interpreter."""
    if shutil.which("make") is None:
        pytest.skip("no make is installed")
    # Where make itself runs the tests, it would hand its own arguments on.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    shown = subprocess.run(
        ["make", "-n", target, "ARGS="], cwd=ROOT, env=clean, capture_output=True, text=True, check=True
    ).stdout
    return [sys.executable, *shlex.split(shown.strip().splitlines()[-1])[1:]]


def listened_on(port: int) -> set[str]:
    """The addresses, in the kernel's hexadecimal, at which somebody listens on a port."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    if not tables[0].exists():
        pytest.skip("only Linux shows who listens where")
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    sockets = [row[1].split(":") for row in rows if row[3] == LISTENING]
    return {address for address, number in sockets if int(number, 16) == port}


@pytest.mark.parametrize(("target", "loopback"), [("run", True), ("serve", False)])
def test_only_serving_lets_others_in(target: str, loopback: bool, tmp_path: Path) -> None:
    port = free_port()
    with running_app(tmp_path, make_command(target), port=port):
        assert listened_on(port) <= {"0100007F", f"{0:024x}01000000"} if loopback else "00000000" in listened_on(port)


def test_without_make_it_is_this_machine_alone_too(tmp_path: Path) -> None:
    port = free_port()
    with running_app(tmp_path, (sys.executable, "-m", "streamlit", "run", "app.py"), port=port):
        assert listened_on(port) <= {"0100007F", f"{0:024x}01000000"}
