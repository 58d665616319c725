"""Random changes of a batch: shifts, mirror images and cut-outs, and noise, all of which a resumed run draws again."""

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import LabError


def augment(images: Tensor, generator: torch.Generator, *, shift: int = 2, mirror: bool = True, cutout: int = 0) -> Tensor:
    """Shift (B, 3, H, W) pictures by up to ``shift`` pixels each way (edges reflected), mirror half, grey out a square each."""
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


def draw_sigmas(count: int, span: tuple[float, float], power: float, generator: torch.Generator) -> Tensor:
    """(count,) sigmas in (low, high]: ``low + (high - low) u^power``, u uniform; a power above 1 favours small ones. With the
    power 0 they are even in their logarithm: ``low (high / low)^u``.
    """
    low, high = span
    u = 1 - torch.rand(count, generator=generator)
    if power == 0:
        return low * (high / low) ** u
    return low + (high - low) * u**power


def scheduled_sigmas(strength: Tensor, low: float, high: float) -> Tensor:
    """A diffusion model's sigmas, (T,) in [0, 1] pixel units, that lie in [low, high]. Raises LabError where none does."""
    levels = strength[(strength >= low) & (strength <= high)]
    if not len(levels):
        raise LabError(
            f"The diffusion model has no timestep with sigma {low:g} to {high:g}: its own reach from"
            f" {float(strength[0]):.3g} to {float(strength[-1]):.3g}; give a range with some of them in it."
        )
    return levels


def draw_gaussian(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Standard Gaussian numbers, drawn where they are used: numbers made on the CPU would keep another device waiting."""
    if device.type == "cpu":
        return torch.randn(shape, generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.randn(shape, generator=torch.Generator(device).manual_seed(seed), device=device)
