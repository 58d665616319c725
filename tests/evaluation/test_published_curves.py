"""The published figures: whole, possible, with their sources, and as the papers have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import LabError
from core.evaluation.curve import published_curves, summarise
from core.evaluation.recorded import read_recorded

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
