"""The smallest successful attack, on classifiers whose exact answer is known."""

from __future__ import annotations

import pytest
import torch

import core
from core.attacks.balls import distance
from core.attacks.request import AttackSettings, Climb, Span
from core.attacks.search import Meter, first_radius, smallest_attack
from core.attacks.targets import BaseTarget, SmoothedTarget
from core.errors import LabError
from core.smoothing.sampling import BaseClassifier
from core.smoothing.settings import Settings

CPU = torch.device("cpu")


def asked(norm="l2", *, seed=0, tolerance=0.05, **climb):
    return AttackSettings(Settings(0.25, seed=seed), norm=norm, climb=Climb(**climb), tolerance=tolerance)


def base(half, meter=None):
    return BaseTarget(half.image, BaseClassifier(half.classifier, None), sigma=0.25, device=CPU, meter=meter)


def smoothed(half, *, n_predict=2_000, meter=None, seed=0):
    return SmoothedTarget(
        half.image,
        0,
        BaseClassifier(half.classifier, None),
        attack=AttackSettings(Settings(0.25, seed=seed), draws=32, n_predict=n_predict),
        device=CPU,
        meter=meter,
    )


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("first", [0.1, 3.0])
def test_the_base_classifier_falls_just_beyond_the_border_and_never_before_it(half, norm, first):
    exact = half.distance(norm)
    search = smallest_attack(half.image, base(half), asked(norm, tolerance=0.01), Span(first * exact))
    assert exact * (1 - 1e-5) <= search.radius <= 1.02 * exact
    assert search.settled
    assert search.held < search.radius <= search.held / (1 - 0.0101)
    picture = torch.from_numpy(search.pixels)
    assert search.radius == distance(picture, half.image, norm)
    assert int(half.classifier(picture[None]).argmax()) == 1
    assert search.passes > 0


def test_sparse_steps_come_near_the_border_in_l1(half):
    # The exact answer is greedy: the steepest values first, each to its wall, until the border is reached.
    w, x = half.weights.flatten().double(), half.image.flatten().double()
    left, exact = float((w * x).sum()) + half.bias, 0.0
    for place in w.abs().argsort(descending=True).tolist():
        room = float(x[place] if w[place] > 0 else 1 - x[place])
        used = min(room, left / float(w[place].abs()))
        exact, left = exact + used, left - used * float(w[place].abs())
        if left <= 0:
            break
    search = smallest_attack(half.image, base(half), asked("l1", steps=40, tolerance=0.02), Span(exact))
    assert exact <= search.radius < 1.1 * exact


def test_the_smoothed_classifier_has_the_same_border_and_the_certificate_ends_before_it(half):
    # Noise on a half-space leaves its border where it is: P(class 0) = Phi(distance / sigma).
    exact = half.distance("l2")
    certificate = core.certify(half.image, half.classifier, sigma=0.25, n0=50, n=4_000, device="cpu")
    search = smallest_attack(half.image, smoothed(half), asked(tolerance=0.02), Span(2 * certificate.radius))
    assert certificate.prediction == 0
    assert certificate.radius < exact
    # A little farther than the border: there PREDICT cannot tell the classes apart, and abstains.
    assert exact < search.radius < 1.25 * exact
    assert all(trial.verdict.n == 2_000 for trial in search.trials)
    assert "abstains" in {trial.verdict.outcome for trial in search.trials} or search.radius < 1.1 * exact


def test_same_seed_same_search(half):
    def search(seed):
        return smallest_attack(half.image, smoothed(half, n_predict=200, seed=seed), asked(seed=seed, steps=5), Span(0.6))

    assert search(3) == search(3)
    assert search(3).trials != search(4).trials


def test_a_classifier_that_nothing_fools(half):
    def constant(pixels):
        return torch.stack([1 + 0 * pixels.sum(dim=(1, 2, 3)), torch.zeros(len(pixels))], dim=1)

    target = BaseTarget(half.image, BaseClassifier(constant, None), sigma=0.25, device=CPU)
    search = smallest_attack(half.image, target, asked(steps=3), Span(0.5, 4.0))
    assert search.radius is None
    assert search.pixels is None
    assert search.settled
    assert search.held == search.most == 4.0
    assert [trial.radius for trial in search.trials] == [0.5, 1.0, 2.0, 4.0]


def test_a_stop_and_a_budget_end_it(half):
    stopped = smallest_attack(half.image, base(half, Meter(should_stop=lambda: True)), asked(), Span(0.1))
    assert (stopped.trials, stopped.settled, stopped.radius) == ((), False, None)
    meter = Meter(limit=2_000)
    cut = smallest_attack(half.image, smoothed(half, n_predict=200, meter=meter), asked(tolerance=0.001), Span(2.0))
    assert not cut.settled
    assert 0 < cut.passes == meter.spent <= 2_000
    assert cut.radius is not None

    def stop_in_the_verdict(passes):
        calls.append(passes)

    calls: list[int] = []
    meter = Meter(stop_in_the_verdict, lambda: len(calls) >= 30)
    cut = smallest_attack(half.image, smoothed(half, n_predict=100_000, meter=meter), asked(), Span(0.1))
    assert cut.trials == ()  # a PREDICT that was stopped says nothing
    assert len(calls) <= 32


def test_each_trial_is_told_before_it_begins(half):
    told = []
    search = smallest_attack(
        half.image, base(half), asked(), Span(0.5), on_trial=lambda radius, trials: told.append((radius, len(trials)))
    )
    assert told == [(trial.radius, number) for number, trial in enumerate(search.trials)]


def test_where_to_begin():
    assert first_radius("l2", 0.25, 0.1, 3072) == 1.0
    assert first_radius("l2", 0.25, 0.9, 3072) == 1.8
    assert 255 * first_radius("linf", 0.25, 0.0, 3072) == pytest.approx(4.6, abs=0.01)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Span(0.0), "radius is 0"),
        (lambda: Span(1.0, -1.0), "radius is -1"),
        (lambda: Span(1.0, None, -0.1), "begins at radius -0.1"),
        (lambda: asked(tolerance=0.0).check(), "tolerance of the search is 0"),
    ],
)
def test_numbers_out_of_range(make, says):
    with pytest.raises(LabError, match=says):
        make()
