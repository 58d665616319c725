"""Networks behind the Lab's two signatures: as read from files, and as ``load_classifier`` and ``load_denoiser`` return them.

Beside them the denoisers without training, from SciPy and scikit-image: ``classical/median``, ``wavelet``, ``tv``, ``nlm``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import LabError


@dataclass(frozen=True)
class LoadedNetwork:
    """A network behind one of the Lab's two signatures, whatever library it was made with.

    Attributes:
        network: in evaluation mode, on the CPU. A classifier takes (B, 3, H, W) pixels in [0, 1] (noise may overshoot)
            at ``input_size`` and returns (B, C) logits; resizing and normalisation happen inside and are differentiable.
            A denoiser takes ``(noisy, sigma)`` in the same units and returns the same shape.
        source, architecture: the library or format, for people (``timm``, ``the Lab``, ...), and the network's name in it.
        input_size: (height, width) that a picture is brought to, before the noise; None where any will do (denoisers).
        own_size: (height, width) that the network itself works at; larger than ``input_size`` where it scales up inside.
        labels: class names (classifiers), or None where nothing names them.
        sigma_range: least and greatest sigma, in [0, 1] units, that it was trained for; None where there was none, or unknown.
        notes: a sentence for each thing that was assumed, contradicted itself or was put right on the way, for the user.
        weights, weights_sha256: the files of the weights, and their hash (:func:`~core.models.formats.weights.weights_digest`).
        ref, revision: the reference it was loaded by, and the commit on the Hub, elsewhere the hash of the weights.
        formats: of :func:`~core.models.storage.measured_formats`.
    """

    network: nn.Module
    source: str
    architecture: str
    input_size: tuple[int, int] | None = None
    own_size: tuple[int, int] | None = None
    labels: tuple[str, ...] | None = None
    sigma_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    ref: str = ""
    revision: str | None = None
    weights_sha256: str | None = None
    formats: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)

    def at_size(self, size: tuple[int, int] | None) -> LoadedNetwork:
        """The same classifier for pictures of another size, which it brings to its own inside."""
        if size is None or self.input_size is None or size == self.input_size:
            return self
        own = self.own_size or self.input_size
        return replace(self, network=Scaled(self.network, self.input_size), input_size=size, own_size=own)


class NamedNetwork(nn.Module):
    """A network in evaluation mode, without gradients to its weights; its attributes are those of :class:`LoadedNetwork`."""

    def __init__(self, loaded: LoadedNetwork) -> None:
        super().__init__()
        self.network, self.source, self.architecture = loaded.network, loaded.source, loaded.architecture
        self.ref, self.revision, self.weights_sha256 = loaded.ref, loaded.revision, loaded.weights_sha256
        self.input_size, self.own_size = loaded.input_size, loaded.own_size or loaded.input_size
        self.labels = loaded.labels
        self.sigma_range, self.notes, self.formats = loaded.sigma_range, loaded.notes, loaded.formats
        self.eval().requires_grad_(False)


class Classifier(NamedNetwork):
    """A classifier with its name. Resizing and normalisation happen inside."""

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) pixels in [0, 1] -> (B, C) logits."""
        return self.network(pixels)


class Denoiser(NamedNetwork):
    """A denoiser with its name."""

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) pixels and sigma -> (B, 3, H, W)."""
        return self.network(noisy, sigma)


class Scaled(nn.Module):
    """A classifier that takes pictures of any size and brings them to its own (height, width) first, differentiably."""

    def __init__(self, network: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C)."""
        if pixels.shape[-2:] != self.size:
            pixels = F.interpolate(pixels, size=self.size, mode="bilinear", align_corners=False, antialias=True)
        return self.network(pixels)


class InBfloat16(nn.Module):
    """A network whose convolutions and matrix products are computed in bfloat16; pixels go in and come out in float32.
    Rounding makes another network of it, which is then what is certified: nothing is claimed of the float32 one. Where the
    device knows the format (most GPUs, newer CPUs) it is several times faster."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor, *rest: Any) -> Tensor:
        """As the network's own."""
        with torch.autocast(pixels.device.type, torch.bfloat16):
            return self.network(pixels, *rest).float()


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
    Raises LabError where the name is unknown."""

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
