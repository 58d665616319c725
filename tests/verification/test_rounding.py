"""How many votes another rounding moves, where the noise is the same: what the check with the same seed allows for."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from core.pictures.pixels import to_pixels
from core.smoothing.noise import NoiseStream
from core.verification.resampling import ROUNDING

COPIES = 1_024


def in_tf32(x: Tensor) -> Tensor:
    """Rounded to the ten binary digits of TF32, in which a GPU may multiply what is float32."""
    return ((x.contiguous().view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)


def rounding(network: nn.Module) -> nn.Module:
    """The same network, whose every product is of numbers rounded so."""
    other = copy.deepcopy(network)
    for part in other.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.weight.data = in_tf32(part.weight.data)
            part.register_forward_pre_hook(lambda part, inputs: tuple(in_tf32(x) for x in inputs))
    return other


def test_the_coarsest_rounding_of_float32_moves_far_fewer_votes_than_are_allowed_for(case) -> None:
    pixels, sigma = to_pixels(case.picture, (32, 32)), 0.45
    noise = NoiseStream(tuple(pixels.shape), 1, "estimate", torch.device("cpu"))
    pairs = [(case.classifier, case.denoiser), (rounding(case.classifier), rounding(case.denoiser))]
    moved = 0
    with torch.inference_mode():
        for start in range(0, COPIES, 64):
            noisy = pixels + sigma * noise(start, start + 64)
            votes = [classifier(denoiser(noisy, sigma)).argmax(dim=1) for classifier, denoiser in pairs]
            moved += int((votes[0] != votes[1]).sum())
    assert moved <= ROUNDING * COPIES / 2
