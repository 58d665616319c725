"""Networks that compute in another number format than float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class InBfloat16(nn.Module):
    """A network whose convolutions and matrix products are computed in bfloat16; pixels go in and come out in float32.

    Rounding makes another network of it, which is then what is certified: nothing is claimed of the float32 one. Where
    the device knows the format (most GPUs, newer CPUs) it is several times faster.

    Args:
        network: a classifier or a denoiser.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor, *rest: Any) -> Tensor:
        """As the network's own."""
        with torch.autocast(pixels.device.type, torch.bfloat16):
            return self.network(pixels, *rest).float()
