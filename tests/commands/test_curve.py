"""`curve`, called as the command line calls it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from core.__main__ import main
from core.evaluation.log import HEADER

HEAD = "\t".join(HEADER) + "\n"
SIDE = {"sigma": 0.25, "n0": 100, "n": 1000, "alpha": 0.001, "method": "clopper-pearson"}
STORED = Path(__file__).resolve().parents[2] / "assets" / "evaluations" / "cifar10-stab-0.25.tsv"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log_a.tsv"
    path.write_text(HEAD + "0\t1\t1\t0.5\t1\t1\n1\t1\t2\t0.6\t0\t1\n2\t2\t-1\t0\t0\t1\n3\t2\t2\t0.26\t1\t1\n")
    return path


def told(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main(["curve", *map(str, args)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(capsys: pytest.CaptureFixture[str], *args: object) -> dict[str, Any]:
    code, out, _ = told(capsys, *args, "--json")
    assert code == 0
    return json.loads(out)


def test_published_logs_give_the_published_table(published_logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [published_logs / f"cifar10_resnet110_noise_{s}_test_sigma_{s}.tsv" for s in ("0.25", "0.50")]
    found = document(capsys, *paths, "--radii", "0.25,0.5,0.75,1.0,1.25,1.5")
    assert found["envelope"] == pytest.approx(
        {"0.25": 0.600, "0.5": 0.428, "0.75": 0.320, "1": 0.234, "1.25": 0.152, "1.5": 0.094}, abs=5e-4
    )
    assert {r: best["sigma"] for r, best in found["best"].items()} == {
        "0.25": 0.25,
        "0.5": 0.25,
        "0.75": 0.5,
        "1": 0.5,
        "1.25": 0.5,
        "1.5": 0.5,
    }
    first = found["logs"][0]
    assert (first["images"], round(first["clean"], 3), round(first["acr"], 3)) == (500, 0.748, 0.429)
    assert round(first["abstained"], 3) == 0.086


def test_the_document_has_the_keys_of_the_contract(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, log, "--radii", "0.25,0.5", "--per-class")
    row = found["logs"][0]
    assert {"path", "images", "clean", "acr", "abstained", "certified", "interval", "norm", "sigma"} <= set(row)
    assert row["certified"] == {"0.25": 0.5, "0.5": 0.25}
    assert row["per_class"]["2"]["images"] == 2
    assert row["per_class"]["2"]["certified"] == {"0.25": 0.5, "0.5": 0.0}
    assert found["envelope"] == row["certified"]


def test_a_comma_too_many_is_passed_over_as_on_the_page(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(document(capsys, log, "--radii", "0.5, 0.25,,0.5,")["envelope"]) == ["0.25", "0.5"]
    assert "',' is no list of numbers" in told(capsys, log, "--radii", ",")[2]


@pytest.mark.parametrize("form", ["csv", "markdown", "latex", "table"])
def test_tables_hold_the_same_figures(log: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    code, out, err = told(capsys, log, "--radii", "0.25,0.5", "--format", form)
    assert (code, err) == (0, "")
    if form == "csv":
        head, row = csv.reader(io.StringIO(out))
        assert dict(zip(head, row, strict=True))["r=0.25"].startswith("50.0%")
    elif form == "latex":
        assert r"log\_a" in out
        assert r"50.0\% (6.8-93.2)" in out
        assert out.count(r"\begin{tabular}") == out.count(r"\end{tabular}") == 1
    elif form == "markdown":
        assert out.splitlines()[0].startswith("| log | sigma |")
        assert out.splitlines()[0].count("|") == out.splitlines()[2].count("|")
    else:
        assert "50.0% (6.8-93.2)" in out


def test_a_log_that_is_being_written_is_read_with_a_note(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_text(log.read_text() + "4\t2\t2\t0.2")
    code, out, err = told(capsys, log, "--json")
    assert code == 0
    assert json.loads(out)["logs"][0]["images"] == 4
    assert "no end" in json.loads(out)["logs"][0]["remarks"][0]
    assert err.startswith("note: log_a.tsv: the last line has no end")


def test_a_projection_is_marked_and_is_the_certificate_at_the_own_n(capsys: pytest.CaptureFixture[str]) -> None:
    row = document(capsys, STORED, "--project-n", 1000)["logs"][0]
    assert row["projection"]["certificate"] is False
    assert row["projection"]["certified"] == pytest.approx(row["certified"])
    code, out, err = told(capsys, STORED, "--project-n", 100_000)
    assert code == 0
    assert "projected to n=100,000" in out
    assert "no certificates" in err


def test_radii_beyond_the_ceiling_are_remarked_on(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = told(capsys, STORED, "--radii", "0.5,0.9,2")
    assert code == 0
    assert "a radius of 0.9, 2" in err
    assert "0.6158" in err


def test_logs_of_other_images_are_remarked_on(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "log_b.tsv"
    other.write_text(HEAD + "9\t1\t1\t0.5\t1\t1\n")
    code, _, err = told(capsys, log, other)
    assert code == 0
    assert "different images" in err


@pytest.mark.parametrize(
    ("text", "args", "says"),
    [
        ("idx,label\n", (), "its first line should be"),
        (HEAD, (), "no images yet"),
        (HEAD + "0\t1\t1\t0.5\t1\t1\n0\t1\t1\t0.4\t1\t1\n", (), "image 0 twice"),
        (HEAD + "0\t1\t1\t0.9\t1\t1\n", (), "can give no more than 0.6158"),
        (HEAD + "0\t1\t1\t0.5\t1\t1\n", ("--radii", "a,b"), "no list of numbers"),
        (HEAD + "0\t1\t1\t0.5\t1\t1\n", ("--radii", "-1"), "at least 0"),
        (HEAD + "0\t1\t1\t0.5\t1\t1\n", ("--radii", "nan"), "at least 0"),
        (HEAD + "0\t1\t1\t0.5\t1\t1\n", ("--json", "--format", "csv"), "not allowed with"),
        (HEAD + "0\t1\t1\t0.5\t1\t1\n", ("--project-n", "9", "--radii", "0"), "no whole number of votes"),
    ],
)
def test_mistakes_are_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, args: tuple[str, ...], says: str
) -> None:
    path = tmp_path / "log.tsv"
    path.write_text(text)
    path.with_suffix(".json").write_text(json.dumps(SIDE))
    code, out, err = told(capsys, path, *args)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("args", [("--project-n", "0"), ("--project-alpha", "1"), ("--project-n", "99999999999")])
def test_impossible_projections_are_refused(capsys: pytest.CaptureFixture[str], args: tuple[str, ...]) -> None:
    code, _, err = told(capsys, STORED, "--radii", "0.25", *args)
    assert code == 2
    assert "impossible" in err


def test_a_log_named_twice_and_norms_mixed_are_refused(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "named twice" in told(capsys, log, log)[2]
    other = tmp_path / "l1.tsv"
    other.write_text(log.read_text())
    other.with_suffix(".json").write_text(json.dumps({"norm": "l1", "noise": "uniform"}))
    assert "different norms" in told(capsys, log, other)[2]


def test_mixed_sigmas_that_a_side_file_admits_are_refused(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.with_suffix(".json").write_text(json.dumps(SIDE | {"sigma": [0.25, 0.5]}))
    code, _, err = told(capsys, log)
    assert code == 2
    assert "several sigmas" in err


def by_hand(path: Path, radius: float) -> float:
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return sum(row[4] == "1" and float(row[3]) >= radius for row in rows) / len(rows)


def test_one_row_for_the_models_is_the_best_of_their_sigmas_and_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    logs = sorted(STORED.parent.glob("cifar10-*.tsv"))
    found = document(capsys, *logs, "--by-models", "--published", "cifar10-salman", "--radii", "0.25,0.75,1")
    assert list(found["models"])[:4] == ["STAB", "black-box", "MSE", "no denoiser"]
    for title, name in (("STAB", "stab"), ("black-box", "black-box"), ("MSE", "mse"), ("no denoiser", "none")):
        paths = {sigma: STORED.parent / f"cifar10-{name}-{sigma}.tsv" for sigma in ("0.12", "0.25", "0.5", "1.0")}
        for radius, best in found["models"][title].items():
            assert best["certified"] == max(by_hand(path, float(radius)) for path in paths.values())
            assert by_hand(Path(best["path"]), float(radius)) == best["certified"]
            assert Path(best["path"]).stem == f"cifar10-{name}-{'1.0' if best['sigma'] == 1 else best['sigma']}"
            assert best["clean"] == by_hand(Path(best["path"]), 0)
            assert best["images"] == 250
    code, out, _ = told(capsys, *logs, "--by-models", "--published", "cifar10-salman", "--radii", "0.25,2", "--format", "csv")
    assert code == 0
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(out))}
    best = found["models"]["STAB"]["0.25"]
    assert rows["STAB"][1].startswith(f"({100 * best['clean']:.1f}) {100 * best['certified']:.1f}% (")
    assert rows["STAB"][1].endswith(f"sigma {best['sigma']:g}")
    assert rows["Salman: white-box denoiser"] == ["500", "(72) 56%", ""]  # none published at 2
    assert rows["Noise-trained (Cohen, rerun)"][1] == "(77) 59%"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--published", "cifar10-salman"), "give --by-models, too"),
        (("--by-models", "--published", "nobody"), "They are: cifar10-salman-white-box"),
        (("--by-models", "--per-class"), "leave --per-class and the projection out"),
        (("--by-models", "--project-n", "9"), "leave --per-class and the projection out"),
    ],
)
def test_mistakes_of_a_row_for_the_models(capsys: pytest.CaptureFixture[str], args: tuple[str, ...], words: str) -> None:
    code, out, err = told(capsys, STORED, *args)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
