"""Random changes of a batch: exactly the ones named, drawn for each picture by itself; noise that is drawn again."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from core.errors import LabError
from core.training.augmentation import augment, draw_gaussian, draw_sigmas, scheduled_sigmas

CPU = torch.device("cpu")


def batch(count: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, 12, 10, generator=torch.Generator().manual_seed(9))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_nothing_asked_nothing_done():
    assert torch.equal(augment(batch(), generator(), shift=0, mirror=False), batch())


def test_about_half_are_mirrored_and_the_rest_left():
    images = batch()
    out = augment(images, generator(), shift=0, mirror=True)
    flipped = torch.tensor([torch.equal(a, b.flip(2)) for a, b in zip(out, images, strict=True)])
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(out, images, strict=True)])
    assert bool((flipped ^ kept).all())
    assert 16 < int(flipped.sum()) < 48


def test_every_shift_comes_up_and_each_is_a_cut_of_the_reflected_picture():
    images = batch(300)
    out = augment(images, generator(), shift=2, mirror=False)
    padded = F.pad(images, (2, 2, 2, 2), mode="reflect")
    seen = set()
    for row in range(len(images)):
        cuts = [
            (t, left)
            for t in range(5)
            for left in range(5)
            if torch.equal(out[row], padded[row, :, t : t + 12, left : left + 10])
        ]
        assert len(cuts) == 1
        seen.add(cuts[0])
    assert len(seen) == 25


def test_cutout_greys_one_square():
    out = augment(torch.zeros(50, 3, 12, 10), generator(), shift=0, mirror=False, cutout=4)
    grey = out[:, 0] == 0.5
    assert torch.equal(out, 0.5 * grey.unsqueeze(1).float().expand_as(out))
    for mask in grey:
        rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        assert 1 <= len(rows) <= 5
        assert 1 <= len(columns) <= 5
        assert int(mask.sum()) == len(rows) * len(columns)


def test_the_generator_decides():
    first, again, other = (augment(batch(), generator(seed), cutout=4) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_batch_itself_is_left_alone():
    images = batch()
    augment(images, generator(), cutout=4)
    assert torch.equal(images, batch())


def test_one_generator_one_noise():
    shape = torch.Size((2000, 3, 4, 4))
    first, again, other = (draw_gaussian(shape, torch.Generator().manual_seed(seed), CPU) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert float(first.mean()) == pytest.approx(0, abs=0.015)
    assert float(first.std()) == pytest.approx(1, abs=0.01)


def test_a_range_of_sigmas_has_the_stated_distribution():
    # P(sigma <= s) = ((s - low) / (high - low))^(1 / power)
    sigmas = draw_sigmas(40_000, (0.2, 1.0), 1.5, torch.Generator().manual_seed(1)).double()
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        s = 0.2 + 0.8 * share
        assert float((sigmas <= s).double().mean()) == pytest.approx(share ** (1 / 1.5), abs=0.01)


def test_sigmas_even_in_their_logarithm():
    sigmas = draw_sigmas(40_000, (0.04, 1.0), 0, torch.Generator().manual_seed(1)).double()
    assert float(sigmas.min()) >= 0.04
    assert float(sigmas.max()) <= 1
    for share in (0.1, 0.5, 0.9):
        assert float((sigmas <= 0.04 * 25**share).double().mean()) == pytest.approx(share, abs=0.01)


def test_sigmas_of_a_schedule():
    strength = torch.tensor([0.01, 0.1, 0.5, 2.0, 70.0])
    assert torch.equal(scheduled_sigmas(strength, 0.0, 1.0), strength[:3])
    assert torch.equal(scheduled_sigmas(strength, 0.0, float("inf")), strength)
    with pytest.raises(LabError, match=r"no timestep with sigma 0\.2 to 0\.3: its own reach from 0\.01 to 70"):
        scheduled_sigmas(strength, 0.2, 0.3)
