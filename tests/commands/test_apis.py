"""`certify --classifier api/...` and `serve-demo-api`, as users type them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.__main__ import main
from core.apis.demo import DemoServer
from core.data.datasets import load_dataset
from core.evaluation.log import read_log

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo() -> Iterator[DemoServer]:
    with DemoServer("bundled/shapes") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def command(demo: DemoServer, tmp_path: Path) -> list[str]:
    """A certify command for the demo server with play money; answers go to a file of the test's own."""
    endpoint = tmp_path / "endpoint.toml"
    endpoint.write_text(f'url = "{demo.url}"\nprice = 0.01\nrate = 1000\nmodel = "shapes"\n')
    picture = tmp_path / "picture.png"
    Image.fromarray(np.full((32, 32, 3), 90, dtype=np.uint8)).save(picture)
    return [
        "certify",
        str(picture),
        "--classifier",
        f"api/http/{endpoint}",
        "--denoiser",
        "none",
        "--sigma",
        "0.1",
        "--answers",
        str(tmp_path / "answers.sqlite"),
        "--n0",
        "10",
        "--n",
        "40",
    ]


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def test_within_a_budget_and_again_for_nothing(
    command: list[str], demo: DemoServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--budget", "0.3", "--json"]) == 0
    first = printed(capsys)
    assert (first["method"], first["n"], first["api"]["spent"], first["api"]["halt"]["reason"]) == (
        "anytime",
        20,
        0.3,
        "budget",
    )
    assert demo.asked == 30
    assert main([*command, "--budget", "1", "--json"]) == 0
    second = printed(capsys)
    assert (second["n"], second["api"]["asked"], second["api"]["spent"], demo.asked) == (40, 20, 0.5, 50)
    assert main([*command, "--offline", "--json"]) == 0
    third = printed(capsys)
    assert third["counts"] == second["counts"]
    assert third["radius"] == second["radius"]
    assert demo.asked == 50


def test_the_plan_is_told_before_the_first_query(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--budget", "0.3"]) == 0
    out, err = capsys.readouterr()
    assert "at most 30 of 50 queries" in err
    assert "$0.01 each" in err
    assert "money     $0.3000" in out


def test_without_a_budget_nothing_is_asked(command: list[str], demo: DemoServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 2
    assert "--budget" in capsys.readouterr().err
    assert demo.asked == 0


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        (["--budget", "-1"], "--budget is -1"),
        (["--budget", "nan"], "--budget is nan"),
        (["--budget", "1", "--price", "-2"], "price -2"),
        (["--budget", "1", "--rate", "0"], "rate 0"),
        (["--budget", "1", "--label-map", "none.toml"], "cannot be read"),
        (["--budget", "1", "--n", "3"], "n is 3"),
        (["--budget", "1", "--classifier", "api/nobody"], "Unknown API"),
        (["--budget", "1", "--answers", "/dev/null/x"], "cannot be used"),
    ],
)
def test_mistakes_are_one_line_and_cost_nothing(
    command: list[str], demo: DemoServer, capsys: pytest.CaptureFixture[str], extra: list[str], word: str
) -> None:
    assert main([*command, *extra]) == 2
    err = capsys.readouterr().err
    assert word in err
    assert "Traceback" not in err
    assert demo.asked == 0


def test_the_demo_server_as_a_process_of_its_own() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "core", "serve-demo-api", "--port", "0", "--classifier", "bundled/shapes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("Serving bundled/shapes at http://127.0.0.1:")
    finally:
        process.send_signal(2)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped after 0 pictures" in err


def test_the_demo_server_tells_mistakes(demo: DemoServer) -> None:
    import requests

    assert requests.post(demo.url, data=b"no picture", timeout=10).status_code == 400
    assert requests.post(demo.url.replace("classify", "other"), data=b"x", timeout=10).status_code == 404
    assert requests.get(demo.url.replace("/v1/classify", "/"), timeout=10).json()["model"] == "bundled/shapes"
    assert requests.post(demo.url, data=b"x" * (9 * 2**20), timeout=10).status_code == 413


def test_a_data_set_by_an_api_is_a_log_and_resumes(
    demo: DemoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint, log = tmp_path / "endpoint.toml", tmp_path / "log.tsv"
    endpoint.write_text(f'url = "{demo.url}"\nprice = 0.01\nrate = 1000\n')
    command = [
        "evaluate",
        "--dataset",
        "shapes",
        "--every",
        "500",
        "--classifier",
        f"api/http/{endpoint}",
        "--denoiser",
        "none",
        "--sigma",
        "0.01",
        "--n",
        "30",
        "--n0",
        "5",
        "--answers",
        str(tmp_path / "answers.sqlite"),
        "--out",
        str(log),
    ]
    assert main(command) == 2
    assert "--budget" in capsys.readouterr().err
    assert main([*command, "--budget", "0.35"]) == 0
    lines = read_log(log).lines()
    assert [line.idx for line in lines] == [0, 500]
    assert demo.asked == 70
    assert all(line.predict in range(-1, 10) for line in lines)
    truth = load_dataset("shapes", "test")
    assert [line.label for line in lines] == truth.labels[[0, 500]].tolist()
    assert any(line.correct for line in lines)
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:2]))  # as if killed after the first picture
    assert main([*command, "--budget", "0.35", "--resume"]) == 0
    assert [line.radius for line in read_log(log).lines()] == [line.radius for line in lines]
    assert demo.asked == 70, "answers that were kept were paid again"
