"""Held-out pictures under noise that stays the same, so that what a denoiser makes of them can be compared over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHOWN = 6
"""Pictures of the strip."""
AT_ONCE = 64
"""Pictures of 32 x 32 pixels that are looked at at once; fewer of larger ones."""


@dataclass(frozen=True)
class Measured:
    """What a denoiser made of the validation pictures.

    Attributes:
        psnr: in dB, the mean over pictures, at each sigma.
        agreement: the share of denoised pictures of which the classifier says what it says of the clean ones, at each sigma.
        stability: the cross-entropy of STAB, the mean over all sigmas; lower is better.
        finite: whether every pixel is a number.
    """

    psnr: dict[float, float]
    agreement: dict[float, float]
    stability: float
    finite: bool

    def score(self, phase: str) -> float:
        """How good it is in a phase, ``mse`` or ``stab``: mean PSNR, or STAB's cross-entropy with its sign turned."""
        return sum(self.psnr.values()) / len(self.psnr) if phase == "mse" else -self.stability


class Validation:
    """Clean pictures and fixed noise.

    Args:
        images: (N, 3, H, W) uint8.
        classifier: whose answers on clean pictures are the yardstick.
        sigmas: where figures are taken.
        shown: the sigma of the strip.
        seed: of the noise.
        device: where it computes.
    """

    def __init__(
        self, images: Tensor, classifier: nn.Module, sigmas: list[float], shown: float, seed: int, device: torch.device
    ) -> None:
        self.clean = images.to(device).float() / 255
        self.noise = torch.randn(self.clean.shape, generator=torch.Generator().manual_seed(seed)).to(device)
        self.classifier, self.sigmas, self.shown = classifier, sigmas, shown
        self.noisy = self.clean[:SHOWN] + shown * self.noise[:SHOWN]
        self.at_once = max(1, min(len(images), AT_ONCE * 32**2 // (images.shape[2] * images.shape[3])))
        with torch.inference_mode():
            self.answers = torch.cat([classifier(part).argmax(1) for part in self.clean.split(self.at_once)])

    def measure(self, denoiser: nn.Module, go_on: Callable[[], bool] = lambda: True) -> Measured | None:
        """The figures of a denoiser in evaluation mode.

        Args:
            go_on: asked after every few pictures; None is returned where it says no.
        """
        psnr, agreement, losses, finite = {}, {}, [], True
        for sigma in self.sigmas:
            errors, answers = [], []
            for clean, noise in zip(self.clean.split(self.at_once), self.noise.split(self.at_once), strict=True):
                with torch.inference_mode():
                    denoised = denoiser(clean + sigma * noise, sigma)
                    finite = finite and bool(torch.isfinite(denoised).all())
                    errors.append((denoised.clamp(0, 1) - clean).square().mean(dim=(1, 2, 3)).clamp_min(1e-10))
                    answers.append(self.classifier(denoised).float())
                if not go_on():
                    return None
            logits = torch.cat(answers)
            psnr[sigma] = float((-10 * torch.cat(errors).log10()).mean())
            agreement[sigma] = float((logits.argmax(1) == self.answers).float().mean())
            losses.append(float(F.cross_entropy(logits, self.answers)))
        return Measured(psnr, agreement, sum(losses) / len(losses), finite)

    @torch.inference_mode()
    def strip(self, denoiser: nn.Module) -> Tensor:
        """(:data:`SHOWN`, 3, H, W) uint8: the first pictures, denoised."""
        return to_bytes(denoiser(self.noisy, self.shown))


def to_bytes(pixels: Tensor) -> Tensor:
    """Pixels in [0, 1] as uint8 on the CPU; what lies outside is clipped."""
    return pixels.float().nan_to_num().clamp(0, 1).mul(255).round().to(torch.uint8).cpu()
