"""The comparison of modes on the command line: every number of the summary is computed again from the lines, by other means."""

from __future__ import annotations

import json
import statistics

import numpy as np
import pytest
from scipy import stats

SIGMA, ALPHA, N = 0.25, 0.01, 60
WORDS = (
    "compare_modes",
    "--dataset",
    "shapes",
    "--every",
    19,
    "--images",
    4,
    "--classifier",
    "bundled/shapes",
    "--denoiser",
    "bundled/shapes-stab",
    "--sigma",
    SIGMA,
    "--n0",
    16,
    "--n",
    N,
    "--alpha",
    ALPHA,
    "--until",
    "0.1,0.2",
    "--until-n",
    96,
    "--device",
    "cpu",
)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The file of lines and the document that a run printed."""
    import contextlib
    import io

    from experiments.compare_modes.__main__ import main

    out, printed = tmp_path_factory.mktemp("modes") / "lines.jsonl", io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        assert main([str(word) for word in (*WORDS[1:], "--out", out, "--json")]) == 0
    return out, json.loads(printed.getvalue())


def bound(k: int, n: int, alpha: float) -> float:
    """The lower Clopper-Pearson bound, straight from the beta distribution."""
    return float(stats.beta.ppf(alpha, k, n - k + 1)) if k else 0.0


def gaussian_radius(run: dict) -> float:
    p = bound(run["counts"][run["candidate"]], sum(run["counts"]), ALPHA)
    return SIGMA * float(stats.norm.ppf(p)) if p > 0.5 else 0.0


def two_sided_radius(run: dict) -> float:
    n, candidate = sum(run["counts"]), run["candidate"]
    p = bound(run["counts"][candidate], n, ALPHA / 2)
    others = max(count for index, count in enumerate(run["counts"]) if index != candidate)
    q = min(1 - bound(n - others, n, ALPHA / 2), 1 - p)
    return SIGMA / 2 * float(stats.norm.ppf(p) - stats.norm.ppf(q)) if p > q else 0.0


def laplace_radius(run: dict) -> float:
    p = bound(run["counts"][run["candidate"]], sum(run["counts"]), ALPHA)
    return -SIGMA / np.sqrt(2) * np.log(2 * (1 - p)) if p > 0.5 else 0.0


def uniform_radius(run: dict) -> float:
    p = bound(run["counts"][run["candidate"]], sum(run["counts"]), ALPHA)
    return 2 * np.sqrt(3) * SIGMA * (p - 0.5) if p > 0.5 else 0.0


def test_lines_hold_every_run(compared):
    out, document = compared
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["idx"] for line in lines] == [0, 19, 38, 57]
    for line in lines:
        assert set(line["runs"]) == {"float", "sound", "rounded", "uniform", "laplace"}
        assert all(sum(run["counts"]) == N for run in line["runs"].values())
        assert [one["radius"] for one in line["until"]] == [0.1, 0.2]
        assert all(0 < one["samples"] <= 96 for one in line["until"])
    made = json.loads(out.with_name(out.name + ".made.json").read_text())
    assert made["until"] == [0.1, 0.2]
    assert "device" in document["made_by"]


def test_accuracy(compared):
    out, document = compared
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    accuracy = document["summary"]["accuracy"]
    assert set(accuracy) == {"gaussian", "uniform", "laplace"}
    told = {
        ("gaussian", "l2", "0.25"): ("float", gaussian_radius, 0.25),
        ("gaussian", "l1", "0.25"): ("float", gaussian_radius, 0.25),
        ("gaussian", "linf", "1/255"): ("float", lambda run: gaussian_radius(run) / np.sqrt(3072), 1 / 255),
        ("gaussian", "linf", "2/255"): ("float", lambda run: gaussian_radius(run) / np.sqrt(3072), 2 / 255),
        ("uniform", "l1", "0.25"): ("uniform", uniform_radius, 0.25),
        ("laplace", "l1", "0.5"): ("laplace", laplace_radius, 0.5),
    }
    for (noise, norm, written), (name, radius, least) in told.items():
        runs = [(line["runs"][name], line["label"]) for line in lines]
        right = sum(run["candidate"] == label and radius(run) >= least for run, label in runs)
        share = accuracy[noise][norm][written]
        assert share["value"] == right / len(lines)
        assert share["low"] == pytest.approx(bound(right, len(lines), 0.025))


def test_rounded_and_sound(compared):
    out, document = compared
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    for name in ("rounded", "sound"):
        beside = document["summary"][name]
        floats = np.array([gaussian_radius(line["runs"]["float"]) for line in lines])
        others = np.array([gaussian_radius(line["runs"][name]) for line in lines])
        assert beside["mean"] == pytest.approx(others.mean())
        assert beside["mean_float"] == pytest.approx(floats.mean())
        assert beside["certified"] == (others > 0).sum()
        ratio = others.mean() / floats.mean()
        assert beside["ratio"]["value"] == pytest.approx(ratio)
        alike = np.array([line["runs"][name]["candidate"] == line["runs"]["float"]["candidate"] for line in lines])
        assert beside["one_class"] == alike.sum()
        both = alike & (floats > 0) & (others > 0)
        assert beside["both"] == both.sum() > 0
        assert beside["median_ratio"] == pytest.approx(statistics.median(others[both] / floats[both]))
        assert beside["close"] == (np.abs(others[both] / floats[both] - 1) <= 0.01).mean()
    # The same normal numbers but for the rounding: hardly a vote turns.
    for line in lines:
        a, b = (np.array(line["runs"][name]["counts"]) for name in ("float", "rounded"))
        assert np.abs(a - b).sum() <= 0.1 * N
    taken = np.log([line["runs"]["sound"]["seconds"] / line["runs"]["float"]["seconds"] for line in lines])
    low, high = stats.t.interval(0.95, len(taken) - 1, taken.mean(), stats.sem(taken))
    time = document["summary"]["sound_time"]
    assert [time["value"], time["low"], time["high"]] == pytest.approx(np.exp([taken.mean(), low, high]))


def test_sides(compared):
    out, document = compared
    runs = [json.loads(line)["runs"]["float"] for line in out.read_text().splitlines()]
    one, two = np.array([gaussian_radius(run) for run in runs]), np.array([two_sided_radius(run) for run in runs])
    sides = document["summary"]["sides"]
    assert (sides["mean_one"], sides["mean_two"]) == pytest.approx((one.mean(), two.mean()))
    assert sides["larger"] == (two > one + 1e-12).sum()
    assert sides["smaller"] == (two < one - 1e-12).sum()
    assert (sides["gained"], sides["lost"]) == (((one == 0) & (two > 0)).sum(), ((two == 0) & (one > 0)).sum())


def test_until(compared):
    out, document = compared
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    for number, one in enumerate(document["summary"]["until"]):
        runs = [line["until"][number] for line in lines]
        samples = [run["samples"] for run in runs]
        assert (one["mean"], one["median"], one["most"]) == (np.mean(samples), np.median(samples), max(samples))
        assert one["ninth_decile"] == sorted(samples)[3]
        outcomes = [run["settled"] for run in runs]
        assert (one["reached"], one["out_of_reach"], one["open"]) == (
            outcomes.count("reached"),
            outcomes.count("out of reach"),
            outcomes.count(None),
        )
        fixed = [gaussian_radius(line["runs"]["float"]) >= one["radius"] for line in lines]
        assert one["fixed_reached"] == sum(fixed)
        assert one["agreeing"] == sum(
            (outcome == "reached") == there for outcome, there in zip(outcomes, fixed, strict=True) if outcome is not None
        )


def test_settling_is_what_certify_does(compared):
    """And the fixed n beside it counts the same normal numbers: its votes begin with those of the run that ended early."""
    from core import certify, load_classifier, load_denoiser
    from core.data.datasets import load_dataset

    out, _ = compared
    line = json.loads(out.read_text().splitlines()[1])
    image = load_dataset("shapes").images[19].float() / 255
    models = load_classifier("bundled/shapes"), load_denoiser("bundled/shapes-stab")
    common = {"sigma": SIGMA, "n0": 16, "alpha": ALPHA, "seed": 19, "device": "cpu"}
    again = certify(image, *models, n=96, method="anytime", until_radius=0.1, **common)
    assert (line["until"][0]["settled"], line["until"][0]["samples"]) == (again.settled, again.n)
    assert tuple(line["runs"]["float"]["counts"]) == certify(image, *models, n=N, **common).counts
    assert tuple(line["runs"]["sound"]["counts"]) == certify(image, *models, n=N, sound=True, **common).counts


def test_resume_and_tables(run, compared, tmp_path):
    out, document = compared
    words = (*WORDS, "--out", out)
    assert "exists already" in run(*words).one_line()
    assert "another alpha" in run(*WORDS[:-2], "--alpha", 0.02, "--out", out, "--resume").one_line()
    copy = tmp_path / "lines.jsonl"
    text = out.read_text()
    copy.write_text(text[: text.rindex("\n", 0, -1) + 9])  # as a kill in the middle of the last line leaves it
    copy.with_name(copy.name + ".made.json").write_text(out.with_name(out.name + ".made.json").read_text())
    again = run(*WORDS, "--out", copy, "--resume", "--json").document["summary"]
    for key in ("accuracy", "rounded", "sound", "sides", "until"):
        assert again[key] == document["summary"][key]
    assert "right and certified" in run(*words, "--resume").out
    table = run("compare_modes", "--summary", out, copy).out
    assert table.count("`bundled/shapes` + `bundled/shapes-stab`") == 2 * (3 + 1 + 1 + 1 + 2)
    assert len({line.count("|") for line in table.split("\n\n")[0].splitlines()}) == 1
    assert run("compare_modes", "--summary", out, "--json").document[0]["summary"] == document["summary"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--dataset", "shapes"), "expected --dataset and --out"),
        (("--summary", "a", "--dataset", "shapes"), "leave --dataset and --out away"),
        (("--summary", "OUT"), "which says what made"),
        (("--dataset", "shapes", "--out", "OUT", "--until", "a"), "no list of radii"),
        (("--dataset", "shapes", "--out", "OUT", "--until", "3"), "can show"),
        (("--dataset", "shapes", "--out", "OUT", "--noises", "gaussian"), "Unknown other noise 'gaussian'"),
        (("--dataset", "shapes", "--out", "OUT", "--images", "0"), "--images is 0"),
        (("--dataset", "shapes", "--out", "OUT", "--sigma", "17"), "at most 16"),
        (("--dataset", "shapes", "--out", "OUT", "--n", "3"), "use more"),
    ],
)
def test_mistakes(run, tmp_path, words, says):
    assert says in run("compare_modes", *(tmp_path / "lines.jsonl" if word == "OUT" else word for word in words)).one_line()


def test_a_line_that_is_none(run, compared, tmp_path):
    out, _ = compared
    broken = tmp_path / "broken.jsonl"
    broken.write_text(out.read_text() + '{"idx": 1}\n')
    broken.with_name(broken.name + ".made.json").write_text(out.with_name(out.name + ".made.json").read_text())
    assert "line 5" in run("compare_modes", "--summary", broken).one_line()
    broken.write_text(out.read_text() + out.read_text())
    assert "line 5, holds picture 0 again" in run("compare_modes", "--summary", broken).one_line()
