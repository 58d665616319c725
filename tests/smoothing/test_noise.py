"""The noise: named by seed, purpose and sample number alone, and distributed as it should be."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from scipy import stats

from core.smoothing import noise as noise_module
from core.smoothing.exact_noise import GridNoiseStream
from core.smoothing.noise import BLOCK, PURPOSES, NoiseStream, grey_levels, is_on_grid, noisy_copies
from core.smoothing.radius import NOISES
from tests.smoothing.worst_case import UNIT

CPU = torch.device("cpu")


def stream(seed: int = 0, purpose: str = "estimate", shape: tuple[int, ...] = (3, 4, 4), kind: str = "gaussian") -> NoiseStream:
    return NoiseStream(shape, seed, purpose, CPU, kind)


def in_batches(noise: NoiseStream, n: int, size: int) -> torch.Tensor:
    return torch.cat([noise(start, min(start + size, n)) for start in range(0, n, size)])


@pytest.mark.parametrize("size", [1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 100, 1_000])
def test_batch_size_changes_nothing(size):
    whole = stream()(0, 1_000)
    assert whole.shape == (1_000, 3, 4, 4)
    assert whole.dtype == torch.float32
    assert torch.equal(in_batches(stream(), 1_000, size), whole)


@pytest.mark.parametrize("size", [1, 7, BLOCK - 1, BLOCK, 100, 300])
@pytest.mark.parametrize("make", [stream, lambda: GridNoiseStream((3, 4, 4), 0.25, 0, "estimate", CPU)], ids=["float", "grid"])
def test_what_is_drawn_ahead_is_the_same(make, size):
    whole, noise, pieces = make()(0, 1_000), make(), []
    for start in range(0, 1_000, size):
        pieces.append(noise(start, min(start + size, 1_000)))
        if start + size < 1_000:
            noise.draw_ahead(start + size, min(start + 2 * size, 1_000))
    assert torch.equal(torch.cat(pieces), whole)
    assert not noise._ahead, "nothing is kept, and nothing drawn in vain"


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


@pytest.mark.parametrize(
    ("seed", "purpose", "begins"), [(0, "estimate", "77e3c2b85e40ffbe"), (123456789, "predict", "ac113d4f5edcb74a")]
)
def test_gaussian_noise_is_what_stored_certificates_were_made_with(seed, purpose, begins):
    shape = (3, 4, 4) if seed == 0 else (3, 8, 8)
    drawn = stream(seed, purpose, shape)(0, 200 if seed == 0 else 64)
    assert hashlib.sha256(drawn.numpy().tobytes()).hexdigest().startswith(begins)


@pytest.mark.parametrize("kind", NOISES)
def test_every_kind_has_its_distribution_with_standard_deviation_one(kind):
    drawn = stream(7, shape=(3, 16, 16), kind=kind)(0, 640).flatten().double().numpy()
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert drawn.std() == pytest.approx(1, abs=0.01)
    assert stats.kstest(drawn, UNIT[kind].cdf).pvalue > 0.001
    # In the tails, where a radius is decided, as well.
    for p in (1e-4, 1e-3, 0.999, 0.9999):
        below = int((drawn < UNIT[kind].ppf(p)).sum())
        assert stats.binomtest(below, drawn.size, p).pvalue > 1e-4


@pytest.mark.parametrize("kind", ["uniform", "laplace"])
@pytest.mark.parametrize("size", [1, 7, BLOCK, 100])
def test_batch_size_changes_nothing_whatever_the_kind(kind, size):
    assert torch.equal(in_batches(stream(kind=kind), 300, size), stream(kind=kind)(0, 300))


def test_kinds_are_uncorrelated():
    drawn = [stream(shape=(3, 8, 8), kind=kind)(0, 512).flatten().numpy() for kind in NOISES]
    correlation = np.corrcoef(np.stack(drawn)) - np.eye(len(NOISES))
    assert np.abs(correlation).max() < 5 / np.sqrt(drawn[0].size)


def test_uniform_noise_stays_within_its_reach():
    drawn = stream(shape=(3, 16, 16), kind="uniform")(0, 640)
    assert 1.7320 < float(drawn.max()) <= np.float32(np.sqrt(3))
    assert 1.7320 < -float(drawn.min()) <= np.float32(np.sqrt(3))


def test_noise_in_grey_levels_makes_every_value_the_nearest_float_to_a_fraction():
    image = torch.arange(192).reshape(3, 8, 8).float() / 255
    noise = torch.arange(-600, 600).repeat(16)[: 100 * 192].reshape(100, 3, 8, 8).to(torch.int32)
    noisy = noisy_copies(image, 0.25, noise)
    whole = (torch.arange(192).reshape(3, 8, 8) + noise).numpy().astype(np.float64)
    assert noisy.dtype == torch.float32
    assert np.array_equal(noisy.numpy(), (whole / 255).astype(np.float32))
    # The same whole number from any pixel is the same float: the sum holds no trace of its parts.
    assert len(noisy.unique()) == len(np.unique(whole))


def test_float_noise_is_scaled_and_added():
    image, noise = torch.rand(3, 4, 4), stream()(0, 10)
    assert torch.equal(noisy_copies(image, 0.25, noise), image + 0.25 * noise)


def test_pictures_on_the_grid_of_grey_levels_are_known():
    eight_bit = torch.arange(256).reshape(1, 16, 16).float() / 255
    assert is_on_grid(eight_bit)
    assert grey_levels(eight_bit).flatten().tolist() == list(range(256))
    assert not is_on_grid(eight_bit * 0.999)
    assert not is_on_grid(torch.full((3, 4, 4), 0.5))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["uniform", "laplace"])
def test_every_kind_has_its_distribution_on_a_gpu(kind):
    device = torch.device("cuda")
    whole = NoiseStream((3, 8, 8), 3, "estimate", device, kind)(0, 1_000)
    assert torch.equal(in_batches(NoiseStream((3, 8, 8), 3, "estimate", device, kind), 1_000, 7), whole)
    assert stats.kstest(whole.flatten().cpu().double().numpy(), UNIT[kind].cdf).pvalue > 0.001


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_noise_in_grey_levels_gives_the_same_floats_on_a_gpu():
    image = torch.arange(192).reshape(3, 8, 8).float() / 255
    noise = torch.arange(-600, 600).repeat(16)[: 100 * 192].reshape(100, 3, 8, 8).to(torch.int32)
    assert torch.equal(noisy_copies(image.cuda(), 0.25, noise.cuda()).cpu(), noisy_copies(image, 0.25, noise))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("size", [1, 7, 64, 1_000])
def test_batch_size_changes_nothing_on_a_gpu(size):
    device = torch.device("cuda")
    whole = NoiseStream((3, 8, 8), 3, "estimate", device)(0, 1_000)
    assert whole.device.type == "cuda"
    assert torch.equal(in_batches(NoiseStream((3, 8, 8), 3, "estimate", device), 1_000, size), whole)
    assert stats.kstest(whole.flatten().cpu().double().numpy(), "norm").pvalue > 0.001
