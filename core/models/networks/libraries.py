"""Denoisers of other libraries to train from scratch: DRUNet and FFDNet of deepinv, UNet2DModel of diffusers.

The libraries are imported when a network is made, and a missing one is told in a sentence.
"""

from __future__ import annotations

import math
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError
from core.models.formats.torchvision_shim import import_library


class DRUNet(nn.Module):
    """DRUNet (Zhang et al. 2021, arXiv 2008.13751), deepinv's class: sigma is a fourth channel of the picture.

    Args:
        widths: channels of the four levels.
        blocks: residual blocks a level.
    """

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512), blocks: int = 4) -> None:
        super().__init__()
        if len(widths) != 4:
            raise ValueError(f"{len(widths)} widths: DRUNet has four levels")
        # Without pretrained=None the class would download its own weights.
        self.network = _library("deepinv", "deepinv.models").DRUNet(nc=widths, nb=blocks, pretrained=None, device="cpu")

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W) denoised pixels."""
        height, width = noisy.shape[2:]
        padded = _padded(noisy, 8, least=32)  # what the class takes as it is; others it cuts into overlapping parts
        return self.network(padded, _per_picture(noisy, sigma))[..., :height, :width]


class FFDNet(nn.Module):
    """FFDNet for colour (Zhang et al. 2018, arXiv 1710.04026), deepinv's class: 2x2 pixels folded into channels, sigma beside.

    Args:
        depth: layers of convolution.
        width: channels.
    """

    def __init__(self, depth: int = 12, width: int = 96) -> None:
        super().__init__()
        maker = _library("deepinv", "deepinv.models").FFDNet
        self.network = maker(n_conv_layers=depth, nf=width, img_channels=3, pretrained=None, device="cpu")

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W) denoised pixels."""
        height, width = noisy.shape[2:]
        return self.network(_padded(noisy, 2), _per_picture(noisy, sigma))[..., :height, :width]


class NoisePredictor(nn.Module):
    """A diffusion model as a one-shot denoiser (Carlini et al. 2022, arXiv 2206.10550): diffusers' UNet2DModel on DDPM's
    schedule (Ho et al. 2020, arXiv 2006.11239: 1,000 linear steps from 0.0001 to 0.02), predicting the noise.

    The defaults are the network of Ho et al. for CIFAR-10: attention at the second level.

    Args:
        widths: channels of each level.
        layers: residual layers a level.
        attention: the levels that have attention, counted from 0.
    """

    kept: Tensor
    strength: Tensor
    """(T,) the noise of each timestep as sigma in [0, 1] pixel units, rising."""

    def __init__(
        self, widths: tuple[int, ...] = (128, 256, 256, 256), layers: int = 2, attention: tuple[int, ...] = (1,)
    ) -> None:
        super().__init__()
        levels = range(len(widths))
        down = tuple("AttnDownBlock2D" if level in attention else "DownBlock2D" for level in levels)
        up = tuple("AttnUpBlock2D" if level in attention else "UpBlock2D" for level in reversed(levels))
        self.unet = _library("diffusers", "diffusers").UNet2DModel(
            in_channels=3,
            out_channels=3,
            block_out_channels=widths,
            layers_per_block=layers,
            down_block_types=down,
            up_block_types=up,
            norm_num_groups=math.gcd(32, *widths),
            downsample_padding=0,
            flip_sin_to_cos=False,
            freq_shift=1,
            norm_eps=1e-6,
            attention_head_dim=None,
        )
        self.divisor = 2 ** (len(widths) - 1)
        kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), dim=0)
        self.register_buffer("kept", kept.float(), persistent=False)
        self.register_buffer("strength", (((1 - kept) / kept).sqrt() / 2).float(), persistent=False)

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W) pixels.

        Each picture goes to the first timestep whose noise is at least as strong as its own. In evaluation mode pixels are
        clipped to [0, 1]; in training they are not, so that the error is that of the predicted noise.
        """
        height, width = noisy.shape[2:]
        s = _per_picture(noisy, sigma).float().contiguous()
        t = torch.searchsorted(self.strength, s).clamp_max(len(self.strength) - 1)
        a = self.kept[t].view(-1, 1, 1, 1)
        x = a.sqrt() * (2 * noisy.float() - 1)
        noise = self.unet(_padded(x, self.divisor), t).sample[..., :height, :width].float()
        clean = ((x - (1 - a).sqrt() * noise) / a.sqrt() + 1) / 2
        return clean if self.training else clean.clamp(0, 1).to(noisy.dtype)


def _per_picture(noisy: Tensor, sigma: Tensor | float) -> Tensor:
    """(B,) sigmas."""
    return torch.as_tensor(sigma, dtype=noisy.dtype, device=noisy.device).reshape(-1).expand(len(noisy))


def _padded(pixels: Tensor, divisor: int, least: int = 0) -> Tensor:
    """Sides brought to a multiple of ``divisor`` and to at least ``least``, by repeating the last row and column."""
    height, width = pixels.shape[2:]
    down, right = (max(least, side + -side % divisor) - side for side in (height, width))
    return F.pad(pixels, (0, right, 0, down), mode="replicate") if down or right else pixels


def _library(name: str, module: str) -> ModuleType:
    try:
        return import_library(module)
    except ModuleNotFoundError as error:
        raise LabError(f"This architecture is {name}'s, which is missing: install it with 'pip install {name}'.") from error
