"""`evaluate` and `curve` on the command line."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from scipy.stats import beta, norm

from core.__main__ import main
from core.evaluation.log import read_image_votes, read_log, votes_path
from core.models.networks import ConvClassifier
from core.models.storage import ModelConfig, save_model
from core.smoothing.bounds import randomised_lower, uniform_number
from core.smoothing.noise import image_seed


@pytest.fixture
def classifier(tmp_path: Path) -> str:
    torch.manual_seed(0)
    options = {"num_classes": 10, "widths": [8, 8], "stem": 8}
    folder = tmp_path / "classifier"
    save_model(folder, ConvClassifier(10, (8, 8), stem=8), ModelConfig("classifier", "conv", options), {})
    return f"local/{folder}"


def command(classifier: str, out: Path, *more: str) -> list[str]:
    return [
        "evaluate",
        "--dataset",
        "shapes",
        "--stop",
        "200",
        "--every",
        "20",
        "--classifier",
        classifier,
        "--denoiser",
        "none",
        "--n",
        "50",
        "--n0",
        "10",
        "--device",
        "cpu",
        "--out",
        str(out),
        *more,
    ]


def test_a_log_a_line_an_image_and_its_curve(classifier: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "logs" / "log.tsv"
    assert main(command(classifier, out)) == 0
    lines = read_log(out).lines()
    assert [line.idx for line in lines] == list(range(0, 200, 20))
    assert all(line.label == line.idx % 10 for line in lines)
    assert json.loads(out.with_suffix(".json").read_text())["sigma"] == 0.25
    capsys.readouterr()
    assert main(["curve", str(out), "--radii", "0.1,0.2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["logs"][0]["images"] == 10
    assert set(document["envelope"]) == {"0.1", "0.2"}


def test_a_log_is_gone_on_with_by_the_seed_that_it_was_begun_with(
    classifier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.smoothing.settings.SYSTEM", random.SystemRandom())
    out = tmp_path / "log.tsv"
    assert main(command(classifier, out)) == 0
    whole = read_log(out)
    seed = json.loads(out.with_suffix(".json").read_text())["seed"]
    out.write_text("".join(out.read_text().splitlines(keepends=True)[:3]))
    assert main(command(classifier, out, "--resume")) == 0
    assert read_log(out).radius.tolist() == whole.radius.tolist()
    assert main(command(classifier, out, "--resume", "--seed", str(seed + 1))) == 2
    other = tmp_path / "other.tsv"
    assert main(command(classifier, other, "--resume")) == 0, "nothing is there yet: a seed is drawn"
    assert json.loads(other.with_suffix(".json").read_text())["seed"] != seed


def test_resuming_after_a_torn_line_gives_the_unbroken_log(classifier: str, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.tsv", tmp_path / "broken.tsv"
    assert main(command(classifier, whole)) == 0
    assert main(command(classifier, broken)) == 0
    text = broken.read_text()
    broken.write_text(text[: text.index("\n80\t") + 5])  # as a kill in the middle of a line leaves it
    assert main(command(classifier, broken, "--resume")) == 0

    def without_time(path: Path) -> list[tuple[object, ...]]:
        return [(line.idx, line.label, line.predict, line.radius, line.correct) for line in read_log(path).lines()]

    assert without_time(broken) == without_time(whole)


def test_other_parameters_and_existing_logs_are_refused(
    classifier: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "log.tsv"
    assert main(command(classifier, out)) == 0
    assert main(command(classifier, out)) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(command(classifier, out, "--resume", "--sigma", "0.5", "--seed", "3")) == 2
    error = capsys.readouterr().err
    assert "seed, sigma" in error
    assert main(["curve", str(tmp_path / "none.tsv")]) == 2
    assert main(command(classifier, tmp_path / "b.tsv", "--start", "9999")) == 2


def test_the_side_file_says_noise_norm_and_sides(classifier: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, other = tmp_path / "linf.tsv", tmp_path / "l2.tsv"
    assert main(command(classifier, out, "--norm", "linf", "--sound", "--two-sided", "--until-radius", "0.001")) == 0
    made_by = json.loads(out.with_suffix(".json").read_text())
    assert {key: made_by[key] for key in ("noise", "norm", "sound", "two_sided", "until_radius", "method")} == {
        "noise": "gaussian",
        "norm": "linf",
        "sound": True,
        "two_sided": True,
        "until_radius": 0.001,
        "method": "anytime",
    }
    assert main(command(classifier, other, "--noise", "laplace", "--norm", "l2")) == 0
    assert json.loads(other.with_suffix(".json").read_text())["norm"] == "l2"
    capsys.readouterr()
    assert main(["curve", str(out), "--radii", "0.001", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["logs"][0]["norm"] == "linf"
    assert main(["curve", str(out), str(other)]) == 2
    assert "different norms (linf.tsv linf, l2.tsv l2)" in capsys.readouterr().err


def test_each_image_has_a_number_of_its_own_for_the_randomised_bound(
    classifier: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "random.tsv"
    asked = ("--method", "randomised-clopper-pearson", "--seed", "5")
    assert main(command(classifier, out, *asked)) == 0
    votes = read_image_votes(out)
    for line in read_log(out).lines():
        found = votes[line.idx]
        assert found.candidate is not None
        k = found.counts.get(found.candidate, 0)
        bound = randomised_lower(k, 50, 0.001, uniform_number(image_seed(5, line.idx)))
        assert line.radius == pytest.approx(max(0.0, 0.25 * norm.ppf(bound)), abs=1e-9)
        assert found.p_lower == pytest.approx(bound)
    capsys.readouterr()
    assert main(["curve", str(out), "--json"]) == 0
    assert json.loads(out.with_suffix(".json").read_text())["method"] == "randomised-clopper-pearson"


def test_a_log_from_before_there_was_a_choice_of_noise_goes_on(
    classifier: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "old.tsv"
    assert main(command(classifier, out)) == 0
    side = out.with_suffix(".json")
    kept = {
        key: value
        for key, value in json.loads(side.read_text()).items()
        if key not in ("noise", "norm", "sound", "two_sided", "until_radius", "within", "table_radii")
    }
    side.write_text(json.dumps(kept))
    assert main(command(classifier, out, "--resume")) == 0
    capsys.readouterr()
    assert main(command(classifier, out, "--resume", "--noise", "uniform")) == 2
    assert "was begun with another noise, norm" in capsys.readouterr().err


def test_a_table_and_a_part_of_the_radius_end_images_early(
    classifier: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, within = tmp_path / "table.tsv", tmp_path / "within.tsv"
    many = ("--n", "600")
    assert main([*command(classifier, table), *many, "--table-radii", "0,0.05,0.2"]) == 0
    side = json.loads(table.with_suffix(".json").read_text())
    assert (side["method"], side["table_radii"], side["within"]) == ("group-sequential", [0.0, 0.05, 0.2], None)
    assert {line.radius for line in read_log(table).lines()} <= {0.0, 0.05, 0.2}
    assert any(of.n < 600 and of.settled == "table" for of in read_image_votes(table).values())
    assert main([*command(classifier, table), *many, "--table-radii", "0,0.05,0.2", "--resume"]) == 0
    assert main([*command(classifier, within), *many, "--within", "0.3"]) == 0
    assert json.loads(within.with_suffix(".json").read_text())["method"] == "anytime"
    assert {of.settled for of in read_image_votes(within).values()} & {"within", "out of reach"}
    capsys.readouterr()
    assert main([*command(classifier, table), *many, "--table-radii", "0,0.05", "--resume"]) == 2
    assert "begun with another table_radii" in capsys.readouterr().err
    for more, says in (
        (("--table-radii", "a"), "'a' is not a list of radii"),
        (("--table-radii", "0.1", "--within", "0.1"), "within and table_radii ask different questions"),
        (("--within", "2"), "within is 2.0"),
    ):
        assert main(command(classifier, tmp_path / "none.tsv", *more)) == 2
        assert says in capsys.readouterr().err


def test_the_votes_lie_beside_the_log(classifier: str, tmp_path: Path) -> None:
    out = tmp_path / "log.tsv"
    assert main(command(classifier, out)) == 0
    votes = read_image_votes(out)
    lines = read_log(out).lines()
    assert list(votes) == [line.idx for line in lines]
    for line in lines:
        of = votes[line.idx]
        assert of.n == 50
        k = of.counts.get(of.candidate or 0, 0)
        bound = float(beta.ppf(0.001, k, 50 - k + 1))
        assert bound == pytest.approx(of.p_lower, abs=1e-12)
        if line.predict >= 0:
            assert line.predict == of.candidate
            assert line.radius == pytest.approx(0.25 * float(norm.ppf(bound)), abs=1e-6)


def test_a_torn_line_of_votes_is_dropped_and_other_versions_are_said(
    classifier: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "log.tsv"
    assert main(command(classifier, out)) == 0
    whole = read_image_votes(out)
    text, votes = out.read_text(), votes_path(out)
    out.write_text(text[: text.index("\n180\t") + 1])  # killed between the votes and the line of the last image
    votes.write_text(votes.read_text() + '{"idx": 99')
    side = out.with_suffix(".json")
    side.write_text(side.read_text().replace(f'"torch": "{torch.__version__}"', '"torch": "1.0"'))
    capsys.readouterr()
    assert main(command(classifier, out, "--resume")) == 0
    assert "begun with another version of torch" in capsys.readouterr().err
    assert read_image_votes(out) == whole
    assert [line.idx for line in read_log(out).lines()] == list(range(0, 200, 20))


def test_labels_outside_the_classifiers_classes_are_refused_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"num_classes": 4, "widths": [8, 8], "stem": 8}
    save_model(tmp_path / "four", ConvClassifier(4, (8, 8), stem=8), ModelConfig("classifier", "conv", options), {})
    out = tmp_path / "log.tsv"
    assert main([*command(f"local/{tmp_path / 'four'}", out), "--start", "1", "--every", "1"]) == 2
    said = capsys.readouterr().err
    assert "has the class number 9, and the classifier the classes 0 to 3" in said
    assert not out.exists()
    assert not out.with_suffix(".json").exists()
