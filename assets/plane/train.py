"""Makes plane.safetensors again: `python assets/plane/train.py`, from the project's folder; a few seconds on one core.

A network of two inputs, two hidden layers of 64 units and two classes learns 300 points of two moons until it knows nearly all
of them by heart, the one in ten whose label is wrong included. That gives its border the islands and teeth of the figures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

SEED, POINTS, SPREAD, WRONG, HIDDEN, STEPS = 2, 300, 0.12, 0.1, 64, 3_000
TARGET = Path(__file__).with_name("plane.safetensors")


def two_moons(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """``count`` points of two interleaved half circles with Gaussian spread, in the unit square, and their classes 0 and 1."""
    angle, label = random.uniform(0, np.pi, count), random.integers(0, 2, count)
    across = np.where(label == 0, np.cos(angle), 1 - np.cos(angle)) + random.normal(0, SPREAD, count)
    up = np.where(label == 0, np.sin(angle), 0.5 - np.sin(angle)) + random.normal(0, SPREAD, count)
    return np.stack([(across + 1) / 3 * 0.8 + 0.1, (up + 0.5) / 1.5 * 0.6 + 0.2], 1), label


def train() -> dict[str, np.ndarray]:
    """Weights of the three layers, and the points with the label that each shows and the label that was learned."""
    random = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    points, shown = two_moons(POINTS, random)
    learned = np.where(random.random(POINTS) < WRONG, 1 - shown, shown)
    network = nn.Sequential(nn.Linear(2, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2))
    with torch.no_grad():
        # Steep folds that lie inside the square from the start; small ones outside it would leave the border smooth.
        network[0].weight *= 6
        network[0].bias.copy_(-(network[0].weight * torch.rand(HIDDEN, 2)).sum(1))
    inputs, targets = torch.tensor(points, dtype=torch.float32), torch.tensor(learned)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(STEPS):
        loss = nn.functional.cross_entropy(network(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    share = float((network(inputs).argmax(1) == targets).float().mean())
    print(f"loss {loss.item():.4f}, {share:.1%} of the learned labels, {np.mean(learned != shown):.1%} of which are wrong")
    layers = [network[i] for i in (0, 2, 4)]
    weights = {f"weight{i}": layer.weight.detach().numpy() for i, layer in enumerate(layers)}
    biases = {f"bias{i}": layer.bias.detach().numpy() for i, layer in enumerate(layers)}
    return (
        weights
        | biases
        | {"points": points.astype(np.float32), "shown": shown.astype(np.uint8), "learned": learned.astype(np.uint8)}
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET)
    target = parser.parse_args().out
    save_file(train(), target)
    target.chmod(0o644)
