"""How close one picture is to another: PSNR and SSIM."""

from __future__ import annotations

import math

from torch import Tensor

from core.errors import LabError


def psnr(picture: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of (3, H, W) pixels, the peak being 1; infinite where both are the same.

    >>> import torch
    >>> round(psnr(torch.full((3, 8, 8), 0.6), torch.full((3, 8, 8), 0.5)), 3)
    20.0
    """
    error = float((picture.double() - reference.double()).square().mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(picture: Tensor, reference: Tensor) -> float:
    """Structural similarity of (3, H, W) pixels in [0, 1], at most 1, over the 7x7 windows of scikit-image.

    Wang, Bovik, Sheikh, Simoncelli (2004), "Image quality assessment: from error visibility to structural similarity".

    Raises:
        LabError: where a side is shorter than a window, or scikit-image is not installed.
    """
    try:
        from skimage.metrics import structural_similarity
    except ModuleNotFoundError as error:
        raise LabError("SSIM needs scikit-image: pip install scikit-image.") from error
    if min(picture.shape[1:]) < 7:
        raise LabError(f"SSIM needs at least 7 pixels a side: the picture has {picture.shape[2]} x {picture.shape[1]}.")
    arrays = [pixels.double().cpu().numpy() for pixels in (picture, reference)]
    return float(structural_similarity(*arrays, channel_axis=0, data_range=1.0))
