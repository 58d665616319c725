"""The networks of the project's own code: a small classifier, a denoiser for every sigma, and those of Salman et al. (2020),
blind to sigma.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def per_picture(noisy: Tensor, sigma: Tensor | float) -> Tensor:
    """(B, 3, H, W) and sigma (a number, or one per picture) -> (B,) sigmas."""
    return torch.as_tensor(sigma, dtype=noisy.dtype, device=noisy.device).reshape(-1).expand(len(noisy))


def padded(pixels: Tensor, divisor: int, least: int = 0) -> Tensor:
    """Sides brought to a multiple of ``divisor`` and to at least ``least``, by repeating the last row and column."""
    height, width = pixels.shape[2:]
    down, right = (max(least, side + -side % divisor) - side for side in (height, width))
    return F.pad(pixels, (0, right, 0, down), mode="replicate") if down or right else pixels


class ConvClassifier(nn.Module):
    """A small plain convolutional network: a 2x2 stem, then stages of convolution, pooling, convolution.

    Follows the fast CIFAR-10 networks of Page (2018, "How to train your ResNet") and Jordan (2024, arXiv 2404.00498).

    Args:
        widths: channels of each stage, which halves the side length; ``stem`` those of the first layer.
        mean, std: per-channel normalisation of the [0, 1] pixels.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        num_classes: int = 10,
        widths: tuple[int, ...] = (64, 128, 256),
        *,
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

    Two things differ from DRUNet. Pixels are first folded into channels, as FFDNet does (Zhang et al. 2018, arXiv
    1710.04026), which halves the cost or more. And input and output are scaled as in Karras et al. (2022, arXiv 2206.00364,
    table 1), so that one network serves every sigma: the picture it returns leans on the noisy one where sigma is small and on
    the network where sigma is large. Raises ValueError where there are not as many blocks as widths.

    Args:
        widths: channels of each level, fine to coarse.
        blocks: residual blocks of each level on the way down: one number for all, or one a level.
        blocks_up: residual blocks of each level on the way up.
        fold: side of the squares of pixels that are folded; 4 for photographs, whose finest level is then a quarter as wide.
        norm: batch norm after the convolutions, with which STAB gets further in the same time (docs/training-notes.md).
        sigma_data: standard deviation of the pixels themselves, in [0, 1] units.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256),
        blocks: int | Sequence[int] = 1,
        *,
        blocks_up: int = 1,
        fold: int = 2,
        norm: bool = False,
        sigma_data: float = 0.25,
    ) -> None:
        super().__init__()
        counts = [blocks] * len(widths) if isinstance(blocks, int) else list(blocks)
        if len(counts) != len(widths):
            raise ValueError(f"{len(counts)} numbers of blocks for {len(widths)} widths: expected one a level")
        self.sigma_data = sigma_data
        self.coarsest = widths[-1]
        self.fold = fold
        self.divisor = fold * 2 ** (len(widths) - 1)  # the fold and each halving
        self.head = nn.Conv2d(3 * fold**2 + 1, widths[0], 3, padding=1, bias=not norm)
        self.head_norm = nn.Sequential(nn.BatchNorm2d(widths[0]), nn.ReLU()) if norm else nn.Identity()
        self.down = nn.ModuleList(_blocks(width, count, norm) for width, count in zip(widths[:-1], counts[:-1], strict=True))
        self.shrink = nn.ModuleList(_shrink(a, b, norm) for a, b in pairwise(widths))
        self.middle = _blocks(widths[-1], counts[-1], norm)
        self.grow = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_blocks(width, blocks_up, norm) for width in widths[:-1])
        self.tail = nn.Conv2d(widths[0], 3 * fold**2, 3, padding=1)

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
        x = F.pixel_shuffle(self.tail(x), self.fold)[:, :, :height, :width].to(noisy.dtype)
        s = per_picture(noisy, sigma).view(-1, 1, 1, 1)
        total = s.square() + self.sigma_data**2
        return 0.5 + self.sigma_data**2 / total * (noisy - 0.5) + s * self.sigma_data * total.rsqrt() * x, features

    def features(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """The coarsest features alone, (B, ``coarsest``, H', W'), at half the cost of a picture."""
        return self._encode(noisy, sigma)[0]

    def encoder(self) -> list[nn.Module]:
        """The layers that :meth:`features` goes through."""
        return [self.head, self.head_norm, self.down, self.shrink, self.middle]

    def _encode(self, noisy: Tensor, sigma: Tensor | float) -> tuple[Tensor, list[Tensor]]:
        s = per_picture(noisy, sigma).view(-1, 1, 1, 1)
        x = F.pixel_unshuffle(
            (padded(noisy, self.divisor) - 0.5) * (s.square() + self.sigma_data**2).rsqrt(), self.fold
        )  # (B, 12, H/2, W/2) where pixels are folded 2 x 2
        level = (s.clamp_min(1e-4).log() / 4).expand(-1, 1, *x.shape[2:])
        x = self.head_norm(self.head(torch.cat([x, level], dim=1).contiguous(memory_format=torch.channels_last)))
        skips = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            x = blocks(x)
            skips.append(x)
            x = shrink(x)
        return self.middle(x), skips


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


class DnCNN(nn.Module):
    """The denoiser of Salman et al. (2020): DnCNN (Zhang et al. 2017, arXiv 1608.03981), which predicts the noise.
    Blind: it ignores sigma, and is trained for one. The first layer has a bias, the middle ones have batch norm instead, the
    last has neither and starts at zero, so that an untrained network returns what it was given. 17 layers in both papers."""

    def __init__(self, depth: int = 17, width: int = 64) -> None:
        super().__init__()
        if depth < 2:
            raise ValueError(f"the depth is {depth}: expected at least 2")
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers.append(nn.Conv2d(width, width, 3, padding=1, bias=False))
            layers += [nn.BatchNorm2d(width, eps=1e-4), nn.ReLU(inplace=True)]
        last = nn.Conv2d(width, 3, 3, padding=1, bias=False)
        self.layers = nn.Sequential(*layers, last)
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.orthogonal_(layer.weight)
        nn.init.zeros_(last.weight)

    def forward(self, noisy: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """(B, 3, H, W) noisy pixels -> (B, 3, H, W) denoised pixels; sigma is accepted and not used."""
        return noisy - self.layers(noisy)


class WideDnCNN(DnCNN):
    """DnCNN with 128 channels: the DnCNN-wide of Salman et al. (2020)."""

    def __init__(self, depth: int = 17, width: int = 128) -> None:
        super().__init__(depth, width)


class MemNet(nn.Module):
    """A persistent memory network (Tai et al. 2017, arXiv 1708.02209), blind to sigma.

    Each memory block runs its residual units one after the other. Its gate, a 1x1 convolution, then weighs the outputs of
    all of them (short-term memory) together with those of every earlier block (long-term memory). Before every convolution
    stand batch norm and ReLU. What comes out is added to the noisy picture.

    Tai et al. have one unit of weights a block, passed through again and again (``shared``), and six blocks. Salman et al.
    have three blocks whose six units have weights of their own; that is the default.
    """

    def __init__(self, blocks: int = 3, units: int = 6, width: int = 64, shared: bool = False) -> None:
        super().__init__()
        if blocks < 1 or units < 1:
            raise ValueError(f"{blocks} blocks of {units} units: expected at least one of both")
        self.extract = _convolution(3, width)
        self.blocks = nn.ModuleList(_MemoryBlock(width, units, shared, earlier=number + 1) for number in range(blocks))
        self.restore = _convolution(width, 3)

    def forward(self, noisy: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """(B, 3, H, W) noisy pixels -> (B, 3, H, W) denoised pixels; sigma is accepted and not used."""
        memory = [self.extract(noisy)]
        for block in self.blocks:
            memory.append(block(memory))
        return noisy + self.restore(memory[-1])


class _MemoryBlock(nn.Module):
    def __init__(self, width: int, units: int, shared: bool, earlier: int) -> None:
        super().__init__()
        self.passes = units
        self.units = nn.ModuleList(_Unit(width) for _ in range(1 if shared else units))
        self.gate = _convolution(width * (units + earlier), width, side=1)

    def forward(self, memory: list[Tensor]) -> Tensor:
        x, short_term = memory[-1], []
        for number in range(self.passes):
            x = self.units[number % len(self.units)](x)
            short_term.append(x)
        return self.gate(torch.cat([*short_term, *memory], dim=1))  # (B, width * (units + earlier), H, W)


class _Unit(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


def _convolution(channels_in: int, channels: int, side: int = 3) -> nn.Sequential:
    """Batch norm, ReLU, convolution: the order of Tai et al. (pre-activation)."""
    return nn.Sequential(
        nn.BatchNorm2d(channels_in), nn.ReLU(), nn.Conv2d(channels_in, channels, side, padding=side // 2, bias=False)
    )
