"""The denoisers of Salman et al. (2020), all blind to sigma: DnCNN in both of its widths, and MemNet."""

import torch
from torch import Tensor, nn


class DnCNN(nn.Module):
    """The denoiser of Salman et al. (2020): DnCNN (Zhang et al. 2017, arXiv 1608.03981), which predicts the noise.

    Blind: it ignores sigma, and is trained for one. The first layer has a bias, the middle ones have batch norm instead, the
    last has neither and starts at zero, so that an untrained network returns what it was given.

    Args:
        depth: layers of convolution; 17 in both papers.
        width: channels; 64, and 128 for Salman et al.'s wide one.
    """

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

    Args:
        blocks: memory blocks.
        units: residual units a block, or passes through its one unit.
        width: channels.
        shared: whether the units of a block share their weights.
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
