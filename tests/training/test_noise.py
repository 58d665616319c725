"""Noise that a resumed run draws again."""

from __future__ import annotations

import pytest
import torch

from core.errors import LabError
from core.training.noise import draw_gaussian, draw_sigmas, scheduled_sigmas

CPU = torch.device("cpu")


def test_one_generator_one_noise():
    shape = torch.Size((2000, 3, 4, 4))
    first, again, other = (draw_gaussian(shape, torch.Generator().manual_seed(seed), CPU) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert float(first.mean()) == pytest.approx(0, abs=0.015)
    assert float(first.std()) == pytest.approx(1, abs=0.01)


def test_a_range_of_sigmas_has_the_stated_distribution():
    # P(sigma <= s) = ((s - low) / (high - low))^(1 / power)
    sigmas = draw_sigmas(40_000, 0.2, 1.0, 1.5, torch.Generator().manual_seed(1)).double()
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        s = 0.2 + 0.8 * share
        assert float((sigmas <= s).double().mean()) == pytest.approx(share ** (1 / 1.5), abs=0.01)


def test_sigmas_of_a_schedule():
    strength = torch.tensor([0.01, 0.1, 0.5, 2.0, 70.0])
    assert torch.equal(scheduled_sigmas(strength, 0.0, 1.0), strength[:3])
    assert torch.equal(scheduled_sigmas(strength, 0.0, float("inf")), strength)
    with pytest.raises(LabError, match=r"no timestep with sigma 0\.2 to 0\.3: its own reach from 0\.01 to 70"):
        scheduled_sigmas(strength, 0.2, 0.3)
