"""Random shifts, mirror images and cut-outs of a batch, on its own device."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(images: Tensor, generator: torch.Generator, *, shift: int = 2, mirror: bool = True, cutout: int = 0) -> Tensor:
    """Shift each picture by up to ``shift`` pixels (edges reflected), mirror half of them, grey out a square.

    Args:
        images: (B, 3, H, W) float.
        generator: where the randomness comes from, on the CPU.
        shift: greatest shift in pixels each way.
        mirror: whether left and right may swap.
        cutout: side of the grey square; 0 for none.
    """
    batch, _, height, width = images.shape
    if shift:
        padded = F.pad(images, (shift,) * 4, mode="reflect")
        top, left = (torch.randint(0, 2 * shift + 1, (2, batch, 1), generator=generator)).to(images.device)
        rows = (top + torch.arange(height, device=images.device)).view(batch, 1, height, 1)
        columns = (left + torch.arange(width, device=images.device)).view(batch, 1, 1, width)
        which = torch.arange(batch, device=images.device).view(batch, 1, 1, 1)
        channel = torch.arange(3, device=images.device).view(1, 3, 1, 1)
        images = padded[which, channel, rows, columns]
    if mirror:
        flip = (torch.rand(batch, generator=generator) < 0.5).to(images.device)
        images = torch.where(flip.view(-1, 1, 1, 1), images.flip(3), images)
    if cutout:
        y = torch.randint(0, height, (batch, 1, 1), generator=generator).to(images.device)
        x = torch.randint(0, width, (batch, 1, 1), generator=generator).to(images.device)
        inside_y = (torch.arange(height, device=images.device).view(1, -1, 1) - y).abs() * 2 <= cutout
        inside_x = (torch.arange(width, device=images.device).view(1, 1, -1) - x).abs() * 2 <= cutout
        images = torch.where((inside_y & inside_x).unsqueeze(1), 0.5, images)
    return images
