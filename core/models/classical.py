"""Denoisers without training, from scikit-image: `classical/median`, `wavelet`, `tv`, `nlm`."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import LabError

Pixels = NDArray[np.float32]


def _median(noisy: Pixels, sigma: float) -> Pixels:
    from scipy.ndimage import median_filter

    side = 3 if sigma <= 0.25 else 5
    return median_filter(noisy, size=(side, side, 1))


def _wavelet(noisy: Pixels, sigma: float) -> Pixels:
    from skimage.restoration import denoise_wavelet

    return denoise_wavelet(noisy, sigma=sigma, channel_axis=-1, convert2ycbcr=False, rescale_sigma=True)


def _tv(noisy: Pixels, sigma: float) -> Pixels:
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(noisy, weight=sigma, channel_axis=-1)


def _nlm(noisy: Pixels, sigma: float) -> Pixels:
    from skimage.restoration import denoise_nl_means

    return denoise_nl_means(noisy, patch_size=5, patch_distance=6, h=0.8 * sigma, sigma=sigma, fast_mode=True, channel_axis=-1)


CLASSICAL: dict[str, tuple[str, Callable[[Pixels, float], Pixels]]] = {
    "median": ("Median filter", _median),
    "wavelet": ("Wavelet shrinkage", _wavelet),
    "tv": ("Total variation", _tv),
    "nlm": ("Non-local means", _nlm),
}


class ClassicalDenoiser:
    """A denoiser from scikit-image, one picture at a time on the CPU: a yardstick, not made for speed.

    Raises:
        LabError: where the name is unknown.
    """

    sigma_range = None

    def __init__(self, name: str) -> None:
        if name not in CLASSICAL:
            raise LabError(f"There is no classical denoiser {name!r}: choose one of {', '.join(CLASSICAL)}.")
        self.ref, self.revision = f"classical/{name}", None
        self.title, self._denoise = CLASSICAL[name]

    def __call__(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) and one sigma -> (B, 3, H, W) on the same device."""
        level = float(torch.as_tensor(sigma).flatten()[0])
        pictures = noisy.detach().float().cpu().permute(0, 2, 3, 1).numpy()  # (B, H, W, 3)
        out = np.stack([self._denoise(picture, level) for picture in pictures]).astype(np.float32)
        return torch.from_numpy(out).permute(0, 3, 1, 2).contiguous().to(noisy.device)
