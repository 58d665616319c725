"""The command line as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.versions import LAB_VERSION

ROOT = Path(__file__).resolve().parents[2]
CORE = [sys.executable, "-m", "core"]


def test_version_and_streams():
    done = subprocess.run([*CORE, "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert LAB_VERSION in done.stdout
    assert done.stderr == ""


def test_a_mistake_has_exit_code_2_and_no_traceback(tmp_path):
    done = subprocess.run(
        [*CORE, "certify", "none.png", "--classifier", f"local/{tmp_path}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("certify: ")
    assert done.stderr.count("\n") == 1


def test_a_closed_output_is_one_line():
    process = subprocess.Popen([*CORE, "models", "--json"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as stream:
        told = stream.read()
    assert process.wait() == 1
    assert told == "models: the output was closed before all of it was written.\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*CORE, "models"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "models: the system refused: No space left on device.\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_prints_what_is_valid(models, picture):
    words = ["certify", str(picture), "--classifier", models.sure, "--denoiser", "none", "--n", "1000000", "--json"]
    # A shell may have told its children to ignore Ctrl-C.
    start = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    start += "; from core.__main__ import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", start, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while "radius at least" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    document = json.loads(out)
    assert document["stopped"] is True
    assert 0 < document["n"] < 1_000_000
    assert document["prediction"] == {"index": 1, "label": "dog"}
