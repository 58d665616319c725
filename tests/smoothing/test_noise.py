"""The noise: named by seed, purpose and sample number alone, and standard normal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from core.smoothing import noise as noise_module
from core.smoothing.noise import BLOCK, PURPOSES, NoiseStream

CPU = torch.device("cpu")


def stream(seed: int = 0, purpose: str = "estimate", shape: tuple[int, ...] = (3, 4, 4)) -> NoiseStream:
    return NoiseStream(shape, seed, purpose, CPU)


def in_batches(noise: NoiseStream, n: int, size: int) -> torch.Tensor:
    return torch.cat([noise(start, min(start + size, n)) for start in range(0, n, size)])


@pytest.mark.parametrize("size", [1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 100, 1_000])
def test_batch_size_changes_nothing(size):
    whole = stream()(0, 1_000)
    assert whole.shape == (1_000, 3, 4, 4)
    assert whole.dtype == torch.float32
    assert torch.equal(in_batches(stream(), 1_000, size), whole)


def test_samples_can_be_drawn_in_any_order():
    noise, whole = stream(), stream()(0, 300)
    for start, stop in [(250, 300), (0, 1), (63, 65), (100, 200), (64, 128), (0, 300)]:
        assert torch.equal(noise(start, stop), whole[start:stop])


def test_batches_of_a_large_picture(monkeypatch):
    # As where a block of 64 samples would take gigabytes.
    monkeypatch.setattr(noise_module, "BLOCK_NUMBERS", 5 * 48)
    whole = stream()(0, 64)
    assert torch.equal(in_batches(stream(), 64, 3), whole)
    assert len(whole.unique(dim=0)) == 64


def test_a_block_is_bounded_in_memory():
    noise = stream(shape=(3, 2_048, 2_048))
    assert noise(5, 6).shape == (1, 3, 2_048, 2_048)
    assert noise._cached is not None
    assert noise._cached[1].numel() <= noise_module.BLOCK_NUMBERS


def test_every_sample_is_its_own():
    samples = torch.cat([stream(seed, purpose)(0, 200) for seed in (0, 1, 2**40) for purpose in PURPOSES])
    assert len(samples.unique(dim=0)) == 3 * len(PURPOSES) * 200


def test_streams_are_uncorrelated():
    first = stream(0, "select", (3, 8, 8))(0, 512).flatten().numpy()
    for seed, purpose in [(0, "estimate"), (1, "select"), (0, "predict")]:
        other = stream(seed, purpose, (3, 8, 8))(0, 512).flatten().numpy()
        assert abs(np.corrcoef(first, other)[0, 1]) < 4 / np.sqrt(first.size)


def test_noise_is_standard_normal():
    drawn = stream(7, shape=(3, 16, 16))(0, 640).flatten().double().numpy()  # half a million numbers
    n = drawn.size
    assert abs(drawn.mean()) < 4 / np.sqrt(n)
    assert abs(drawn.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((drawn**3).mean()) < 4 * np.sqrt(15 / n)
    assert abs((drawn**4).mean() - 3) < 4 * np.sqrt(96 / n)
    assert stats.kstest(drawn, "norm").pvalue > 0.001


def test_neither_samples_nor_pixels_depend_on_each_other():
    drawn = stream(8, shape=(3, 4, 4))(0, 20_000).flatten(1).double().numpy()  # (samples, 48)
    correlation = np.corrcoef(drawn.T) - np.eye(48)
    assert np.abs(correlation).max() < 6 / np.sqrt(20_000)
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 4 / np.sqrt(20_000)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("size", [1, 7, 64, 1_000])
def test_batch_size_changes_nothing_on_a_gpu(size):
    device = torch.device("cuda")
    whole = NoiseStream((3, 8, 8), 3, "estimate", device)(0, 1_000)
    assert whole.device.type == "cuda"
    assert torch.equal(in_batches(NoiseStream((3, 8, 8), 3, "estimate", device), 1_000, size), whole)
    assert stats.kstest(whole.flatten().cpu().double().numpy(), "norm").pvalue > 0.001
