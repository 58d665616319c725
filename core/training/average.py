"""The exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """A copy of a network that follows it slowly: ``kept <- decay * kept + (1 - decay) * new`` after every step.

    The decay rises to its value over the first steps, ``min(decay, (1 + step) / (10 + step))``, so that the random weights of
    the beginning are soon forgotten. Batch norm's statistics are averaged likewise; counters are copied.

    Attributes:
        network: the averaged copy, in evaluation mode, without gradients.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        # Tensors change in place, in training and in load_state_dict alike, so that these lists stay true.
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        self._kept = [kept for kept, _ in pairs if kept.dtype.is_floating_point]
        self._new = [new for kept, new in pairs if kept.dtype.is_floating_point]
        self._counters = [(kept, new) for kept, new in pairs if not kept.dtype.is_floating_point]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move towards the network after its step number ``step``, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._kept, self._new, 1 - decay)
        for kept, new in self._counters:
            kept.copy_(new)
