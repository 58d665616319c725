"""Climbing the gradient of base and smoothed classifiers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from core.attacks.balls import Ball, distance
from core.attacks.request import NORMS, AttackSettings, Climb
from core.attacks.search import Meter, climb, steepest
from core.attacks.targets import BaseTarget, Slope, SmoothedTarget
from core.errors import LabError
from core.models.network import ClassicalDenoiser
from core.models.networks import ConvClassifier, UNetDenoiser
from core.smoothing.sampling import BaseClassifier
from core.smoothing.settings import Settings

CPU = torch.device("cpu")


def base(half, classifier=None):
    return BaseTarget(half.image, BaseClassifier(classifier or half.classifier, None), sigma=0.25, device=CPU)


def smoothed(half, denoiser=None, *, classifier=None, draws=8, seed=0, meter=None, n_predict=100):
    return SmoothedTarget(
        half.image,
        0,
        BaseClassifier(classifier or half.classifier, denoiser),
        attack=AttackSettings(Settings(0.25, seed=seed), draws=draws, n_predict=n_predict),
        device=CPU,
        meter=meter,
    )


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_little_beyond_the_border_it_succeeds_and_a_little_before_it_does_not(half, norm):
    target = base(half)
    assert target.class_index == 0
    for factor, fooled in ((1.02, True), (0.999, False)):
        radius = factor * half.distance(norm)
        climbed = climb(Ball(half.image, norm, radius), target, Climb(steps=20))
        assert climbed.size <= radius
        assert climbed.size == distance(climbed.picture, half.image, norm)
        assert target.judge(climbed.picture).fooled == fooled


def test_the_smoothed_objective_is_equation_6_in_one_piece_or_many(half):
    whole = smoothed(half, draws=12)
    slope = whole.slope(half.image)
    in_pieces = smoothed(half, draws=12)
    in_pieces._at_once = 5
    pieces = in_pieces.slope(half.image)
    x = half.image.clone().requires_grad_()
    noisy = x + 0.25 * whole._noise(0, 12)
    loss = -half.classifier(noisy).softmax(dim=1)[:, 0].mean().log()
    loss.backward()
    for found in (slope, pieces):
        assert found.loss == pytest.approx(loss.item(), rel=1e-4, abs=1e-6)
        torch.testing.assert_close(found.gradient, x.grad, rtol=1e-3, atol=1e-6)
        assert int(found.votes.sum()) == 12


def test_noise_is_drawn_afresh_at_every_step_and_for_every_verdict(half, spy):
    target = smoothed(half, spy, draws=8)
    climbed = climb(Ball(half.image, "l2", 0.01), target, Climb(steps=5))
    assert sum(len(seen) for seen in spy.seen) == 5 * 8
    drawn = list(spy.seen)
    for _ in range(2):
        spy.seen.clear()
        target.judge(climbed.picture)
        drawn += spy.seen[2:]  # before come some of the same copies, to see whether the networks see their batch
    # With a change of 0.01 at most, the noise of each copy is told by its rounded first values.
    noise = torch.cat([seen - half.image for seen in drawn]).flatten(1)
    assert len(noise) == 5 * 8 + 2 * 100
    apart = torch.cdist(noise, noise) + torch.eye(len(noise)) * 99
    assert float(apart.min()) > 1.0  # the same draw twice would be at most 0.02 apart
    assert float(noise.std()) == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("norm", NORMS)
def test_the_ball_and_the_box_are_kept(norm):
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network, denoiser = ConvClassifier(3, (4,)).eval(), UNetDenoiser((4, 8)).eval()
    image = torch.rand((3, 16, 16), generator=generator).round()  # every value at a wall
    attack = AttackSettings(Settings(0.25, alpha=0.01), draws=4, n_predict=20)
    target = SmoothedTarget(image, 0, BaseClassifier(network, denoiser), attack=attack, device=CPU)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    radius = {"l2": 0.7, "linf": 0.05, "l1": 5.0}[norm]
    climbed = climb(Ball(image, norm, radius), target, Climb(steps=4, restarts=2))
    p = {"l2": 2, "linf": np.inf, "l1": 1}[norm]
    assert np.linalg.norm((climbed.picture.double() - image.double()).flatten().numpy(), p) <= radius
    assert climbed.size > 0.3 * radius
    assert float(climbed.picture.min()) >= 0
    assert float(climbed.picture.max()) <= 1
    # Nothing is left behind in the models.
    assert all(value.grad is None for model in (network, denoiser) for value in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("norm", NORMS)
def test_what_does_not_succeed_ends_at_the_border_even_if_its_gradients_are_noise(half, norm):
    class Noise:
        """Slopes that have nothing to do with each other, as from few draws where a class is nearly sure."""

        meter, generator = Meter(), torch.Generator().manual_seed(0)

        def slope(self, picture):
            gradient = torch.randn(picture.shape, generator=self.generator)
            return Slope(0.0, gradient, torch.tensor([8, 0]))

        def won(self, votes):
            return False

    radius = {"l2": 0.5, "linf": 0.01, "l1": 5.0}[norm]
    climbed = climb(Ball(half.image, norm, radius), Noise(), Climb(steps=20))
    assert 0.999 * radius <= climbed.size <= radius


def test_same_seed_same_attack(half):
    def attack(seed):
        target = smoothed(half, seed=seed)
        return climb(Ball(half.image, "l2", 0.2), target, Climb(steps=4, restarts=2), seed=seed)

    first, again, other = attack(0), attack(0), attack(1)
    assert torch.equal(first.picture, again.picture)
    assert first.losses == again.losses
    assert first.losses != other.losses


def test_the_objective_rises(half):
    losses = climb(Ball(half.image, "l2", 0.25), smoothed(half, draws=64), Climb(steps=10)).losses
    assert losses[-1] > losses[0] + 0.1


def test_a_stop_ends_it_at_once(half):
    asked = 0

    def should_stop():
        nonlocal asked
        asked += 1
        return asked > 3

    meter = Meter(should_stop=should_stop)
    climbed = climb(Ball(half.image, "l2", 0.1), smoothed(half, meter=meter), Climb(steps=1000))
    assert climbed.stopped
    assert len(climbed.losses) == 3
    assert meter.spent == 3 * 2 * 8


def test_a_flat_objective_is_left_in_a_random_direction():
    rng = np.random.default_rng(0)
    for norm in NORMS:
        direction = steepest(torch.zeros(3, 8, 8), norm, rng)
        assert np.linalg.norm(direction.flatten().numpy(), {"l2": 2, "linf": np.inf, "l1": 1}[norm]) == pytest.approx(1)


def no_grad_inside(pixels):
    with torch.no_grad():
        return torch.stack([pixels.mean(dim=(1, 2, 3)), torch.zeros(len(pixels))], dim=1)


def numpy_inside(pixels):
    return torch.from_numpy(np.stack([pixels.mean(dim=(1, 2, 3)).numpy(), np.zeros(len(pixels), np.float32)], axis=1))


def inference_inside(pixels):
    with torch.inference_mode():
        return torch.stack([pixels.mean(dim=(1, 2, 3)), torch.zeros(len(pixels))], dim=1)


@pytest.mark.parametrize("black_box", [no_grad_inside, numpy_inside, inference_inside])
def test_a_black_box_is_told_in_one_sentence(half, black_box):
    for target in (base(half, black_box), smoothed(half, classifier=black_box)):
        with pytest.raises(LabError, match=f"No gradient passes through the classifier 'python/{black_box.__name__}'"):
            target.slope(half.image)
        assert target.judge(half.image).prediction is not None  # without a gradient it can still be asked


def test_a_classical_denoiser_has_no_gradient_but_the_classifier_alone_has(half):
    denoiser = ClassicalDenoiser("median")
    with pytest.raises(LabError, match="No gradient passes through the denoiser 'classical/median'"):
        smoothed(half, denoiser).slope(half.image)
    with_weights = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).eval()  # its weights want gradients; the picture has none
    with pytest.raises(LabError, match="denoiser 'classical/median'"):
        smoothed(half, denoiser, classifier=with_weights).slope(half.image)
    assert base(half).slope(half.image).gradient.any()


def test_numbers_out_of_range(half):
    target = smoothed(half)
    for make, says in (
        (lambda: Climb(steps=0), "steps is 0"),
        (lambda: Climb(restarts=0), "restarts is 0"),
        (lambda: Climb(step_size=-1), "step_size is -1"),
        (lambda: smoothed(half, draws=0), "draws is 0"),
        (lambda: smoothed(half, n_predict=5), "n is 5"),
        (lambda: climb(Ball(half.image, "l7", 0.1), target, Climb()), "Unknown norm"),
        (lambda: climb(Ball(half.image, "l2", math.nan), target, Climb()), "radius is nan"),
    ):
        with pytest.raises(LabError, match=says):
            make()
    with pytest.raises(LabError, match="training mode"):
        smoothed(half, classifier=nn.Sequential(nn.Flatten(), nn.Linear(192, 2)))
