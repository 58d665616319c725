"""DnCNN, the denoiser of Salman et al. (2020), in both of its widths."""

from __future__ import annotations

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
