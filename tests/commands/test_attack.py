"""`attack` on the command line."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "required: PICTURE"),
        (("PICTURE", "--norm", "l3"), "Unknown norm 'l3'"),
        (("PICTURE", "--target", "api"), "Unknown target 'api'"),
        (("PICTURE", "--radius", "nan"), "radius is nan"),
        (("PICTURE", "--n-predict", "5"), "fewer than 11 samples"),
        (("PICTURE", "--denoiser", "classical/median"), "No gradient passes through the denoiser 'classical/median'"),
    ],
)
def test_mistakes_are_one_sentence(run, models, picture, words, says):
    own = () if "--denoiser" in words else ("--denoiser", "none")
    line = run(
        "attack", *(picture if word == "PICTURE" else word for word in words), "--classifier", models.sure, *own
    ).one_line()
    assert line.startswith("attack: ")
    assert says in line
