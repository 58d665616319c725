"""How close pictures are to their originals: PSNR and SSIM, of the pixels as they are shown.

Noisy and denoised pixels lie outside [0, 1], too, which no screen shows and no file keeps. They are clipped to it here, before
anything is measured: at a sigma of 0.25 that makes a PSNR of 13 dB of one of 12, at 1 one of 7 dB of one of 0. Both figures are
computed in the number format of the pixels that they are given.
"""

from __future__ import annotations

from torch import Tensor

from core.errors import LabError

WINDOW = 7
"""Side of the windows of SSIM, in pixels."""


def psnr(pictures: Tensor, originals: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, the peak being 1; infinite where both are the same once clipped.

    >>> import torch
    >>> [round(psnr(torch.full((3, 8, 8), value), torch.ones(3, 8, 8)).item(), 3) for value in (0.9, 1.9)]
    [20.0, inf]

    Args:
        pictures: (..., 3, H, W), clipped to [0, 1] here.
        originals: (..., 3, H, W) in [0, 1].

    Returns:
        (...) float64, on the CPU.
    """
    error = (pictures.clamp(0, 1) - originals).square().flatten(-3).mean(-1)
    return -10 * error.cpu().double().log10()


def ssim(picture: Tensor, original: Tensor) -> float:
    """Structural similarity, at most 1, the mean over the windows of :data:`WINDOW` pixels and the channels.

    Wang, Bovik, Sheikh, Simoncelli (2004), "Image quality assessment: from error visibility to structural similarity".

    Args:
        picture: (3, H, W), clipped to [0, 1] here.
        original: (3, H, W) in [0, 1].

    Raises:
        LabError: where a side is shorter than a window, or scikit-image is not installed.
    """
    try:
        from skimage.metrics import structural_similarity
    except ModuleNotFoundError as error:
        raise LabError("SSIM needs scikit-image: pip install scikit-image.") from error
    if min(picture.shape[1:]) < WINDOW:
        raise LabError(f"SSIM needs at least {WINDOW} pixels a side: the picture has {picture.shape[2]} x {picture.shape[1]}.")
    # Channels last, as pictures lie in files: the windows of one channel after the other would cost more.
    shown, true = (pixels.permute(1, 2, 0).cpu().numpy() for pixels in (picture.clamp(0, 1), original))
    return float(structural_similarity(shown, true, win_size=WINDOW, channel_axis=-1, data_range=1.0))
