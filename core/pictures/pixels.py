"""Pictures as tensors: (3, H, W) float32 pixels in [0, 1], and back; and how close one is to another."""

import hashlib
import os

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.errors import LabError
from core.pictures.reading import ImageRecord, fit_to, read_picture, rgb_of

ImageSource = str | os.PathLike[str] | Image.Image | Tensor
"""What :func:`core.certify` takes: a path, a PIL picture, or a (3, H, W) tensor in [0, 1]."""


def to_pixels(source: ImageSource, size: tuple[int, int] | None = None) -> Tensor:
    """Turn any accepted picture into (3, H, W) float32 pixels in [0, 1], on the CPU, brought to ``size`` (height, width).

    A tensor is taken as it is. Raises LabError where the picture cannot be read, or a tensor's type, shape or range is wrong.
    """
    if isinstance(source, Tensor):
        return _checked(source, size)
    if isinstance(source, Image.Image):
        image = rgb_of(source)
    elif isinstance(source, str | os.PathLike):
        image = read_picture(source).image
    else:
        raise LabError(f"The image is a {type(source).__name__}: expected a path, a PIL picture or a (3, H, W) tensor.")
    if size is not None:
        image = fit_to(image, size)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(255).contiguous()


def _checked(pixels: Tensor, size: tuple[int, int] | None) -> Tensor:
    if pixels.ndim != 3 or pixels.shape[0] != 3 or not pixels.numel():
        raise LabError(f"The image tensor has shape {tuple(pixels.shape)}: expected (3, height, width).")
    if not pixels.is_floating_point():
        raise LabError(f"The image tensor holds {pixels.dtype}: expected floating point in [0, 1]; divide bytes by 255.")
    pixels = pixels.detach()
    if not bool(pixels.isfinite().all()):
        raise LabError("The image tensor holds NaN or infinite values: expected numbers in [0, 1].")
    low, high = float(pixels.min()), float(pixels.max())
    if low < 0 or high > 1:
        raise LabError(f"The image tensor ranges from {low:g} to {high:g}: expected [0, 1], before any normalisation.")
    if size is not None and tuple(pixels.shape[1:]) != size:
        raise LabError(
            f"The image tensor is {pixels.shape[1]} x {pixels.shape[2]}, but the classifier takes {size[0]} x {size[1]}:"
            " resize it, or pass a path or PIL picture, which is resized once, before the noise."
        )
    return pixels.float().cpu().contiguous()


def to_picture(pixels: Tensor) -> Image.Image:
    """(3, H, W) pixels -> an 8-bit RGB picture; values outside [0, 1] are clipped, for showing only."""
    bytes_ = pixels.detach().float().cpu().clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(bytes_.permute(1, 2, 0).numpy())


def image_record(pixels: Tensor) -> ImageRecord:
    """Name (3, H, W) pixels in [0, 1] by the sha256 of their 8-bit RGB bytes, row by row; float ones by their float bytes."""
    scaled = pixels.mul(255)
    whole = scaled.round()
    # Division by 255 is not exact: a picture of bytes comes back within a few units of the last place.
    data = whole.to(torch.uint8) if bool(torch.allclose(scaled, whole, atol=1e-4, rtol=0)) else pixels
    digest = hashlib.sha256(data.permute(1, 2, 0).contiguous().numpy().tobytes()).hexdigest()
    return ImageRecord(digest, int(pixels.shape[1]), int(pixels.shape[2]))


WINDOW = 7
"""Side of the windows of SSIM, in pixels."""


def psnr(pictures: Tensor, originals: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, the peak being 1; infinite where both are the same once clipped; float64, on the CPU.

    (..., 3, H, W), clipped to [0, 1] here, and the same in [0, 1] -> (...).

    >>> import torch
    >>> [round(psnr(torch.full((3, 8, 8), value), torch.ones(3, 8, 8)).item(), 3) for value in (0.9, 1.9)]
    [20.0, inf]
    """
    error = (pictures.clamp(0, 1) - originals).square().flatten(-3).mean(-1)
    return -10 * error.cpu().double().log10()


def ssim(picture: Tensor, original: Tensor) -> float:
    """Structural similarity, at most 1, the mean over the windows of :data:`WINDOW` pixels and the channels.

    Wang, Bovik, Sheikh, Simoncelli (2004), "Image quality assessment: from error visibility to structural similarity". Both are
    (3, H, W), the first clipped here. Raises LabError where a side is shorter than a window, or scikit-image is not installed.
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
