"""Gaussian noise that depends on seed, purpose and sample number alone, never on the batch size."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

BLOCK = 64
"""Samples drawn together, at most. The smallest piece a seed names; a batch is put together from blocks."""

BLOCK_NUMBERS = 2**24
"""Numbers a block may hold: 64 MB. Of large pictures fewer than BLOCK samples are drawn together."""

PURPOSES = {"select": 0, "estimate": 1, "predict": 2, "show": 3, "train": 4}
"""What the noise is for. Each purpose has a stream of its own, so n0 and n never share a sample."""


class NoiseStream:
    """Standard normal noise for one picture, numbered 0, 1, 2, ...

    Sample i is the same whatever the batches are, on the same type of device: on a CPU it comes from NumPy's PCG64,
    on a GPU from the device's own generator, both seeded by a hash of (seed, purpose, block).

    Args:
        shape: (C, H, W) of the picture.
        seed: the user's seed, at least 0.
        purpose: a key of :data:`PURPOSES`.
        device: where the noise is made and stays.
    """

    def __init__(self, shape: tuple[int, ...], seed: int, purpose: str, device: torch.device) -> None:
        self.shape, self.seed, self.device = tuple(shape), seed, device
        self._purpose = PURPOSES[purpose]
        # A function of the picture alone: were it one of the batch or of the memory left, so would be the noise.
        self._rows = max(1, min(BLOCK, BLOCK_NUMBERS // math.prod(self.shape)))
        self._cached: tuple[int, Tensor] | None = None

    def __call__(self, start: int, stop: int) -> Tensor:
        """Samples ``start`` to ``stop`` (exclusive) as (stop - start, C, H, W) float32."""
        pieces = []
        rows = self._rows
        for number in range(start // rows, (stop - 1) // rows + 1):
            first = number * rows
            pieces.append(self._block(number)[max(start - first, 0) : min(stop - first, rows)])
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _block(self, number: int) -> Tensor:
        # A batch smaller than a block, or not a multiple of it, asks for the same block again at once.
        if self._cached is not None and self._cached[0] == number:
            return self._cached[1]
        sequence = np.random.SeedSequence(self.seed, spawn_key=(self._purpose, number))
        if self.device.type == "cpu":
            drawn = np.random.default_rng(sequence).standard_normal((self._rows, *self.shape), dtype=np.float32)
            block = torch.from_numpy(drawn)
        else:
            # 63 bits, since a generator's seed must fit a signed 64-bit integer.
            seed = int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
            generator = torch.Generator(self.device).manual_seed(seed)
            block = torch.randn((self._rows, *self.shape), generator=generator, device=self.device)
        self._cached = (number, block)
        return block
