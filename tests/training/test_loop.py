"""The averaged weights by hand, and what a step does with a loss or gradients that are no numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.training.loop import Batch, Clock, Learner, WeightAverage, Workers
from core.training.recipe import Recipe


def test_it_follows_with_a_decay_that_rises_to_its_value():
    network = nn.Linear(1, 1, bias=False)
    weights = [1.0, 3.0, -2.0, 5.0, 4.0]
    with torch.no_grad():
        network.weight.fill_(weights[0])
    average = WeightAverage(network, 0.25)
    expected = weights[0]
    for step, weight in enumerate(weights[1:]):
        with torch.no_grad():
            network.weight.fill_(weight)
        average.follow(step)
        decay = [1 / 10, 2 / 11, 3 / 12, 0.25][step]
        expected = decay * expected + (1 - decay) * weight
        assert float(average.network.weight) == pytest.approx(expected, rel=1e-6)


def test_a_decay_of_nought_keeps_the_network_itself():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    average = WeightAverage(network, 0.0)
    network(torch.rand(2, 3, 8, 8))
    with torch.no_grad():
        network[0].weight.add_(1)
    average.follow(0)
    for kept, new in zip(average.network.state_dict().values(), network.state_dict().values(), strict=True):
        assert torch.equal(kept, new)
    assert int(average.network[1].num_batches_tracked) == 1


def test_it_is_a_copy_without_gradients_in_evaluation_mode():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    average = WeightAverage(network, 0.9)
    assert not average.network.training
    assert network.training
    assert not any(p.requires_grad for p in average.network.parameters())
    assert all(p.requires_grad for p in network.parameters())


def test_loading_weights_into_it_is_followed_from():
    network = nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, 0.5)
    average.network.load_state_dict({"weight": torch.tensor([[8.0]])})
    network.load_state_dict({"weight": torch.tensor([[2.0]])})
    average.follow(1000)
    assert float(average.network.weight) == pytest.approx(5.0)


class Root(torch.autograd.Function):
    """The square root, whose gradient at 0 is infinite."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sqrt()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient / (2 * x.sqrt())


@pytest.mark.parametrize("factor", [0.0, float("nan")])
def test_a_step_whose_loss_or_gradients_are_no_numbers_changes_nothing(factor):
    """Gradients were looked at where time was planned, and not where epochs were: looking at them is right."""
    network = nn.Linear(1, 1, bias=False)
    learner = Learner(network, Recipe(learning_rate=0.1), Workers(torch.device("cpu")))
    before = network.weight.detach().clone()

    def loss(net, images, labels, generator):
        return Root.apply((factor * net(images.flatten(1)[:, :1])).sum())

    batch = Batch(torch.ones(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(2).long(), loss, 0.1)
    value, finite = learner.step(network, batch)
    assert not finite
    assert value == 0 or value != value
    assert torch.equal(network.weight, before)
    assert torch.equal(learner.average.network.weight, before)
    assert learner.steps == 0


def test_a_clock_does_not_count_the_time_of_others(monkeypatch):
    now = [10.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    clock = Clock()
    now[0] += 2
    with clock.standing_still():
        now[0] += 5
    now[0] += 1
    assert clock.seconds() == 3
