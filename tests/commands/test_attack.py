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


def test_a_table_of_stored_lines(run, tmp_path):
    made = {"norm": "l2", "alpha": 0.001, "classifier": {"ref": "bundled/a"}, "denoiser": {"ref": "none"}}
    common = {"label": 0, "inside": [0.1], "abstentions": 0, "violations": 0, "rechecked": 0, "settled": True, "seconds": 1.0}
    lines = [
        {"idx": 0, "prediction": 0, "certified": 0.2, "smoothed": 0.5, "base": 0.1} | common,
        {"idx": 1, "prediction": 1, "certified": 0.4, "smoothed": 0.6, "base": 0.5} | common,
        {"idx": 2, "prediction": None, "certified": 0.0, "smoothed": None, "base": None} | common | {"inside": []},
    ]
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "which says what made" in run("attack", "--summary", path).one_line()
    path.with_name("lines.jsonl.made.json").write_text(json.dumps(made))
    rows = run("attack", "--summary", path, path).out.splitlines()
    assert len(rows) == 4
    assert len({row.count("|") for row in rows}) == 1
    cells = [cell.strip() for cell in rows[2].split("|")[1:-1]]
    assert cells == [
        "`bundled/a` + `none`",
        "l2",
        "3",
        "2",
        "0 of 2",
        "1",
        "0",
        "0.300",
        "2 (2 to the end)",
        "0.550",
        "2.000",
        "0.200",
        "0.300",
    ]
    unsearched = tmp_path / "unsearched.jsonl"
    unsearched.write_text("".join(json.dumps(line | {"smoothed": None, "base": None}) + "\n" for line in lines))
    unsearched.with_name("unsearched.jsonl.made.json").write_text(json.dumps(made))
    assert run("attack", "--summary", unsearched).out.splitlines()[2].endswith("| 0 | 0.300 |")
    (document,) = run("attack", "--summary", path, "--json").document
    assert document["summary"]["smallest_gap"] == pytest.approx(0.2)
    assert document["made_by"] == made
    assert "leave PICTURE, --dataset and --out away" in run("attack", "x.png", "--summary", path).one_line()
    path.with_name("lines.jsonl.made.json").write_text("{}")
    assert "lacks norm, alpha" in run("attack", "--summary", path).one_line()
