"""What a denoiser is trained to do (Salman et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError

Objective = Callable[[nn.Module, Tensor, Tensor, Tensor, torch.Generator], Tensor]
"""(denoiser, clean (B, 3, H, W), noisy (B, 3, H, W), sigma (B,), CPU generator) -> scalar loss."""

COMBINATIONS = ("random", "average")


def mse(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
    """Mean squared error between ``D(x + e)`` and ``x`` (eq. 3), weighted by 1 / (sigma^2 + 0.05^2).

    The weight keeps small sigmas, whose errors are small in themselves, from being ignored (Karras et al. 2022, table 1).

    Args:
        clean, noisy: (B, 3, H, W).
        sigma: (B,), the noise of each picture.
    """
    return _weighted_error(denoiser(noisy, sigma), clean, sigma)


def _weighted_error(denoised: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    error = (denoised.float() - clean).square().mean(dim=(1, 2, 3))
    return (error / (sigma.square() + 0.05**2)).mean()


def noise_prediction(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
    """Mean squared error of the predicted noise, the simple objective of DDPM (Ho et al. 2020, arXiv 2006.11239, eq. 14).

    Since ``x + e`` is given, predicting ``e / sigma`` and predicting ``x`` are one: the error of the first is that of the
    second over sigma.

    Args:
        clean, noisy: (B, 3, H, W).
        sigma: (B,), the noise of each picture; above 0.
    """
    error = (denoiser(noisy, sigma).float() - clean).square().mean(dim=(1, 2, 3))
    return (error / sigma.square()).mean()


def stability(
    classifiers: Sequence[nn.Module], combine: str = "random", helper: float = 0.0, closeness: float = 0.0
) -> Objective:
    """STAB (eq. 4): cross-entropy between ``f(D(x + e))`` and the pretrained classifier's own clean label ``argmax f(x)``.

    Gradients flow through the classifiers, which are frozen here and never changed. One classifier that is also the one to
    be defended is the white-box case; surrogates, which stand in for it, are the black-box case (section 3.3).

    Args:
        classifiers: one or several.
        combine: with several, ``random`` takes one a batch, drawn anew each time; ``average`` takes the mean over all, each
            with its own clean labels.
        helper: above 0, the denoiser is a :class:`core.training.deep_supervision.DeeplySupervised`, and its helper's
            cross-entropy with the same labels is added with this weight.
        closeness: above 0, :func:`mse` is added with this weight. The classifier alone asks for no picture, and a denoiser
            trained long enough for it returns patterns in which nobody would know the picture.

    Raises:
        LabError: where ``combine`` is unknown.
    """
    if combine not in COMBINATIONS:
        raise LabError(f"Unknown way to combine classifiers {combine!r}: choose {' or '.join(COMBINATIONS)}.")
    for classifier in classifiers:
        classifier.eval().requires_grad_(False)

    def objective(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
        taken = classifiers
        if combine == "random" and len(classifiers) > 1:
            taken = [classifiers[int(torch.randint(len(classifiers), (), generator=generator))]]
        denoised, helped = denoiser(noisy, sigma, ask=True) if helper else (denoiser(noisy, sigma), None)
        losses = []
        for classifier in taken:
            with torch.no_grad():
                target = classifier(clean).argmax(dim=1)
            losses.append(F.cross_entropy(classifier(denoised).float(), target))
            if helped is not None:
                losses[-1] = losses[-1] + helper * F.cross_entropy(helped.float(), target)
        loss = torch.stack(losses).mean() if len(losses) > 1 else losses[0]
        return loss + closeness * _weighted_error(denoised, clean, sigma) if closeness else loss

    return objective
