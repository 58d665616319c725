"""Denoisers of other libraries behind the Lab's signature: deepinv's, and diffusers' UNet2DModel as a one-shot denoiser.

The libraries are imported when a network is made, and a missing one is told in a sentence.
"""

import math
from types import ModuleType

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.networks.own import padded, per_picture


class PaddedDenoiser(nn.Module):
    """A denoiser of deepinv, (noisy, (B,) sigmas) -> denoised, for pictures of any size.
    Sides are padded to a multiple of ``divisor`` and to at least ``least_side``; ``least_sigma`` is the least told."""

    def __init__(self, network: nn.Module, divisor: int = 1, least_side: int = 0, least_sigma: float = 0.0) -> None:
        super().__init__()
        self.network, self.divisor, self.least_side, self.least_sigma = network, divisor, least_side, least_sigma

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W) denoised pixels."""
        height, width = noisy.shape[2:]
        s = per_picture(noisy, sigma).clamp_min(self.least_sigma)
        return self.network(padded(noisy, self.divisor, self.least_side), s)[..., :height, :width]


class DRUNet(PaddedDenoiser):
    """DRUNet (Zhang et al. 2021, arXiv 2008.13751), deepinv's class: sigma is a fourth channel of the picture.
    It has four levels of so many channels (``widths``), of so many residual ``blocks`` each."""

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512), blocks: int = 4) -> None:
        if len(widths) != 4:
            raise ValueError(f"{len(widths)} widths: DRUNet has four levels")
        # Without pretrained=None the class would download its own weights.
        network = _library("deepinv", "deepinv.models").DRUNet(nc=widths, nb=blocks, pretrained=None, device="cpu")
        super().__init__(network, 8, least_side=32)  # what the class takes as it is; others it cuts into overlapping parts


class FFDNet(PaddedDenoiser):
    """FFDNet for colour (Zhang et al. 2018, arXiv 1710.04026), deepinv's class: 2x2 pixels are folded into channels."""

    def __init__(self, depth: int = 12, width: int = 96) -> None:
        maker = _library("deepinv", "deepinv.models").FFDNet
        super().__init__(maker(n_conv_layers=depth, nf=width, img_channels=3, pretrained=None, device="cpu"), 2)


class OneShotDenoiser(nn.Module):
    """A diffusion model as a one-shot denoiser (Carlini et al. 2022, arXiv 2206.10550): noise of sigma in [0, 1] units -> the
    timestep of that noise -> one prediction of the clean picture.

    The noise is added once, in pixel space, at exactly sigma; the noisy picture is then scaled as the model expects it at
    the first timestep whose own noise is at least as strong. So the certificate does not depend on the rounding to timesteps.
    In evaluation mode pixels are clipped to [0, 1]; in training they are not, so that the error is that of the prediction.

    Args:
        unet: (B, 3, H, W) in [-1, 1], padded to a multiple of ``divisor``, and (B,) timesteps -> an object with ``sample``.
        betas: (T,) of the forward process.
        predicts: ``epsilon``, ``sample`` or ``v_prediction``.
    """

    abar: Tensor
    strength: Tensor

    def __init__(self, unet: nn.Module, betas: Tensor, predicts: str, divisor: int) -> None:
        super().__init__()
        self.unet, self.predicts, self.divisor = unet, predicts, divisor
        abar = torch.cumprod(1 - betas.double(), dim=0)
        self.register_buffer("abar", abar.float(), persistent=False)
        # sigma in [-1, 1] units, rising with t
        self.register_buffer("strength", ((1 - abar) / abar).sqrt().float(), persistent=False)

    @property
    def sigma_range(self) -> tuple[float, float]:
        """Least and greatest sigma of the schedule, in [0, 1] units."""
        return float(self.strength[0]) / 2, float(self.strength[-1]) / 2

    def timestep(self, sigma: Tensor) -> Tensor:
        """(B,) sigmas in [0, 1] units -> (B,) the first timesteps with ``sqrt((1 - abar) / abar) >= 2 sigma``."""
        return torch.searchsorted(self.strength, 2 * sigma).clamp_max(len(self.strength) - 1)

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W) pixels."""
        height, width = noisy.shape[2:]
        t = self.timestep(per_picture(noisy.float(), sigma).contiguous())
        a = self.abar[t].view(-1, 1, 1, 1)
        x = a.sqrt() * (2 * noisy.float() - 1)
        # six channels where the variance is learnt, too
        out = self.unet(padded(x, self.divisor), t).sample[:, :3, :height, :width].float()
        match self.predicts:
            case "epsilon":
                clean = (x - (1 - a).sqrt() * out) / a.sqrt()
            case "v_prediction":
                clean = a.sqrt() * x - (1 - a).sqrt() * out
            case _:
                clean = out
        clean = (clean + 1) / 2
        return clean if self.training else clean.clamp(0, 1).to(noisy.dtype)


class NoisePredictor(OneShotDenoiser):
    """Diffusers' UNet2DModel on DDPM's schedule (Ho et al. 2020, arXiv 2006.11239: 1,000 linear steps from 0.0001 to 0.02),
    predicting the noise. The defaults are the network of Ho et al. for CIFAR-10: attention at the second level, number 1.
    """

    def __init__(
        self, widths: tuple[int, ...] = (128, 256, 256, 256), layers: int = 2, attention: tuple[int, ...] = (1,)
    ) -> None:
        levels = range(len(widths))
        unet = _library("diffusers", "diffusers").UNet2DModel(
            in_channels=3,
            out_channels=3,
            block_out_channels=widths,
            layers_per_block=layers,
            down_block_types=tuple("AttnDownBlock2D" if level in attention else "DownBlock2D" for level in levels),
            up_block_types=tuple("AttnUpBlock2D" if level in attention else "UpBlock2D" for level in reversed(levels)),
            norm_num_groups=math.gcd(32, *widths),
            downsample_padding=0,
            flip_sin_to_cos=False,
            freq_shift=1,
            norm_eps=1e-6,
            attention_head_dim=None,
        )
        betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
        super().__init__(unet, betas, "epsilon", divisor=2 ** (len(widths) - 1))


def _library(name: str, module: str) -> ModuleType:
    try:
        return import_library(module)
    except ModuleNotFoundError as error:
        raise LabError(f"This architecture is {name}'s, which is missing: install it with 'pip install {name}'.") from error
