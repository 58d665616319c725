"""`evaluate`, killed at random moments and resumed, against an unbroken run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.evaluation.log import HEADER, read_image_votes, read_log, votes_path
from core.models.networks import ConvClassifier
from core.models.storage import ModelConfig, save_model

KILLS = 36
PICTURES = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny classifier, ``classifier``, and pictures of two classes, ``pictures``."""
    home = tmp_path_factory.mktemp("killed")
    torch.manual_seed(0)
    options = {"num_classes": 2, "widths": [4, 4], "stem": 4}
    save_model(home / "classifier", ConvClassifier(2, (4, 4), stem=4), ModelConfig("classifier", "conv", options), {})
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        place = home / "pictures" / "test" / f"class{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(place / f"{number:02}.png")
    return home


@pytest.fixture(scope="module")
def begin(folder: Path) -> Iterator[Callable[..., Callable[[], int]]]:
    """Begin a command, and wait ``seconds`` before it is killed; returns its exit status, -9 where that came first."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("command_process.py")],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked, answered = process.stdin, process.stdout

    def run(arguments: list[str], seconds: float | None = None) -> int:
        asked.write(json.dumps(arguments) + "\n")
        asked.flush()
        pid = int(answered.readline())
        if seconds is not None:
            time.sleep(seconds)
            os.kill(pid, signal.SIGKILL)  # no more than a signal to the dead where it has ended
        assert answered.readline() == "ended\n"
        asked.write("\n")
        asked.flush()
        return int(answered.readline())

    with process:
        yield run
        asked.close()


def command(folder: Path, out: Path, *more: str) -> list[str]:
    return [
        "evaluate",
        "--dataset",
        f"folder/{folder / 'pictures'}",
        "--classifier",
        f"local/{folder / 'classifier'}",
        "--denoiser",
        "none",
        "--n",
        "64",
        "--n0",
        "16",
        "--seed",
        "0",
        "--device",
        "cpu",
        "--out",
        str(out),
        *more,
    ]


def without_time(log: Path) -> list[str]:
    return [line.rpartition("\t")[0] for line in log.read_text().splitlines()]


@pytest.mark.parametrize("more", [(), ("--table-radii", "0,0.1")], ids=["fixed", "sequential"])
def test_killed_at_random_moments_nothing_is_lost_doubled_or_torn(folder, begin, tmp_path, more):
    whole, again = tmp_path / "whole.tsv", tmp_path / "again.tsv"
    assert begin(command(folder, whole, *more)) == 0
    began = time.monotonic()
    assert begin(command(folder, again, *more)) == 0
    took = time.monotonic() - began
    assert len(read_log(whole)) == PICTURES
    rng = random.Random(7)
    kills, in_midst = 0, set()
    rounds = 0
    while kills < KILLS // 2 or not in_midst & set(range(1, PICTURES)):  # images are certified a tenth of the time
        rounds += 1
        assert rounds < 500, f"only {kills} kills came in time, none while images were certified: {in_midst}"
        out = tmp_path / f"{rounds}.tsv"
        while True:
            status = begin(
                command(folder, out, *more, "--resume"), rng.uniform(0, took) if kills % 2 else rng.uniform(0.8, 1) * took
            )
            assert status in (0, -signal.SIGKILL)
            if status == 0:
                break
            kills += 1
            if out.exists():
                lines = out.read_text().splitlines()
                assert lines[0] == "\t".join(HEADER)
                json.loads(out.with_suffix(".json").read_text())
                in_midst.add(len(lines) - 1)
        assert without_time(out) == without_time(whole)
        assert votes_path(out).read_text() == votes_path(whole).read_text()
        assert read_image_votes(out) == read_image_votes(whole)
        assert {p.name for p in tmp_path.glob(f"{rounds}.*")} == {f"{rounds}{end}" for end in (".tsv", ".json", ".votes.jsonl")}


def test_a_kill_between_votes_and_line_does_not_double_the_votes(folder, begin, tmp_path):
    out = tmp_path / "log.tsv"
    assert begin(command(folder, out)) == 0
    text, votes = out.read_text(), votes_path(out).read_text()
    for cut in (1, 3, 10):  # an engine of several workers may leave the votes of several images
        lines = text.splitlines(keepends=True)
        out.write_text("".join(lines[:-cut]))
        assert begin(command(folder, out, "--resume")) == 0
        assert votes_path(out).read_text() == votes


def test_a_kill_before_the_log_was_there(folder, begin, tmp_path):
    whole, out = tmp_path / "whole.tsv", tmp_path / "log.tsv"
    assert begin(command(folder, whole)) == 0
    out.with_suffix(".json").write_text('{"sigma": 3')  # as no kill leaves it any more, and without a log it does not matter
    out.with_name("log.tsv.part").write_text("idx")
    votes_path(out).write_text(votes_path(whole).read_text())
    assert begin(command(folder, out, "--resume")) == 0
    assert without_time(out) == without_time(whole)
    assert votes_path(out).read_text() == votes_path(whole).read_text()
