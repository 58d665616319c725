"""Noise that depends on seed, purpose and sample number alone, never on the batch size."""

import hashlib
import math
import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor

BLOCK = 64
"""Samples drawn together, at most. The smallest piece a seed names; a batch is put together from blocks."""

BLOCK_NUMBERS = 2**24
"""Numbers a block may hold: 64 MB. Of large pictures fewer than BLOCK samples are drawn together."""

PURPOSES = {"select": 0, "estimate": 1, "predict": 2, "show": 3, "train": 4}
"""What the noise is for. Each purpose has a stream of its own, so n0 and n never share a sample."""

_KEYS: dict[str, tuple[int, ...]] = {"gaussian": (), "uniform": (2,), "laplace": (3,)}
"""What sets the seeds of one kind of noise apart from those of another; 1 is that of noise on the grid of grey levels."""


class NoiseStream:
    """Noise of mean 0 and standard deviation 1 for one picture, independent in every channel, numbered 0, 1, 2, ...

    Sample i is the same whatever the batches are, on the same type of device: on a CPU it comes from NumPy's PCG64,
    on a GPU from the device's own generator, both seeded by a hash of (seed, purpose, block).

    Args:
        shape: (C, H, W) of the picture.
        seed: the user's seed, at least 0.
        purpose: a key of :data:`PURPOSES`.
        device: where the noise is made and stays.
        kind: ``gaussian``, ``uniform`` (on [-sqrt(3), sqrt(3)]) or ``laplace`` (of scale 1/sqrt(2)).
    """

    def __init__(self, shape: tuple[int, ...], seed: int, purpose: str, device: torch.device, kind: str = "gaussian") -> None:
        self.shape, self.seed, self.device, self.kind = tuple(shape), seed, device, kind
        self._purpose, self._kind_key = PURPOSES[purpose], _KEYS[kind]
        # A function of the picture alone: were it one of the batch or of the memory left, so would be the noise.
        self._rows = max(1, min(BLOCK, BLOCK_NUMBERS // math.prod(self.shape)))
        self._cached: tuple[int, Tensor] | None = None
        self._ahead: dict[int, Future[Tensor]] = {}

    def __call__(self, start: int, stop: int) -> Tensor:
        """Samples ``start`` to ``stop`` (exclusive) as (stop - start, C, H, W) float32."""
        pieces = []
        rows = self._rows
        for number in self._numbers(start, stop):
            first = number * rows
            pieces.append(self._block(number)[max(start - first, 0) : min(stop - first, rows)])
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def draw_ahead(self, start: int, stop: int) -> None:
        """Begin to draw samples that will be asked for, beside the networks; a GPU draws them fast enough when they are."""
        numbers = [number for number in self._numbers(start, stop) if number not in self._ahead and not self._has(number)]
        if numbers and self.device.type == "cpu":
            self._ahead |= {number: drawer(os.getpid()).submit(self._drawn, number) for number in numbers}

    def _numbers(self, start: int, stop: int) -> range:
        return range(start // self._rows, (stop - 1) // self._rows + 1)

    def _has(self, number: int) -> bool:
        return self._cached is not None and self._cached[0] == number

    def _block(self, number: int) -> Tensor:
        # A batch smaller than a block, or not a multiple of it, asks for the same block again at once.
        if self._cached is None or self._cached[0] != number:
            ahead = self._ahead.pop(number, None)
            self._cached = (number, self._drawn(number) if ahead is None else ahead.result())
        return self._cached[1]

    def _drawn(self, number: int) -> Tensor:
        sequence = np.random.SeedSequence(self.seed, spawn_key=(self._purpose, number, *self._kind_key))
        shape = (self._rows, *self.shape)
        if self.device.type == "cpu":
            return torch.from_numpy(_drawn_by_numpy(np.random.default_rng(sequence), shape, self.kind))
        # 63 bits, since a generator's seed must fit a signed 64-bit integer.
        seed = int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
        return _drawn_by_torch(torch.Generator(self.device).manual_seed(seed), shape, self.kind)


@cache
def drawer(process: int) -> ThreadPoolExecutor:
    """The thread of a process that draws ahead; a fork has none of its parent's. To start one for each block would take longer
    beside other programs than to draw it."""
    return ThreadPoolExecutor(1, "noise")


def image_seed(seed: int, index: int) -> int:
    """The seed of one picture of a data set, from the user's seed and the picture's own number."""
    return seed * 1_000_003 + index


def derived_seed(seed: int, *words: object) -> int:
    """A seed of 48 bits that depends on the user's seed and on what it is for, so that no two uses of noise share any.

    >>> derived_seed(0, "attack") == derived_seed(0, "attack") != derived_seed(0, "confirm", 1)
    True
    """
    text = "\x1f".join(str(word) for word in (seed, *words))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


def _drawn_by_numpy(generator: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    if kind == "gaussian":
        return generator.standard_normal(shape, dtype=np.float32)
    if kind == "uniform":
        return (generator.random(shape, dtype=np.float32) - np.float32(0.5)) * np.float32(2 * math.sqrt(3))
    # The difference of two exponential variables is a Laplace variable.
    block = generator.standard_exponential(shape, dtype=np.float32)
    block -= generator.standard_exponential(shape, dtype=np.float32)
    block *= np.float32(1 / math.sqrt(2))
    return block


def _drawn_by_torch(generator: torch.Generator, shape: tuple[int, ...], kind: str) -> Tensor:
    device = generator.device
    if kind == "gaussian":
        return torch.randn(shape, generator=generator, device=device)
    if kind == "uniform":
        return torch.rand(shape, generator=generator, device=device).sub_(0.5).mul_(2 * math.sqrt(3))
    block, other = (torch.empty(shape, device=device).exponential_(generator=generator) for _ in range(2))
    return block.sub_(other).mul_(1 / math.sqrt(2))


def noisy_copies(image: Tensor, sigma: float, noise: Tensor) -> Tensor:
    """Put noise on a picture.

    Args:
        image: (C, H, W) in [0, 1]; for noise in grey levels, of 8-bit values divided by 255.
        sigma: what noise of standard deviation 1 is scaled by. Noise in grey levels has its sigma already.
        noise: (B, C, H, W): float, or int32 in grey levels.

    Returns:
        (B, C, H, W). Of noise in grey levels, each value is the one float32 nearest to a whole number over 255, so that it
        depends on that whole number alone, and not on the picture it came from.
    """
    if noise.is_floating_point():
        return torch.add(image, noise, alpha=sigma)
    levels = torch.add(noise, grey_levels(image)).float()
    # By a number on the device: where the divisor lies on the CPU, a GPU multiplies by its rounded reciprocal instead.
    return levels.div_(torch.tensor(255.0, device=levels.device))


def grey_levels(image: Tensor) -> Tensor:
    """(C, H, W) in [0, 1] -> int32 in grey levels, the nearest of 0 to 255."""
    return image.mul(255).round().to(torch.int32)


def is_on_grid(image: Tensor) -> bool:
    """Whether all values are whole numbers over 255, as 8-bit pictures have them, up to the rounding of that division."""
    scaled = image.mul(255)
    return bool(torch.allclose(scaled, scaled.round(), atol=1e-4, rtol=0))
