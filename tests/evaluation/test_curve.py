"""Logs and certified accuracy, against the published logs and by hand."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from core.errors import LabError
from core.evaluation.curve import best_steps, by_class, certified_counts, envelope, images_behind, published_curves, summarise
from core.evaluation.families import by_family, titles, usual_order
from core.evaluation.intervals import share_interval
from core.evaluation.log import HEADER, LogLine, Outcomes
from core.evaluation.recorded import RecordedEvaluation, read_recorded, recorded_from

HEAD = "\t".join(HEADER) + "\n"

# Cohen et al. (2019), CIFAR-10 ResNet-110, 500 images: sigma -> (clean, ACR, abstained, {r: certified}).
PUBLISHED = {
    "0.25": (0.748, 0.429, 0.086, {0.25: 0.600, 0.5: 0.428, 0.75: 0.266}),
    "0.50": (0.652, 0.538, None, {0.25: 0.546, 0.5: 0.414, 0.75: 0.320, 1.0: 0.234, 1.25: 0.152, 1.5: 0.094}),
}

LINES = [
    LogLine(0, 1, 1, 0.5, True, 0.1),
    LogLine(1, 1, 2, 0.9, False, 0.1),
    LogLine(2, 1, -1, 0.0, False, 0.1),
    LogLine(3, 0, 0, 0.25, True, 0.1),
]


def log_of(lines: list[LogLine], name: str = "log.tsv", side: bytes | None = None) -> RecordedEvaluation:
    return recorded_from(name, (HEAD + "".join(line.text() + "\n" for line in lines)).encode(), side)


def random_log(images: int, seed: int, name: str = "log.tsv", start: int = 0) -> RecordedEvaluation:
    rng = np.random.default_rng(seed)
    lines = [
        f"{i}\t{i % 10}\t{label}\t{radius:.6g}\t{int(label == i % 10)}\t0.5\n"
        for i, (label, radius) in enumerate(zip(rng.integers(0, 10, images), rng.gamma(2, 0.2, images), strict=True), start)
    ]
    return recorded_from(name, (HEAD + "".join(lines)).encode())


@pytest.mark.parametrize("sigma", PUBLISHED)
def test_published_figures_come_out_of_the_published_logs(published_logs: Path, sigma: str) -> None:
    clean, acr, abstained, certified = PUBLISHED[sigma]
    path = published_logs / f"cifar10_resnet110_noise_{sigma}_test_sigma_{sigma}.tsv"
    summary = summarise(read_recorded(path).outcomes, list(certified))
    assert summary.images == 500
    assert summary.clean == pytest.approx(clean, abs=5e-4)
    assert summary.acr == pytest.approx(acr, abs=5e-4)
    if abstained is not None:
        assert summary.abstained == pytest.approx(abstained, abs=5e-4)
    assert summary.certified == pytest.approx(certified, abs=5e-4)


def test_the_envelope_over_published_logs_names_the_sigma_that_is_best(published_logs: Path) -> None:
    radii = [0.25, 0.5, 0.75, 1.0]
    paths = {s: published_logs / f"cifar10_resnet110_noise_{s}_test_sigma_{s}.tsv" for s in PUBLISHED}
    best = envelope({s: read_recorded(path) for s, path in paths.items()}, radii)
    assert [best[r].path for r in radii] == ["0.25", "0.25", "0.50", "0.50"]
    assert [best[r].sigma for r in radii] == [0.25, 0.25, 0.5, 0.5]
    assert [best[r].certified for r in radii] == pytest.approx([0.600, 0.428, 0.320, 0.234], abs=5e-4)


def test_only_right_answers_count_and_abstaining_is_wrong() -> None:
    summary = summarise(LINES, [0.25, 0.5, 0.75])
    assert summary.certified == {0.25: 0.5, 0.5: 0.25, 0.75: 0.0}
    assert (summary.clean, summary.abstained) == (0.5, 0.25)
    assert summary.acr == pytest.approx(0.75 / 4)
    low, high = summary.interval[0.25]
    assert stats.binom.sf(1, 4, low) == pytest.approx(0.025)
    assert stats.binom.cdf(2, 4, high) == pytest.approx(0.025)


def test_each_class_is_counted_on_its_own_images() -> None:
    classes = by_class(Outcomes.of(LINES), [0.25, 0.5])
    assert {label: s.images for label, s in classes.items()} == {0: 1, 1: 3}
    assert classes[1].certified == pytest.approx({0.25: 1 / 3, 0.5: 1 / 3})
    assert classes[0].certified == {0.25: 1.0, 0.5: 0.0}


@pytest.mark.parametrize("n", [1, 7, 500])
def test_intervals_are_those_of_an_independent_source(n: int) -> None:
    counts = sorted({0, 1, n // 3, n - 1, n})
    low, high = share_interval(counts, n)
    for k, a, b in zip(counts, low, high, strict=True):
        expected = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
        assert (a, b) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_counts_at_many_radii_are_those_counted_one_by_one() -> None:
    outcomes = random_log(300, 1).outcomes
    radii = np.append(np.linspace(0, 2, 37), outcomes.radius[:5])
    one_by_one = [
        sum(bool(r) and x >= radius for r, x in zip(outcomes.right, outcomes.radius, strict=True)) for radius in radii
    ]
    assert certified_counts(outcomes, radii).tolist() == one_by_one


def test_a_curve_steps_where_its_log_does_and_ends_on_the_ground() -> None:
    log = random_log(200, 2)
    steps = best_steps({"log": log.outcomes})
    assert steps.certified.tolist() == pytest.approx((certified_counts(log.outcomes, steps.radii) / 200).tolist())
    assert steps.radii[0] == 0
    assert steps.certified[-1] == 0
    assert (np.diff(steps.certified) <= 0).all()
    assert (steps.low <= steps.certified).all()
    assert (steps.certified <= steps.high).all()


def test_the_envelope_is_the_best_at_every_radius_and_says_whose_it_is() -> None:
    logs = {name: random_log(images, seed) for name, images, seed in (("a", 150, 3), ("b", 200, 4))}
    best = best_steps({key: log.outcomes for key, log in logs.items()})
    for place in range(0, len(best.radii), 7):
        shares = {key: summarise(log.outcomes, [best.radii[place]]).certified[best.radii[place]] for key, log in logs.items()}
        assert best.certified[place] == pytest.approx(max(shares.values()))
        assert shares[best.keys[place]] == pytest.approx(max(shares.values()))


def test_sigmas_of_the_same_models_are_one_family() -> None:
    def side(sigma: float, denoiser: str) -> bytes:
        return f'{{"sigma": {sigma}, "classifier": {{"ref": "bundled/x"}}, "denoiser": {{"ref": "{denoiser}"}}}}'.encode()

    logs = {
        "d": log_of(LINES, "d.tsv", side(0.5, "none")),
        "a": log_of(LINES, "a.tsv", side(0.25, "none")),
        "m": log_of(LINES, "m.tsv", side(0.25, "bundled/x-mse")),
        "cohen_sigma_0.25": log_of(LINES, "cohen_sigma_0.25.tsv"),
        "cohen_sigma_0.50": log_of(LINES, "cohen_sigma_0.50.tsv"),
    }
    assert [list(family) for family in by_family(logs).values()] == [
        ["a", "d"],
        ["m"],
        ["cohen_sigma_0.25", "cohen_sigma_0.50"],
    ]


def test_models_for_one_sigma_each_are_one_family_and_noise_trained_ones_leave_the_others_their_names() -> None:
    def made(sigma: float, classifier: str, denoiser: str) -> RecordedEvaluation:
        side = {"sigma": sigma, "classifier": {"ref": classifier}, "denoiser": {"ref": denoiser}}
        return log_of(LINES, "log.tsv", json.dumps(side).encode())

    noise, usual = "bundled/cifar10-noise-", "bundled/cifar10"
    logs = {
        "n25": made(0.25, f"{noise}0.25", "none"),
        "n100": made(1.0, f"{noise}1.0", "none"),
        "s": made(0.25, usual, f"{usual}-stab"),
        "n": made(0.25, usual, "none"),
        "other": made(0.5, usual, "local/d-0.25"),
        "d25": made(0.25, usual, "local/d-0.25"),
        "d50": made(0.5, usual, "local/d-.5"),
    }
    assert {tuple(family) for family in by_family(logs).values()} == {
        ("n25", "n100"),
        ("s",),
        ("d25", "d50"),
        ("other",),
        ("n",),
    }
    assert set(titles(logs).values()) == {"noise-trained", "STAB", "local/d-*", "local/d-0.25", "no denoiser"}
    ordered = sorted(logs, key=lambda key: usual_order(logs[key]))
    assert ordered.index("s") < ordered.index("n") < ordered.index("n25") < ordered.index("n100") < ordered.index("d25")
    # Behind a denoiser, or at another sigma than its own, it is a classifier like any other.
    odd = logs | {"odd": made(0.5, f"{noise}0.25", "none")}
    assert set(titles(odd).values()) >= {"noise-trained", f"{noise}0.25, no denoiser", "bundled/cifar10, STAB"}


def test_fifty_logs_of_ten_thousand_images_take_less_than_a_second_a_change() -> None:
    logs = {str(seed): random_log(10_000, seed) for seed in range(3)}
    many = {f"{name}-{copy}": log for name, log in logs.items() for copy in range(17)}
    began = time.process_time()
    outcomes = {key: log.outcomes for key, log in many.items()}
    for key, one in outcomes.items():
        best_steps({key: one}, 100)
    best_steps(outcomes, 100)
    radii = [0.25, 0.5, 0.75, 1.0]
    envelope(many, radii)
    assert time.process_time() - began < 0.8


def test_every_image_is_behind_a_point_in_one_way() -> None:
    log = Outcomes.of(LINES)
    behind = images_behind(log, 0.4)
    assert [behind.kept.tolist(), behind.lost.tolist(), behind.wrong.tolist(), behind.abstained.tolist()] == [
        [0],
        [3],
        [1],
        [2],
    ]
    assert images_behind(log, 0.4, 0.3).lost.tolist() == []
    assert images_behind(log, 0.6, 0.1).lost.tolist() == [0, 3]  # the last one lost first


CURVES = {curve.key: curve for curve in published_curves()}


def test_keys_are_told_apart_and_both_data_sets_are_there() -> None:
    assert len(CURVES) == len(published_curves())
    assert {curve.dataset for curve in CURVES.values()} == {"CIFAR-10", "ImageNet"}


@pytest.mark.parametrize("key", CURVES)
def test_a_curve_is_possible_and_says_where_it_comes_from(key: str) -> None:
    curve = CURVES[key]
    radii = [radius for radius, _ in curve.points]
    shares = [share for _, share in curve.points]
    assert radii == sorted(set(radii))
    assert radii[0] >= 0
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares, reverse=True)
    assert all(curve.clean[radius] >= share for radius, share in curve.points if radius in curve.clean)
    assert set(curve.clean) <= set(radii)
    assert len(curve.source.text) > 20
    assert curve.source.url.startswith("https://arxiv.org/abs/")
    assert curve.how
    assert curve.norm == "l2"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("cifar10-cohen-0.25", "cifar10_resnet110_noise_0.25_test_sigma_0.25"),
        ("cifar10-cohen-0.5", "cifar10_resnet110_noise_0.50_test_sigma_0.50"),
        ("imagenet-cohen-0.5", "imagenet_resnet50_noise_0.50_test_sigma_0.50"),
    ],
)
def test_figures_of_published_logs_come_out_of_these_logs(published_logs: Path, key: str, name: str) -> None:
    curve, outcomes = CURVES[key], read_recorded(published_logs / f"{name}.tsv").outcomes
    assert curve.images == len(outcomes)
    summary = summarise(outcomes, [radius for radius, _ in curve.points])
    assert summary.certified == pytest.approx(dict(curve.points), abs=5e-4)


def test_the_paper_says_that_a_denoiser_helps_and_training_on_noise_helps_more() -> None:
    for data in ("cifar10", "imagenet"):
        none, black, white, trained = (
            dict(CURVES[f"{data}-salman-{name}"].points) for name in ("none", "black-box", "white-box", "noise-trained")
        )
        for radius in none:
            assert none[radius] < black[radius] <= white[radius] <= trained[radius]


def test_table_1_of_denoised_smoothing_at_half_a_unit() -> None:
    at = {key: dict(curve.points).get(0.5) for key, curve in CURVES.items()}
    assert at["cifar10-salman-white-box"] == 0.41
    assert at["cifar10-salman-black-box"] == 0.20
    assert at["imagenet-salman-white-box"] == 0.33
    assert at["imagenet-salman-black-box-34"] == at["imagenet-salman-white-box-34"] == 0.32


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps({"dataset": "x", "sources": {}, "curves": [{}]}))
    with pytest.raises(LabError, match=r"other\.json"):
        published_curves(tmp_path)
