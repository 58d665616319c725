"""Fresh noise for every batch: sigmas and Gaussian draws that a resumed run draws again."""

from __future__ import annotations

import torch
from torch import Tensor

from core.errors import LabError


def draw_sigmas(count: int, low: float, high: float, power: float, generator: torch.Generator) -> Tensor:
    """(count,) sigmas in (low, high]: ``low + (high - low) u^power``, u uniform; a power above 1 favours small ones."""
    u = 1 - torch.rand(count, generator=generator)
    return low + (high - low) * u**power


def scheduled_sigmas(strength: Tensor, low: float, high: float) -> Tensor:
    """Those of a diffusion model's sigmas, (T,) in [0, 1] pixel units, that lie in [low, high].

    Raises:
        LabError: where none does.
    """
    levels = strength[(strength >= low) & (strength <= high)]
    if not len(levels):
        raise LabError(
            f"The diffusion model has no timestep with sigma {low:g} to {high:g}: its own reach from"
            f" {float(strength[0]):.3g} to {float(strength[-1]):.3g}; give a range with some of them in it."
        )
    return levels


def draw_gaussian(shape: torch.Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """Standard Gaussian numbers, drawn where they are used.

    On another device than the CPU a seed drawn from ``generator`` starts that device's own one: numbers made on the CPU
    would keep it waiting.
    """
    if device.type == "cpu":
        return torch.randn(shape, generator=generator)
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.randn(shape, generator=torch.Generator(device).manual_seed(seed), device=device)
