"""PSNR and SSIM."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from core.errors import LabError
from core.pictures.pixels import to_picture
from core.pictures.quality import psnr, ssim


def pair(side: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand((3, side, side), generator=generator), torch.rand((3, side, side), generator=generator)


def test_psnr_against_scikit_image_for_one_picture_and_for_many():
    first, second = (picture.double() for picture in pair())
    expected = peak_signal_noise_ratio(first.numpy(), second.numpy(), data_range=1.0)
    assert float(psnr(second, first)) == pytest.approx(expected)
    assert psnr(torch.stack([second, first]), first).tolist() == pytest.approx([expected, math.inf])


@pytest.mark.parametrize(("sigma", "clipped", "unclipped"), [(0.25, 13.4, 12.0), (1.0, 6.8, 0.0)])
def test_what_is_measured_is_what_is_shown(sigma, clipped, unclipped):
    """Both figures were in use once, on the command line and on the page; the one of the pixels that a file keeps is right."""
    clean = torch.rand((3, 128, 128), generator=torch.Generator().manual_seed(2))
    noisy = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
    assert -10 * math.log10(float((noisy - clean).square().mean())) == pytest.approx(unclipped, abs=0.1)
    saved = torch.from_numpy(np.array(to_picture(noisy))).permute(2, 0, 1) / 255
    assert float(psnr(noisy, clean)) == pytest.approx(clipped, abs=0.1)
    assert float(psnr(noisy, clean)) == pytest.approx(float(psnr(saved, clean)), abs=0.01)
    assert ssim(noisy, clean) == pytest.approx(ssim(saved, clean), abs=1e-3)


def test_psnr_of_noise_is_that_of_its_sigma():
    clean = torch.full((3, 256, 256), 0.5)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    assert float(psnr(clean + 0.1 * noise, clean)) == pytest.approx(20, abs=0.05)


def test_the_same_picture():
    first, _ = pair()
    assert float(psnr(first, first)) == math.inf
    assert ssim(first, first) == pytest.approx(1)


def test_ssim_of_one_window_by_its_formula():
    first, second = (picture.double().numpy() for picture in pair(7))
    c1, c2 = 0.01**2, 0.03**2
    x, y = first.reshape(3, -1), second.reshape(3, -1)
    covariance = ((x - x.mean(1, keepdims=True)) * (y - y.mean(1, keepdims=True))).sum(1) / 48
    numerator = (2 * x.mean(1) * y.mean(1) + c1) * (2 * covariance + c2)
    denominator = (x.mean(1) ** 2 + y.mean(1) ** 2 + c1) * (x.var(1, ddof=1) + y.var(1, ddof=1) + c2)
    assert ssim(*(picture.double() for picture in pair(7))) == pytest.approx(float(np.mean(numerator / denominator)), rel=1e-6)


def test_too_small_for_a_window():
    with pytest.raises(LabError, match="at least 7 pixels"):
        ssim(*pair(6))
