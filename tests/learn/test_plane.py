"""The small network of the plane."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from core.learn.plane import CELLS, centres, decisions, inside, plane_network


def test_numpy_and_torch_give_the_same_network() -> None:
    network = plane_network()
    layers: list[nn.Module] = []
    for weight, bias in network.layers:
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
        layers += [layer, nn.ReLU()]
    oracle = nn.Sequential(*layers[:-1])
    points = np.random.default_rng(0).uniform(-1.5, 2.5, (500, 2))
    with torch.no_grad():
        logits = oracle(torch.tensor(points, dtype=torch.float32)).double().numpy()
    np.testing.assert_allclose(network.margin(points), logits[:, 1] - logits[:, 0], atol=1e-3)


def test_it_learned_nearly_all_points_the_mislabelled_too() -> None:
    network = plane_network()
    wrong = network.shown != network.learned
    right = network.classify(network.points) == network.learned
    assert 0.05 < wrong.mean() < 0.15
    assert right.mean() > 0.9
    assert right[wrong].mean() > 0.5, "the islands of the figures come from these"
    assert ((network.points > -0.1) & (network.points < 1.1)).all()


def test_the_grid_holds_the_class_of_each_cell() -> None:
    axis = centres()
    assert axis[inside()][0] == 0.5 / CELLS
    assert len(axis[inside()]) == CELLS
    random = np.random.default_rng(1)
    rows, columns = random.integers(0, len(axis), (2, 200))
    said = plane_network().classify(np.stack([axis[columns], axis[rows]], 1))
    # A margin within rounding of 0 may fall to either side.
    assert (decisions()[rows, columns] == said).mean() > 0.99
