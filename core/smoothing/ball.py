"""What a radius means: pictures at exactly that l2 distance from a given one."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def spread_evenly(image: Tensor, radius: float) -> Tensor:
    """Every channel of every pixel by the same amount, towards the middle grey, so that nothing leaves [0, 1].

    Args:
        image: (3, H, W) in [0, 1].
        radius: l2 distance; up to half of sqrt(3 H W) no value can leave [0, 1].

    Returns:
        (3, H, W) at exactly ``radius``.
    """
    step = radius / math.sqrt(image.numel())
    return image + step * torch.where(image < 0.5, 1.0, -1.0)


def patch(image: Tensor, radius: float) -> Tensor:
    """A square in the middle, each value pushed towards its opposite end, only as large as the radius needs.

    Returns:
        (3, H, W) at exactly ``radius``; where even the whole picture cannot hold that much, spread evenly instead.
    """
    _, height, width = image.shape
    target = torch.where(image < 0.5, 1.0, 0.0)
    push = target - image  # the longest way each value can go without leaving [0, 1]
    for side in range(1, min(height, width) + 1):
        top, left = (height - side) // 2, (width - side) // 2
        mask = torch.zeros_like(image)
        mask[:, top : top + side, left : left + side] = 1
        norm = float((push * mask).norm())
        if norm >= radius:
            return image + push * mask * (radius / norm)
    return spread_evenly(image, radius)


def random_direction(image: Tensor, radius: float, seed: int = 0) -> Tensor:
    """A uniformly random direction of length ``radius``; values may leave [0, 1] a little.

    Returns:
        (3, H, W) at exactly ``radius``.
    """
    direction = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    return image + direction * (radius / float(direction.norm()))


def nearest_patch_side(image: Tensor, radius: float) -> int:
    """Side in pixels of the square that :func:`patch` changes."""
    changed = (patch(image, radius) - image).abs().amax(dim=0) > 0
    return int(changed.any(dim=1).sum())
