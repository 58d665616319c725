"""The network architectures that the project trains and bundles.

Every classifier here takes pixels in [0, 1] and normalises them itself, so that noise is always added in pixel space.
Every denoiser takes ``(noisy, sigma)`` and returns pictures of the same shape.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError


class ConvClassifier(nn.Module):
    """A small plain convolutional network: a 2x2 stem, then stages of convolution, pooling, convolution.

    Follows the fast CIFAR-10 networks of Page (2018, "How to train your ResNet") and Jordan (2024, arXiv 2404.00498).

    Args:
        num_classes: how many logits come out.
        widths: channels of each stage; each stage halves the side length.
        stem: channels of the first layer.
        mean, std: per-channel normalisation of the [0, 1] pixels.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        num_classes: int = 10,
        widths: tuple[int, ...] = (64, 128, 256),
        stem: int = 24,
        mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
        std: tuple[float, float, float] = (0.25, 0.25, 0.25),
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 2), nn.GELU())
        stages: list[nn.Module] = []
        channels = stem
        for width in widths:
            stages.append(_Stage(channels, width))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) pixels in [0, 1], noise may overshoot -> (B, num_classes) logits."""
        x = (x - self.mean) / self.std
        x = self.stages(self.stem(x))
        return self.head(x.amax(dim=(2, 3))) / 8  # starts with small logits, as Jordan (2024) scales them


class _Stage(nn.Module):
    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(F.max_pool2d(self.first(x), 2)))
        return x + F.relu(self.norm2(self.second(x)))


class UNetDenoiser(nn.Module):
    """A U-Net conditioned on a continuous sigma, in the shape of DRUNet (Zhang et al. 2021, arXiv 2008.13751).

    Two things differ from DRUNet. Pixels are first folded 2x2 into channels, as FFDNet does (Zhang et al. 2018,
    arXiv 1710.04026), which halves the cost. And input and output are scaled as in Karras et al. (2022, arXiv
    2206.00364, table 1), so that one network serves every sigma: the picture it returns leans on the noisy one where
    sigma is small and on the network where sigma is large.

    Args:
        widths: channels of each level, fine to coarse.
        blocks: residual blocks a level.
        sigma_data: standard deviation of the pixels themselves, in [0, 1] units.
    """

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256), blocks: int = 1, sigma_data: float = 0.25) -> None:
        super().__init__()
        self.sigma_data = sigma_data
        self.divisor = 2 ** len(widths)  # the fold and each halving
        self.head = nn.Conv2d(4 * 3 + 1, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_blocks(width, blocks) for width in widths[:-1])
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.middle = _blocks(widths[-1], blocks)
        self.grow = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_blocks(width, blocks) for width in widths[:-1])
        self.tail = nn.Conv2d(widths[0], 4 * 3, 3, padding=1)

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W) denoised pixels."""
        batch, _, height, width = noisy.shape
        s = torch.as_tensor(sigma, dtype=noisy.dtype, device=noisy.device).reshape(-1, 1, 1, 1).expand(batch, 1, 1, 1)
        total = s.square() + self.sigma_data**2
        pad_h, pad_w = -height % self.divisor, -width % self.divisor
        x = F.pad(noisy, (0, pad_w, 0, pad_h), mode="replicate") if pad_h or pad_w else noisy
        x = F.pixel_unshuffle((x - 0.5) * total.rsqrt(), 2)  # (B, 12, H/2, W/2)
        level = (s.clamp_min(1e-4).log() / 4).expand(batch, 1, *x.shape[2:])
        x = self.head(torch.cat([x, level], dim=1).contiguous(memory_format=torch.channels_last))
        skips = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            x = blocks(x)
            skips.append(x)
            x = shrink(x)
        x = self.middle(x)
        for blocks, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            x = blocks(grow(x) + skips.pop())
        x = F.pixel_shuffle(self.tail(x), 2)[:, :, :height, :width].to(noisy.dtype)
        lean = self.sigma_data**2 / total
        return 0.5 + lean * (noisy - 0.5) + s * self.sigma_data * total.rsqrt() * x


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(channels) for _ in range(count)))


class DnCNN(nn.Module):
    """The denoiser of Salman et al. (2020): DnCNN (Zhang et al. 2017, arXiv 1608.03981), which predicts the noise.

    Blind: it ignores sigma, and is trained for one.
    """

    def __init__(self, depth: int = 17, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        layers.append(nn.Conv2d(width, 3, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, noisy: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """(B, 3, H, W) noisy pixels -> (B, 3, H, W) denoised pixels; sigma is accepted and not used."""
        return noisy - self.layers(noisy)


CLASSIFIERS: dict[str, type[nn.Module]] = {"conv": ConvClassifier}
DENOISERS: dict[str, type[nn.Module]] = {"unet": UNetDenoiser, "dncnn": DnCNN}


def build(kind: str, architecture: str, options: dict[str, Any]) -> nn.Module:
    """Make an untrained network of a registered architecture.

    Args:
        kind: ``classifier`` or ``denoiser``.
        architecture: a name in ``CLASSIFIERS`` or ``DENOISERS``.
        options: keyword arguments of that architecture, as a model's config.json holds them.

    Raises:
        LabError: where the architecture is unknown or does not take these options.
    """
    known = CLASSIFIERS if kind == "classifier" else DENOISERS
    if architecture not in known:
        raise LabError(f"Unknown {kind} architecture {architecture!r}: choose one of {', '.join(known)}.")
    try:
        return known[architecture](**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
    except (TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        raise LabError(f"The {kind} architecture {architecture!r} does not take these options: {error}.") from error
