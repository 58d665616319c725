"""Linear classifiers, whose nearest adversarial picture is known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Half:
    """A half-space: class 0 where w.x + b > 0.

    The distance from x to its border is |w.x + b| / ||w||_q, q the dual norm; w is small enough that [0, 1] is not felt.
    """

    weights: Tensor
    bias: float
    image: Tensor

    def classifier(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 2)."""
        height = (pixels * self.weights.to(pixels)).flatten(1).sum(dim=1) + self.bias
        return torch.stack([height, -height], dim=1)

    def distance(self, norm: str) -> float:
        """From the picture to the border."""
        height = float((self.image.double() * self.weights.double()).sum()) + self.bias
        w = self.weights.double().abs()
        return abs(height) / float({"l2": w.norm(), "linf": w.sum(), "l1": w.max()}[norm])


def half_space() -> Half:
    """A border 0.3 (l2) from a mid-grey picture of 8 x 8."""
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn((3, 8, 8), generator=generator)
    image = 0.4 + 0.2 * torch.rand((3, 8, 8), generator=generator)
    bias = 0.3 * float(weights.norm()) - float((image * weights).sum())
    return Half(weights, bias, image)


@pytest.fixture
def half() -> Half:
    """The border and the picture."""
    return half_space()


class Spy(nn.Module):
    """A denoiser that does nothing but remember what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []
        self.eval()

    def forward(self, noisy: Tensor, sigma: float) -> Tensor:
        """Noisy copies, unchanged."""
        self.seen.append(noisy.detach().clone())
        return noisy


@pytest.fixture
def spy() -> Spy:
    """A denoiser that counts draws."""
    return Spy()
