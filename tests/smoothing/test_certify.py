"""CERTIFY from end to end: what it returns, what stopping does, and what it refuses."""

from __future__ import annotations

import itertools
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import core
from core.errors import LabError
from core.smoothing import under_noise
from core.smoothing.bounds import FIXED_N, METHODS, anytime_lower, clopper_pearson_lower, lower_bound, uniform_number
from core.smoothing.certify import Progress
from core.smoothing.conclusion import conclude
from core.smoothing.exact_noise import GridNoiseStream
from core.smoothing.noise import NoiseStream
from core.smoothing.radius import NOISES, NORMS, OWN_NORM, l2_radius, radii, radius_ceiling
from core.smoothing.settings import HALF, MAX_N, NEARLY_ALL, Settings

GREY = torch.full((3, 8, 8), 0.5)


def leaning(pixels):
    """Class 1 for most noisy copies of a grey picture, class 0 for the rest, class 2 never."""
    side = (pixels - 0.5).flatten(1).sum(dim=1) / math.sqrt(pixels[0].numel())
    return torch.stack([-side - 0.2, side + 0.2, torch.full_like(side, -9.0)], dim=1)


def certain(pixels):
    return torch.tensor([[0.0, 1.0]]).repeat(len(pixels), 1)


def undecided(pixels):
    side = (pixels - 0.5).flatten(1).sum(dim=1)
    return torch.stack([side, -side], dim=1)


def certify(classifier=leaning, denoiser=None, image=GREY, **settings):
    return core.certify(image, classifier, denoiser, **({"sigma": 0.25, "n0": 20, "n": 400, "device": "cpu"} | settings))


@pytest.mark.parametrize("method", METHODS)
def test_certificate_follows_from_its_counts(method):
    c = certify(method=method)
    assert c.prediction == c.candidate == 1
    assert not c.abstained
    assert sum(c.counts) == c.n == c.n_planned == 400
    assert len(c.counts) == 3
    assert c.p_lower == lower_bound(c.counts[1], 400, 0.001, method, uniform=uniform_number(0))
    assert c.radius == l2_radius(c.p_lower, 0.25) > 0
    assert c.radius_ceiling == l2_radius(lower_bound(400, 400, 0.001, method, uniform=uniform_number(0)), 0.25) > c.radius
    assert c.radius_ceiling <= radius_ceiling(0.25, 400, 0.001, method)
    assert (c.method, c.alpha, c.failure_probability, c.sigma, c.seed, c.n0) == (method, 0.001, 0.001, 0.25, 0, 20)
    assert (c.norm, c.noise, c.stopped, c.device) == ("l2", "gaussian", False, "cpu")
    assert c.samples_per_second == pytest.approx(420 / c.seconds)


def test_counts_are_those_of_the_fresh_samples_alone():
    noisy = GREY + 0.25 * NoiseStream((3, 8, 8), 5, "estimate", torch.device("cpu"))(0, 400)
    assert certify(seed=5).counts == tuple(torch.bincount(leaning(noisy).argmax(1), minlength=3).tolist())


def test_the_first_samples_choose_the_class_and_only_that():
    # A class that wins the n0 samples and none of the n: nothing may be certified.
    calls = 0

    def turncoat(pixels):
        nonlocal calls
        calls += 1
        chosen = calls <= 3  # two batches are looked at before the n0 samples come
        return torch.tensor([[1.0, 0.0]] if chosen else [[0.0, 1.0]]).repeat(len(pixels), 1)

    c = certify(turncoat, batch_size=20)
    assert (c.candidate, c.prediction, c.abstained, c.radius, c.p_lower) == (0, None, True, 0.0, 0.0)
    assert c.counts == (0, 400)


def test_same_seed_same_certificate_whatever_the_batch():
    counts = {certify(seed=3, batch_size=size).counts for size in (1, 7, 64, 1_000)}
    assert len(counts) == 1
    assert certify(seed=4).counts not in counts


def test_votes_all_alike_reach_the_ceiling():
    c = certify(certain, n=1_000)
    assert c.radius == c.radius_ceiling == pytest.approx(0.25 * 2.463, abs=2e-4)


def test_abstains_where_no_class_has_a_majority():
    c = certify(undecided)
    assert c.abstained
    assert c.prediction is None
    assert c.label is None
    assert c.radius == 0
    assert c.candidate in (0, 1)
    assert c.p_lower <= 0.5
    assert c.to_dict()["prediction"] is None


def test_the_document_is_json_with_what_the_command_line_promises():
    class Labelled(nn.Module):
        labels = ("cat", "dog", "frog")
        ref, revision = "local/leaning", "abc"

        def forward(self, pixels):
            return leaning(pixels)

    c = certify(Labelled().eval())
    document = json.loads(json.dumps(c.to_dict()))
    assert document["prediction"] == {"index": 1, "label": "dog"}
    assert document["labels"] == ["cat", "dog", "frog"]
    assert document["classifier"] == {"ref": "local/leaning", "revision": "abc", "weights": None}
    assert document["denoiser"] == {"ref": "none", "revision": None, "weights": None}
    assert document["image"]["height"] == document["image"]["width"] == 8
    assert len(document["image"]["sha256"]) == 64
    assert document["counts"] == list(c.counts)
    for name in ("abstained", "radius", "p_lower", "n0", "n", "alpha", "sigma", "norm", "method", "seed", "device", "seconds"):
        assert document[name] == getattr(c, name)
    assert document["versions"]["torch"] == torch.__version__


def test_a_denoiser_stands_before_the_classifier():
    def to_black(noisy, sigma):
        assert sigma == 0.25
        return torch.zeros_like(noisy)

    c = certify(lambda x: torch.stack([x.mean(dim=(1, 2, 3)), torch.full((len(x),), 1e-6)], 1), to_black)
    assert c.counts == (0, 400)
    assert c.denoiser.ref == "python/to_black"


def test_any_module_works_unmodified():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 5)).eval()
    assert sum(certify(module).counts) == 400
    assert certify(module).classifier.ref == "python/Sequential"


def test_attributes_of_the_same_name_with_another_meaning_do_no_harm():
    class Recurrent(nn.Module):
        input_size = 192  # as torch.nn.LSTM has it

        def forward(self, pixels):
            return leaning(pixels)

    class ChannelsFirst(Recurrent):
        input_size = (3, 8, 8)  # as timm has it

    assert certify(Recurrent().eval()).prediction == 1
    assert certify(ChannelsFirst().eval(), image=Image.new("RGB", (20, 20), (127, 127, 127))).image.width == 8


def test_pictures_are_brought_to_the_classifiers_size_before_the_noise():
    class Sized(nn.Module):
        input_size = (8, 12)

        def forward(self, pixels):
            assert pixels.shape[1:] == (3, 8, 12)
            return leaning(pixels)

    c = certify(Sized().eval(), image=Image.new("RGB", (40, 40), "grey"))
    assert (c.image.height, c.image.width) == (8, 12)
    with pytest.raises(LabError, match=r"is 8 x 8, but the classifier takes 8 x 12"):
        certify(Sized().eval(), image=GREY)


@pytest.fixture
def every_batch_told(monkeypatch):
    """A clock that goes a second at every look, so that no progress is left out for coming too soon after the last."""
    monkeypatch.setattr(under_noise, "time", SimpleNamespace(perf_counter=map(float, itertools.count()).__next__))


def test_progress_is_told_in_order_and_with_valid_bounds(every_batch_told):
    told: list[Progress] = []
    c = certify(n=500, batch_size=10, on_progress=told.append)
    assert all(p.total == 520 for p in told)
    assert [p.done for p in told] == list(range(10, 521, 10))
    assert [p.candidate for p in told[:3]] == [None, None, 1]
    counted = [p for p in told if p.candidate is not None]
    assert counted[-1].done == 520
    assert counted[-1].counts == c.counts
    assert counted[-1].seconds_left == 0
    for p in counted:
        assert sum(p.counts) == p.done - 20
        assert p.p_lower == anytime_lower(p.counts[1], p.done - 20, 0.001)
        assert p.radius == l2_radius(p.p_lower, 0.25)


@pytest.mark.parametrize(("method", "failure"), [("clopper-pearson", 0.002), ("anytime", 0.001)])
def test_stopping_while_counting_leaves_an_anytime_certificate(every_batch_told, method, failure):
    told: list[Progress] = []
    c = certify(n=5_000, batch_size=50, method=method, on_progress=told.append, should_stop=lambda: told[-1].done >= 1_000)
    assert c.stopped
    assert 20 + c.n == 20 + sum(c.counts) == 1_000  # n0 samples chose the class
    assert (c.n_planned, c.method, c.failure_probability) == (5_000, "anytime", failure)
    assert c.p_lower == anytime_lower(c.counts[1], c.n, 0.001) < clopper_pearson_lower(c.counts[1], c.n, 0.001)
    assert c.radius == l2_radius(c.p_lower, 0.25) > 0
    assert c.radius_ceiling == radius_ceiling(0.25, c.n, 0.001, "anytime")
    assert c.prediction == 1


@pytest.mark.parametrize(("method", "failure"), [("clopper-pearson", 0.002), ("anytime", 0.001)])
def test_stopping_while_the_class_is_chosen_abstains(method, failure):
    c = certify(n0=200, method=method, batch_size=20, should_stop=lambda: True)
    assert c.stopped
    assert c.abstained
    assert c.radius == 0
    assert c.candidate is None
    assert (c.n, c.counts, c.radius_ceiling) == (0, (0, 0, 0), 0)
    assert c.failure_probability == failure
    assert c.method == "anytime"


def test_a_wish_to_stop_after_the_last_sample_stops_nothing():
    c = certify(n=64, batch_size=128, n0=64, should_stop=lambda: True)
    assert not c.stopped
    assert c.method == "clopper-pearson"
    assert c.failure_probability == 0.001


class Adversary:
    """Watches the certificate in sight and stops the moment its radius exceeds the true one, 0.2."""

    def __init__(self, alpha: float) -> None:
        self.alpha, self.radius = alpha, 0.0

    def watch(self, progress: Progress) -> None:
        if progress.candidate == 1:
            self.radius = l2_radius(anytime_lower(progress.counts[1], sum(progress.counts), self.alpha), 0.25)

    def is_content(self) -> bool:
        return self.radius > 0.2


@pytest.mark.parametrize("method", METHODS)
def test_stopping_at_the_best_moment_fails_no_more_often_than_stated(every_batch_told, method):
    runs, alpha, wrong = 200, 0.05, 0
    small = torch.full((3, 2, 2), 0.5)
    for seed in range(runs):
        adversary = Adversary(alpha)

        c = certify(
            image=small,
            seed=seed,
            alpha=alpha,
            n0=5,
            n=150,
            batch_size=8,
            method=method,
            on_progress=adversary.watch,
            should_stop=adversary.is_content,
        )
        wrong += c.radius > (0.2 if c.prediction == 1 else 0)
        assert c.failure_probability == (2 * alpha if c.stopped and method in FIXED_N else alpha)
    # 1e-4 quantile of the greatest number of failures that is allowed.
    allowed = 2 * alpha if method in FIXED_N else alpha
    assert wrong <= runs * allowed + 3.8 * math.sqrt(runs * allowed * (1 - allowed))


EIGHT_BIT = torch.full((3, 8, 8), 128 / 255)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("norm", [None, *NORMS])
def test_every_noise_and_norm_follows_from_its_counts(noise, norm):
    c = certify(noise=noise, norm=norm, seed=2)
    assert (c.noise, c.norm) == (noise, norm or OWN_NORM[noise])
    noisy = GREY + 0.25 * NoiseStream((3, 8, 8), 2, "estimate", torch.device("cpu"), noise)(0, 400)
    assert c.counts == tuple(torch.bincount(leaning(noisy).argmax(1), minlength=3).tolist())
    assert c.p_lower == clopper_pearson_lower(c.counts[1], 400, 0.001)
    assert c.radii == radii(noise, c.p_lower, None, 0.25, (3, 8, 8))
    assert c.radius == c.radii[c.norm] > 0
    best = clopper_pearson_lower(400, 400, 0.001)
    assert c.radius_ceiling == radii(noise, best, None, 0.25, (3, 8, 8))[c.norm]
    assert (c.two_sided, c.runner_up, c.p_upper, c.sound, c.until_radius, c.settled) == (False, None, None, False, None, None)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("noise", NOISES)
def test_two_sides(method, noise):
    def three_ways(pixels):
        side = (pixels - 0.5).flatten(1).sum(dim=1) / math.sqrt(pixels[0].numel())
        other = (pixels[:, 0] - pixels[:, 1]).flatten(1).sum(dim=1)
        return torch.stack([(side + 0.1).sign(), 0.1 * other.sign(), -0.1 * other.sign()], dim=1)

    c = certify(three_ways, two_sided=True, method=method, noise=noise)
    settings = Settings(0.25, alpha=0.001, method=method, noise=noise, two_sided=True)
    again = conclude(c.counts, 0, settings.terms((3, 8, 8)))
    assert c.lower_part == HALF, "three classes have votes"
    assert (c.p_lower, c.p_upper, c.runner_up, c.radius) == (again.p_lower, again.p_upper, again.runner_up, again.radius)
    assert c.runner_up in (1, 2)
    assert c.radius > certify(three_ways, method=method, noise=noise).radius


def test_sound_noise_is_drawn_on_the_grid():
    seen = []

    def watching(pixels):
        seen.append(pixels.clone())
        return leaning(pixels)

    c = certify(watching, image=EIGHT_BIT, sound=True, seed=3)
    assert c.sound
    assert (c.noise, c.norm) == ("gaussian", "l2")
    noise = GridNoiseStream((3, 8, 8), 0.25, 3, "estimate", torch.device("cpu"))(0, 400)
    expected = (128 + noise).double().div(255).float()
    assert torch.equal(torch.cat(seen[2:])[20:], expected)
    assert c.counts == tuple(torch.bincount(leaning(expected).argmax(1), minlength=3).tolist())
    assert c.radius == l2_radius(c.p_lower, 0.25) > 0
    assert {certify(image=EIGHT_BIT, sound=True, seed=3, batch_size=size).counts for size in (1, 7, 1_000)} == {c.counts}


def test_sound_mode_takes_pictures_of_eight_bits_only_and_offers_to_round():
    with pytest.raises(LabError, match=r"Sound mode needs 8-bit.*pass \(image \* 255\)\.round\(\) / 255.*that rounded picture"):
        certify(sound=True)  # half of 255 is no whole number
    rounded = (GREY * 255).round() / 255
    assert certify(image=rounded, sound=True).prediction == 1
    assert certify(image=Image.new("RGB", (8, 8), (127, 127, 127)), sound=True).prediction == 1
    with pytest.raises(LabError, match="Sound mode needs 8-bit"):
        core.predict(GREY, leaning, sigma=0.25, n=50, sound=True, device="cpu")


def test_stopping_a_two_sided_run_leaves_an_anytime_certificate(every_batch_told):
    told: list[Progress] = []
    c = certify(n=5_000, batch_size=50, two_sided=True, on_progress=told.append, should_stop=lambda: told[-1].done >= 1_000)
    assert (c.method, c.failure_probability) == ("anytime", 0.002)
    assert c.lower_part == NEARLY_ALL, "no vote is for the third class"
    assert c.p_lower == anytime_lower(c.counts[1], c.n, 0.00095)
    assert c.radius == told[-1].radius > 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"noise": "cauchy"}, "Unknown noise 'cauchy': choose one of gaussian, uniform, laplace"),
        ({"norm": "l0"}, "Gaussian noise certifies no radius in 'l0': choose one of l1, l2, linf"),
        ({"noise": "laplace", "sound": True}, "Sound mode draws Gaussian noise on the 8-bit grid, not laplace noise"),
        ({"n": 10, "two_sided": True}, "n is 10: with alpha 0.001 no vote of fewer than 11 samples can be certified"),
        ({"sigma": 0.0}, "sigma is 0"),
        ({"sigma": -0.25}, "sigma is -0.25: expected a number above 0"),
        ({"sigma": math.nan}, "sigma is nan"),
        ({"sigma": math.inf}, "sigma is inf"),
        ({"n": 9}, "n is 9: with alpha 0.001 no vote of fewer than 10 samples"),
        ({"n": 10, "method": "anytime"}, "n is 10: with alpha 0.001 no vote of fewer than 1[2-9] samples"),
        ({"n": 0}, "n is 0: expected a whole number of samples"),
        ({"n": -5}, "n is -5"),
        ({"n": 400.5}, "n is 400.5: expected a whole number"),
        ({"n": math.nan}, "n is nan"),
        ({"n": MAX_N + 1}, "n is 1000001: expected a whole number of samples, 1 to 1,000,000"),
        ({"n0": 0}, "n0 is 0"),
        ({"n0": MAX_N + 1}, "n0 is 1000001"),
        ({"alpha": 0.0}, "alpha is 0"),
        ({"alpha": -1e-3}, "alpha is -0.001"),
        ({"alpha": 0.5}, "alpha is 0.5: expected a number above 0 and below 0.5"),
        ({"alpha": math.nan}, "alpha is nan"),
        ({"seed": -1}, "seed is -1: expected a whole number of at least 0"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"method": "wald"}, "Unknown bound 'wald': choose one of"),
        ({"device": "tpu"}, "Unknown device 'tpu': choose auto, cuda, mps or cpu"),
        ({"device": "cuda:99"}, "There is no device 'cuda:99'"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_settings_out_of_range_are_told_in_one_sentence(settings, says):
    with pytest.raises(LabError, match=says) as raised:
        certify(**settings)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (torch.full((8, 8), 0.5), r"shape \(8, 8\): expected \(3, height, width\)"),
        (torch.full((1, 8, 8), 0.5), r"shape \(1, 8, 8\)"),
        (torch.full((1, 3, 8, 8), 0.5), r"shape \(1, 3, 8, 8\)"),
        (torch.full((4, 8, 8), 0.5), r"shape \(4, 8, 8\)"),
        (torch.zeros(3, 0, 8), r"shape \(3, 0, 8\)"),
        (torch.full((3, 8, 8), 128, dtype=torch.uint8), "holds torch.uint8: expected floating point in .*divide bytes by 255"),
        (torch.full((3, 8, 8), 128.0), r"ranges from 128 to 128: expected \[0, 1\]"),
        (torch.full((3, 8, 8), -0.01), "ranges from -0.01"),
        (torch.full((3, 8, 8), math.nan), "NaN or infinite"),
        (torch.full((3, 8, 8), math.inf), "NaN or infinite"),
        (np.zeros((8, 8, 3)), "is a ndarray: expected a path, a PIL picture or a"),
        (None, "is a NoneType"),
        ("no/such/file.png", "There is no file"),
    ],
)
def test_unusable_images_are_told(image, says):
    with pytest.raises(LabError, match=says):
        certify(image=image)


def test_labels_must_be_as_many_as_logits():
    class Mislabelled(nn.Module):
        labels = ("cat", "dog")

        def forward(self, pixels):
            return leaning(pixels)

    with pytest.raises(LabError, match="returned 3 logits but has 2 labels"):
        certify(Mislabelled().eval())


def test_networks_in_training_mode_are_refused():
    class Trainable(nn.Module):
        def forward(self, pixels, sigma=None):
            return leaning(pixels) if sigma is None else pixels

    with pytest.raises(LabError, match="The classifier, or a layer of it, is in training mode"):
        certify(Trainable())
    with pytest.raises(LabError, match="The denoiser, or a layer of it, is in training mode"):
        certify(leaning, Trainable())
    assert certify(Trainable().eval(), Trainable().eval()).prediction == 1


def test_a_model_that_returns_nan_is_told():
    with pytest.raises(LabError, match="20 of 20 noisy copies got logits that are NaN or infinite"):
        certify(lambda x: leaning(x) * math.nan)
