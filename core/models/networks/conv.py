"""The small convolutional classifier that the project trains and bundles."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvClassifier(nn.Module):
    """A small plain convolutional network: a 2x2 stem, then stages of convolution, pooling, convolution.

    Follows the fast CIFAR-10 networks of Page (2018, "How to train your ResNet") and Jordan (2024, arXiv 2404.00498).

    Args:
        num_classes: how many logits come out.
        widths: channels of each stage; each stage halves the side length.
        stem: channels of the first layer.
        mean, std: per-channel normalisation of the [0, 1] pixels.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        num_classes: int = 10,
        widths: tuple[int, ...] = (64, 128, 256),
        stem: int = 24,
        mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
        std: tuple[float, float, float] = (0.25, 0.25, 0.25),
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 2), nn.GELU())
        stages: list[nn.Module] = []
        channels = stem
        for width in widths:
            stages.append(_Stage(channels, width))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) pixels in [0, 1], noise may overshoot -> (B, num_classes) logits."""
        x = (x - self.mean) / self.std
        x = self.stages(self.stem(x))
        return self.head(x.amax(dim=(2, 3))) / 8  # starts with small logits, as Jordan (2024) scales them


class _Stage(nn.Module):
    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(F.max_pool2d(self.first(x), 2)))
        return x + F.relu(self.norm2(self.second(x)))
