"""Denoisers from SciPy and scikit-image: they take noise away, whatever the batch."""

from __future__ import annotations

import pytest
import torch

from core.errors import LabError
from core.models.network import CLASSICAL, ClassicalDenoiser


@pytest.fixture(params=sorted(CLASSICAL))
def denoiser(request) -> ClassicalDenoiser:
    if request.param != "median":
        pytest.importorskip("skimage", reason="needs scikit-image")
    if request.param == "wavelet":
        pytest.importorskip("pywt", reason="needs PyWavelets")
    return ClassicalDenoiser(request.param)


def ramp() -> torch.Tensor:
    """Two smooth pictures with an edge in each, (2, 3, 32, 24)."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 32), torch.linspace(0, 1, 24), indexing="ij")
    first = torch.stack([0.2 + 0.4 * y, 0.3 + 0.3 * x, torch.where(x > 0.5, 0.7, 0.3)])
    return torch.stack([first, first.flip(2)])


@pytest.mark.parametrize("sigma", [0.1, 0.25, 0.5])
def test_noise_is_taken_away(denoiser, sigma):
    noisy = ramp() + sigma * torch.randn(2, 3, 32, 24, generator=torch.Generator().manual_seed(0))
    denoised = denoiser(noisy, sigma)
    assert denoised.shape == noisy.shape
    assert denoised.dtype == torch.float32
    assert denoised.isfinite().all()
    assert (denoised - ramp()).square().mean() < 0.5 * (noisy - ramp()).square().mean()


def test_each_picture_is_treated_alone_and_channels_stay_in_place(denoiser):
    noisy = ramp() + 0.1 * torch.randn(2, 3, 32, 24, generator=torch.Generator().manual_seed(0))
    both = denoiser(noisy, 0.1)
    assert torch.equal(both[1:], denoiser(noisy[1:], torch.tensor(0.1)))
    assert both.mean(dim=(0, 2, 3)) == pytest.approx(ramp().mean(dim=(0, 2, 3)), abs=0.03)


def test_it_names_itself(denoiser):
    assert denoiser.ref.startswith("classical/")
    assert denoiser.revision is None
    assert denoiser.sigma_range is None


def test_an_unknown_name_is_told():
    with pytest.raises(LabError, match="There is no classical denoiser 'bm3d'"):
        ClassicalDenoiser("bm3d")
