"""The benchmark of training."""

from __future__ import annotations

import statistics

import pytest
import torch

from core.errors import LabError
from core.models.networks import ConvClassifier
from core.training.recipe import Recipe
from experiments import bench_training
from experiments.bench_training import benchmark_training

CPU = torch.device("cpu")
SMALL = {"device": CPU, "recipe": Recipe(batch_size=4), "size": 16, "steps": 2}


def test_speeds_and_their_ratio():
    told: list[tuple[int, int]] = []
    found = benchmark_training("unet", {"widths": [4, 8]}, rounds=3, on_round=lambda *at: told.append(at), **SMALL).document
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len(found["rounds"]) == 3
    assert found["training_images_per_second"] == pytest.approx(statistics.median(a for a, _ in found["rounds"]))
    assert found["bare_images_per_second"] == pytest.approx(statistics.median(b for _, b in found["rounds"]))
    assert found["ratio"] == pytest.approx(statistics.median(a / b for a, b in found["rounds"]))
    assert (found["objective"], found["classifier"], found["batch_size"], found["steps"]) == ("mse", "none", 4, 2)


def test_it_counts_pictures_a_second(monkeypatch):
    # A clock that says that every look at it is a tenth of a second later than the one before.
    looks = iter(range(1000))
    monkeypatch.setattr(bench_training.time, "perf_counter", lambda: next(looks) / 10)
    found = benchmark_training("unet", {"widths": [4]}, rounds=1, **SMALL).document
    # The loop: three steps, a look after each, the first not counted: 2 steps of 4 pictures in 0.2 s. Bare: two looks, 0.1 s.
    assert found["training_images_per_second"] == pytest.approx(40)
    assert found["bare_images_per_second"] == pytest.approx(80)
    assert found["ratio"] == pytest.approx(0.5)


def test_through_a_classifier():
    found = benchmark_training(
        "dncnn", {"depth": 3, "width": 4}, classifier=ConvClassifier(3, (4,)), rounds=1, **SMALL
    ).document
    assert (found["objective"], found["classifier"]) == ("stab", "python/ConvClassifier")


@pytest.mark.parametrize(("change", "says"), [({"size": 4}, "size"), ({"steps": 1}, "steps"), ({"rounds": 0}, "rounds")])
def test_numbers_out_of_range(change, says):
    with pytest.raises(LabError, match=f"The {says} of a benchmark of training is"):
        benchmark_training(**SMALL | {"rounds": 1} | change)


def test_the_document_of_training(run, models):
    ran = run("bench_training", "--arch", "ffdnet", "--batch-size", 2, "--size", 16, "--rounds", 1, "--json")
    assert ran.code == 0
    document = ran.document
    assert document["training_images_per_second"] > 0
    assert document["bare_images_per_second"] > 0
    assert document["ratio"] == pytest.approx(document["rounds"][0][0] / document["rounds"][0][1])
    assert (document["architecture"], document["objective"], document["precision"]) == ("ffdnet", "mse", "float32")


def test_text_of_training_through_a_classifier(run, models):
    words = ("--objective", "stab", "--classifier", models.sure, "--precision", "bf16", "--no-channels-last")
    ran = run("bench_training", *words, "--batch-size", 2, "--size", 16, "--rounds", 1, "--device", "cpu")
    assert f"stab through {models.sure}, 16 x 16 pixels" in ran.out
    assert "bf16" in ran.out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--batch-size", 0, "--batch-size is 0"), ("--size", 4, "8 to 1024"), ("--precision", "fp16", "for CUDA devices")],
)
def test_mistakes_of_training(run, option, value, words):
    assert words in run("bench_training", option, value, "--device", "cpu").one_line()
