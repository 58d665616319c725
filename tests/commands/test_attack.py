"""`attack` on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

FAST = ("--n0", 20, "--n", 100, "--n-predict", 30, "--steps", 4, "--draws", 4, "--budget", 300, "--device", "cpu")
BUNDLED = ("--classifier", "bundled/shapes", "--denoiser", "bundled/shapes-stab")


def test_one_picture(run, picture, tmp_path):
    ran = run("attack", picture, *BUNDLED, *FAST, "--radius", 0.1, "--save", tmp_path / "out", "--json")
    assert ran.code == 0
    document = ran.document
    line = document["number_line"]
    assert line["norm"] == "l2"
    assert line["certified"] == document["certificate"]["radius"]
    assert line["smallest"]["base"] > 0
    assert 0.099 < document["attacked"]["size"] <= 0.1
    assert document["violation"] is False
    assert document["request"]["classifier"] == "bundled/shapes"
    pixels = np.load(tmp_path / "out" / "attack.npz")["attacked"]
    original = np.asarray(Image.open(tmp_path / "out" / "original.png")).transpose(2, 0, 1) / 255
    assert np.linalg.norm(pixels.astype(float) - original.astype(np.float32)) == pytest.approx(document["attacked"]["size"])
    assert {"original.png", "change.png", "attacked.png", "noisy.png", "denoised.png"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_text(run, picture):
    out = run("attack", picture, *BUNDLED, *FAST, "--kind", "random", "--norm", "linf", "--search", "none").out
    assert "certified within linf radius" in out
    assert "smoothed classifier:" in out
    assert "an upper bound" in out


def test_a_data_set(run, models, tmp_path):
    out = tmp_path / "lines" / "attacked.jsonl"
    words = (
        "attack",
        "--dataset",
        "shapes",
        "--every",
        20,
        "--images",
        3,
        "--classifier",
        models.sure,
        "--denoiser",
        "none",
        *FAST,
        "--out",
        out,
        "--json",
    )
    ran = run(*words)
    assert ran.code == 0
    summary = ran.document["summary"]
    assert (summary["images"], summary["certified"], summary["violations"], summary["inside"]) == (3, 3, 0, 6)
    assert summary["found"] == 0  # nothing fools a classifier that always says dog
    assert summary["mean_smoothed"] is None
    text = out.read_text()
    assert [json.loads(line)["idx"] for line in text.splitlines()] == [0, 20, 40]
    assert "exists already" in run(*words).one_line()
    out.write_text(text[: text.rindex("\n", 0, -1) + 9])  # as a kill in the middle of the last line leaves it
    again = run(*words, "--resume")
    assert again.document["summary"] | {"seconds": 0} == summary | {"seconds": 0}
    assert "another seed" in run(*words, "--resume", "--seed", 2).one_line()
    text = run(*(word for word in words if word != "--json"), "--resume").out
    assert "0 of 6 attacks within the certified radius" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "either one PICTURE or --dataset"),
        (("PICTURE", "--dataset", "shapes"), "either one PICTURE or --dataset"),
        (("--dataset", "shapes"), "needs --out FILE"),
        (("PICTURE", "--out", "x"), "--save DIR"),
        (("PICTURE", "--norm", "l3"), "Unknown norm 'l3'"),
        (("PICTURE", "--target", "api"), "Unknown target 'api'"),
        (("PICTURE", "--radius", "nan"), "radius is nan"),
        (("PICTURE", "--n-predict", "5"), "fewer than 11 samples"),
        (("PICTURE", "--denoiser", "classical/median"), "No gradient passes through the denoiser 'classical/median'"),
        (("--dataset", "shapes", "--out", "OUT", "--fractions", "a,b"), "no list of numbers"),
        (("--dataset", "shapes", "--out", "OUT", "--images", "0"), "--images is 0"),
        (("--dataset", "shapes", "--out", "OUT", "--start", "99999"), "has a number that"),
    ],
)
def test_mistakes_are_one_sentence(run, models, picture, tmp_path, words, says):
    named = {"PICTURE": picture, "OUT": tmp_path / "out.jsonl"}
    own = () if "--denoiser" in words else ("--denoiser", "none")
    line = run("attack", *(named.get(word, word) for word in words), "--classifier", models.sure, *own).one_line()
    assert line.startswith("attack: ")
    assert says in line
