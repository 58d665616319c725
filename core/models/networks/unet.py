"""The U-Net denoiser that the project trains and bundles: one network for every sigma."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNetDenoiser(nn.Module):
    """A U-Net conditioned on a continuous sigma, in the shape of DRUNet (Zhang et al. 2021, arXiv 2008.13751).

    Two things differ from DRUNet. Pixels are first folded 2x2 into channels, as FFDNet does (Zhang et al. 2018,
    arXiv 1710.04026), which halves the cost. And input and output are scaled as in Karras et al. (2022, arXiv
    2206.00364, table 1), so that one network serves every sigma: the picture it returns leans on the noisy one where
    sigma is small and on the network where sigma is large.

    Args:
        widths: channels of each level, fine to coarse.
        blocks: residual blocks of each level on the way down: one number for all, or one a level.
        blocks_up: residual blocks of each level on the way up.
        norm: batch norm after the convolutions, with which STAB gets further in the same time (docs/training-notes.md).
        sigma_data: standard deviation of the pixels themselves, in [0, 1] units.

    Raises:
        ValueError: where there are not as many blocks as widths.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256),
        blocks: int | Sequence[int] = 1,
        blocks_up: int = 1,
        norm: bool = False,
        sigma_data: float = 0.25,
    ) -> None:
        super().__init__()
        counts = [blocks] * len(widths) if isinstance(blocks, int) else list(blocks)
        if len(counts) != len(widths):
            raise ValueError(f"{len(counts)} numbers of blocks for {len(widths)} widths: expected one a level")
        self.sigma_data = sigma_data
        self.coarsest = widths[-1]
        self.divisor = 2 ** len(widths)  # the fold and each halving
        self.head = nn.Conv2d(4 * 3 + 1, widths[0], 3, padding=1, bias=not norm)
        self.head_norm = nn.Sequential(nn.BatchNorm2d(widths[0]), nn.ReLU()) if norm else nn.Identity()
        self.down = nn.ModuleList(_blocks(width, count, norm) for width, count in zip(widths[:-1], counts[:-1], strict=True))
        self.shrink = nn.ModuleList(_shrink(a, b, norm) for a, b in pairwise(widths))
        self.middle = _blocks(widths[-1], counts[-1], norm)
        self.grow = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_blocks(width, blocks_up, norm) for width in widths[:-1])
        self.tail = nn.Conv2d(widths[0], 4 * 3, 3, padding=1)

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W) denoised pixels."""
        return self.with_features(noisy, sigma)[0]

    def with_features(self, noisy: Tensor, sigma: Tensor | float) -> tuple[Tensor, Tensor]:
        """As :meth:`forward`, and :meth:`features` beside it."""
        height, width = noisy.shape[2:]
        features, skips = self._encode(noisy, sigma)
        x = features
        for blocks, grow in zip(reversed(self.up), reversed(self.grow), strict=True):
            x = blocks(grow(x) + skips.pop())
        x = F.pixel_shuffle(self.tail(x), 2)[:, :, :height, :width].to(noisy.dtype)
        s = _per_picture(sigma, noisy)
        total = s.square() + self.sigma_data**2
        return 0.5 + self.sigma_data**2 / total * (noisy - 0.5) + s * self.sigma_data * total.rsqrt() * x, features

    def features(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """The coarsest features alone, (B, ``coarsest``, H', W'), at half the cost of a picture."""
        return self._encode(noisy, sigma)[0]

    def encoder(self) -> list[nn.Module]:
        """The layers that :meth:`features` goes through."""
        return [self.head, self.head_norm, self.down, self.shrink, self.middle]

    def _encode(self, noisy: Tensor, sigma: Tensor | float) -> tuple[Tensor, list[Tensor]]:
        batch, _, height, width = noisy.shape
        s = _per_picture(sigma, noisy)
        pad_h, pad_w = -height % self.divisor, -width % self.divisor
        x = F.pad(noisy, (0, pad_w, 0, pad_h), mode="replicate") if pad_h or pad_w else noisy
        x = F.pixel_unshuffle((x - 0.5) * (s.square() + self.sigma_data**2).rsqrt(), 2)  # (B, 12, H/2, W/2)
        level = (s.clamp_min(1e-4).log() / 4).expand(batch, 1, *x.shape[2:])
        x = self.head_norm(self.head(torch.cat([x, level], dim=1).contiguous(memory_format=torch.channels_last)))
        skips = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            x = blocks(x)
            skips.append(x)
            x = shrink(x)
        return self.middle(x), skips


def _per_picture(sigma: Tensor | float, noisy: Tensor) -> Tensor:
    """(B, 1, 1, 1): the sigma of each picture."""
    s = torch.as_tensor(sigma, dtype=noisy.dtype, device=noisy.device).reshape(-1, 1, 1, 1)
    return s.expand(len(noisy), 1, 1, 1)


class _Residual(nn.Module):
    def __init__(self, channels: int, norm: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=not norm)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=not norm)
        self.norm1 = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.norm2 = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm2(self.second(F.relu(self.norm1(self.first(x)))))


def _blocks(channels: int, count: int, norm: bool) -> nn.Sequential:
    return nn.Sequential(*(_Residual(channels, norm) for _ in range(count)))


def _shrink(finer: int, coarser: int, norm: bool) -> nn.Module:
    halve = nn.Conv2d(finer, coarser, 2, stride=2, bias=not norm)
    return nn.Sequential(halve, nn.BatchNorm2d(coarser)) if norm else halve
