"""What a denoiser is trained to do (Salman et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Objective = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]


def mse(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
    """Mean squared error between ``D(x + e)`` and ``x`` (eq. 3), weighted by 1 / (sigma^2 + 0.05^2).

    The weight keeps small sigmas, whose errors are small in themselves, from being ignored (Karras et al. 2022, table 1).

    Args:
        clean, noisy: (B, 3, H, W).
        sigma: (B,), the noise of each picture.
    """
    error = (denoiser(noisy, sigma).float() - clean).square().mean(dim=(1, 2, 3))
    return (error / (sigma.square() + 0.05**2)).mean()


def stability(classifier: nn.Module) -> Objective:
    """STAB (eq. 4): cross-entropy between ``f(D(x + e))`` and the pretrained classifier's own clean label ``argmax f(x)``.

    Gradients flow through ``classifier``, which is frozen here and never changed (white-box).
    """
    classifier.eval().requires_grad_(False)

    def objective(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
        with torch.no_grad():
            target = classifier(clean).argmax(dim=1)
        return F.cross_entropy(classifier(denoiser(noisy, sigma)).float(), target)

    return objective


def draw_sigmas(count: int, low: float, high: float, power: float, generator: torch.Generator) -> Tensor:
    """(count,) sigmas in (low, high]: ``low + (high - low) u^power``, u uniform; a power above 1 favours small ones."""
    u = 1 - torch.rand(count, generator=generator)
    return low + (high - low) * u**power
