"""Every program has told torch's threads how to wait before torch loads; asked of the threads' library itself."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import core
from core.evaluation.engines.ray import certifier_class

ROOT = Path(__file__).resolve().parents[1]
RAYS = f"from typing import Any, Iterator\n{inspect.getsource(certifier_class)}"
PROGRAMS = {
    "command": ["-m", "core", "bench", "--rounds", "1", "--n", "2", "--batch-size", "2", "--size", "8"],
    "app": ["-c", "from streamlit.testing.v1 import AppTest as A; assert not A.from_file('app.py').run(timeout=60).exception"],
    "notebook": ["-c", "from core import certify; certify"],
    "experiment": ["-m", "experiments.replay", "--help"],
    "queue": ["-c", "import core.ui.jobs.queue, core.studies.certify"],
    "trainer": ["-m", "core", "train-denoiser", "--help"],
    # Ray sends the class's code, not its name, to a process that has not imported the Lab.
    "ray's worker": ["-c", f"{RAYS}certifier_class()().load(b'', {{}}, 'cpu')"],
    "local worker": [
        *("-m", "core", "evaluate", "--dataset", "shapes", "--classifier", "bundled/shapes", "--denoiser", "none"),
        *("--stop", "2", "--n", "20", "--n0", "5", "--workers", "2", "--out", "{folder}/log.tsv"),
    ],
}


@pytest.mark.skipif(sys.platform != "linux", reason="torch's threads are GNU's on Linux alone")
@pytest.mark.parametrize("program", PROGRAMS)
def test_waiting_threads_sleep(program, tmp_path):
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    words = [word.format(folder=tmp_path) if "{folder}" in word else word for word in PROGRAMS[program]]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=own | {"OMP_DISPLAY_ENV": "TRUE"}, capture_output=True, text=True, timeout=300
    )
    told = [line.split("'")[1] for line in done.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    assert told, done.stderr[-2000:]
    assert set(told) == {"PASSIVE"}
    assert len(told) == (3 if program == "local worker" else 1)


@pytest.mark.parametrize(("quota", "threads"), [("100000 100000", "1"), ("50000 100000", "1"), ("max 100000", None)])
def test_no_more_threads_than_the_container_has_cores(quota, threads, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (tmp_path / "cpu.max").write_text(quota)
    core._before_torch(str(tmp_path / "cpu.max"))
    assert os.environ.get("OMP_NUM_THREADS") == threads
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_what_the_user_says_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    (tmp_path / "cpu.max").write_text("100000 100000")
    core._before_torch(str(tmp_path / "cpu.max"))
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["OMP_NUM_THREADS"]) == ("ACTIVE", "3")
