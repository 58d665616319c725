"""The benchmark of training."""

from __future__ import annotations

import statistics

import pytest
import torch

from core.bench import train as training_bench
from core.bench.train import benchmark_training
from core.errors import LabError
from core.models.networks import ConvClassifier
from core.training.recipe import Recipe

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
    monkeypatch.setattr(training_bench.time, "perf_counter", lambda: next(looks) / 10)
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
