"""PREDICT from end to end."""

from __future__ import annotations

import json
import math

import pytest
import torch

import core
from core.errors import LabError
from core.smoothing.bounds import prediction_p_value
from core.smoothing.certify import Progress

GREY = torch.full((3, 4, 4), 0.5)


def classifier_with(margin: float):
    """Class 1 for a share Phi(margin / 0.25) of the noisy copies of a grey picture."""

    def classifier(pixels):
        side = (pixels - 0.5).flatten(1).sum(dim=1) / math.sqrt(pixels[0].numel()) + margin
        return torch.stack([-side, side, torch.full_like(side, -9.0)], dim=1)

    return classifier


def predict(margin=0.2, **settings):
    return core.predict(GREY, classifier_with(margin), **({"sigma": 0.25, "n": 200, "device": "cpu"} | settings))


def test_prediction_follows_from_its_counts():
    p = predict()
    second, first, none = p.counts
    assert p.prediction == 1
    assert not p.abstained
    assert (first + second, none, p.n) == (200, 0, 200)
    assert p.p_value == prediction_p_value(first, second) < 0.001
    assert json.loads(json.dumps(p.to_dict()))["prediction"] == {"index": 1, "label": None}


def test_abstains_exactly_where_the_test_does_not_reject():
    decided = {True: 0, False: 0}
    for seed in range(60):
        p = predict(margin=0.06, alpha=0.05, n=50, seed=seed)
        top = sorted(p.counts)
        assert p.p_value == prediction_p_value(top[-1], top[-2])
        assert p.abstained == (p.p_value > 0.05) == (p.prediction is None)
        decided[not p.abstained] += 1
    assert min(decided.values()) > 5


def test_wrong_class_no_more_often_than_alpha():
    # 50.4% for class 1: whoever decides for class 0 is wrong, and at most alpha / 2 may.
    wrong = sum(predict(margin=0.0025, alpha=0.1, n=40, seed=seed).prediction == 0 for seed in range(400))
    assert 0 < wrong <= 400 * 0.1


def test_the_noise_is_not_that_of_certify():
    certificate = core.certify(GREY, classifier_with(0.05), sigma=0.25, n0=10, n=500, device="cpu")
    assert predict(margin=0.05, n=500).counts != certificate.counts
    assert predict(margin=0.05, n=500).counts == predict(margin=0.05, n=500, batch_size=3).counts


@pytest.mark.parametrize("settings", [{"noise": "uniform"}, {"noise": "laplace"}, {"sound": True}], ids=str)
def test_any_noise_predicts(settings):
    image = torch.full((3, 4, 4), 128 / 255)
    p = core.predict(image, classifier_with(0.2), sigma=0.25, n=200, device="cpu", **settings)
    assert p.prediction == 1
    assert (p.noise, p.sound) == (settings.get("noise", "gaussian"), settings.get("sound", False))
    plain = core.predict(image, classifier_with(0.2), sigma=0.25, n=200, device="cpu")
    assert p.counts != plain.counts


def test_a_stopped_run_abstains():
    told: list[Progress] = []
    p = predict(n=2_000, batch_size=50, on_progress=told.append, should_stop=lambda: len(told) >= 4)
    assert p.stopped
    assert p.n == sum(p.counts) == told[-1].done == 200
    assert p.p_value < 1e-6  # clear as it is, it was not read off at the planned n
    assert p.abstained
    assert p.prediction is None
    assert told[-1].total == 2_000


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n": 10}, "n is 10: with alpha 0.001 no vote of fewer than 11 samples can decide"),
        ({"sigma": 0.0}, "sigma is 0"),
        ({"alpha": 0.7}, "alpha is 0.7"),
        ({"seed": -3}, "seed is -3"),
        ({"noise": "cauchy"}, "Unknown noise 'cauchy'"),
        ({"noise": "uniform", "sound": True}, "Sound mode draws Gaussian noise"),
    ],
)
def test_settings_out_of_range_are_told(settings, says):
    with pytest.raises(LabError, match=says):
        predict(**settings)


def test_eleven_equal_votes_decide():
    assert core.predict(GREY, classifier_with(9.0), sigma=0.25, n=11, device="cpu").prediction == 1
