"""Certified against attacked radius over a data set."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from core.attacks.request import AttackSettings, Climb
from core.data.datasets import LabelledImages
from core.errors import LabError
from core.smoothing.settings import Settings
from experiments.attack_dataset.attack import DatasetAttack, attack_dataset
from experiments.attack_dataset.lines import AttackedLine, chance_of_alarm, read_lines, summarise_attacks

CPU = torch.device("cpu")
ASKED = DatasetAttack(
    AttackSettings(Settings(0.25, n0=20, n=200), climb=Climb(5), draws=4, n_predict=60, tolerance=0.1, budget=600)
)


@pytest.fixture
def data(half):
    """Pictures at several distances from the border, the second on it."""
    way = half.weights / half.weights.norm()
    pictures = [half.image + step * way for step in (0.0, -0.3, 0.2)]
    bytes_ = (torch.stack(pictures) * 255).round().clamp(0, 255).to(torch.uint8)
    return LabelledImages(bytes_, torch.tensor([0, 0, 1]), torch.tensor([0, 20, 40]), None)


def attack(half, data, asked=ASKED, **more):
    return list(attack_dataset(data, half.classifier, None, asked, device=CPU, **more))


def test_lines(half, data):
    lines = attack(half, data)
    assert [line.idx for line in lines] == [0, 20, 40]
    first, torn, far = lines
    assert torn.prediction is None
    assert (torn.inside, torn.smoothed, torn.base) == ((), None, None)
    for line, exact in ((first, 0.3), (far, 0.5)):
        assert line.prediction == 0
        assert line.violations == line.rechecked == 0
        assert line.inside[0] == pytest.approx(0.5 * line.certified, rel=1e-3)
        assert line.inside[1] == pytest.approx(0.999 * line.certified, rel=1e-3)
        assert line.certified < exact < line.smoothed
        assert line.base == pytest.approx(exact, rel=0.12)


def test_a_line_does_not_depend_on_what_came_before(half, data):
    def without_time(lines):
        return [dataclasses.replace(line, seconds=0.0) for line in lines]

    assert without_time(attack(half, data, done=frozenset({0, 20}))) == without_time(attack(half, data))[2:]


def test_a_stop_leaves_the_unfinished_picture_out(half, data):
    passes = []
    assert attack(half, data, on_pass=passes.append, should_stop=lambda: len(passes) > 8) == []
    assert len(passes) < 14


def test_a_classifier_that_breaks_its_certificate_is_caught(half, data):
    # Not a function of the picture alone: honest while it is certified, turned round where it is attacked.
    copies = 0

    def liar(pixels):
        nonlocal copies
        copies += len(pixels)
        logits = half.classifier(pixels)
        return logits if copies <= 220 else logits.flip(1) * 9

    only = LabelledImages(data.images[:1], data.labels[:1], data.indices[:1], None)
    (line,) = attack_dataset(only, liar, None, ASKED, device=CPU)
    assert line.violations == 2
    assert line.rechecked == 2
    assert line.smoothed <= line.certified
    summary = summarise_attacks([line], 0.001)
    assert (summary.violations, summary.violated) == (2, 1)
    assert summary.smallest_gap < 0


LINE = AttackedLine(
    idx=7,
    label=1,
    prediction=1,
    certified=0.4,
    inside=(0.2, 0.3996),
    abstentions=1,
    smoothed=0.9,
    settled=True,
    base=0.1,
    seconds=2.0,
)


def test_lines_there_and_back(tmp_path):
    path = tmp_path / "lines.jsonl"
    abstained = AttackedLine(8, 1, None, seconds=1.0)
    path.write_text(LINE.text() + "\n" + abstained.text() + "\n")
    assert read_lines(path) == [LINE, abstained]
    path.write_text(LINE.text() + "\n{}\n")
    with pytest.raises(LabError, match=r"lines.jsonl, line 2, is no line"):
        read_lines(path)
    with pytest.raises(LabError, match="cannot be read"):
        read_lines(tmp_path / "none")


def test_what_lines_add_up_to():
    lines = [
        LINE,
        dataclasses.replace(LINE, certified=0.2, smoothed=None, base=0.5),
        dataclasses.replace(LINE, violations=1, rechecked=1, smoothed=0.3),
        dataclasses.replace(LINE, prediction=None, certified=0.0, inside=(), abstentions=0, smoothed=None, base=None),
    ]
    s = summarise_attacks(lines, 0.001)
    assert (s.images, s.certified, s.inside, s.violations, s.violated, s.rechecked) == (4, 3, 6, 1, 1, 1)
    assert s.mean_certified == pytest.approx(1.0 / 3)
    assert (s.found, s.mean_smoothed) == (2, pytest.approx(0.6))
    assert s.median_ratio == pytest.approx((0.9 / 0.4 + 0.3 / 0.4) / 2)
    assert s.settled == 2
    assert s.smallest_gap == pytest.approx(-0.1)
    assert s.base_inside == 2
    assert s.expected == pytest.approx(3 * 0.003)
    with pytest.raises(LabError, match="No picture"):
        summarise_attacks([], 0.001)


def test_what_bad_luck_allows():
    # An independent count: the chance of more than k alarms over 200 pictures, each with a chance of 0.003.
    assert chance_of_alarm(LINE, 0.001) == pytest.approx(0.003)
    s = summarise_attacks([LINE] * 200, 0.001)
    from scipy.stats import binom

    assert s.expected == pytest.approx(0.6)
    assert binom.sf(s.allowed, 200, 0.003) < 0.001 <= binom.sf(s.allowed - 1, 200, 0.003)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fractions": (0.5, 1.0)}, "fractions"),
        ({"fractions": ()}, "fractions"),
        ({"attack": dataclasses.replace(ASKED.attack, budget=-1)}, "budget is -1"),
        ({"attack": dataclasses.replace(ASKED.attack, draws=0)}, "draws is 0"),
        ({"attack": dataclasses.replace(ASKED.attack, norm="l0")}, "Unknown norm"),
        ({"attack": dataclasses.replace(ASKED.attack, settings=Settings(0.25, n=3))}, "n is 3"),
    ],
)
def test_numbers_out_of_range(changes, says):
    with pytest.raises(LabError, match=says):
        dataclasses.replace(ASKED, **changes).check()


def test_the_command(run, models, tmp_path):
    out = tmp_path / "lines" / "attacked.jsonl"
    words = (
        "attack_dataset",
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
        *("--n0", 20, "--n", 100, "--n-predict", 30, "--steps", 4, "--draws", 4, "--budget", 300, "--device", "cpu"),
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
        ((), "required: --out"),
        (("--out", "OUT", "--fractions", "a,b"), "no list of numbers"),
        (("--out", "OUT", "--images", "0"), "--images is 0"),
        (("--out", "OUT", "--start", "99999"), "has a number that"),
        (("--out", "OUT", "--norm", "l3"), "Unknown norm 'l3'"),
    ],
)
def test_mistakes_are_one_sentence(run, models, tmp_path, words, says):
    named = (tmp_path / "out.jsonl" if word == "OUT" else word for word in words)
    asked = ("--dataset", "shapes", "--classifier", models.sure, "--denoiser", "none")
    line = run("attack_dataset", *asked, *named).one_line()
    assert line.startswith("attack_dataset: ")
    assert says in line
