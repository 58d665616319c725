"""Nobody knows a seed that is drawn, so that no picture is fitted to its noise; a seed that is given reproduces."""

from __future__ import annotations

import random

import pytest
import torch
from scipy import stats

import core
from core.smoothing.settings import MAX_SEED, Settings, fresh_seed

ALPHA = 0.05
HOW = {"sigma": 0.25, "n0": 10, "n": 20, "alpha": ALPHA, "device": "cpu"}


@pytest.fixture(autouse=True)
def _as_outside_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.smoothing.settings.SYSTEM", random.SystemRandom())


def undecided(pixels: torch.Tensor) -> torch.Tensor:
    """Stripes so narrow that each class has half of the noise, whatever the picture."""
    side = torch.sin(200 * pixels.flatten(1).sum(dim=1))
    return torch.stack([side, -side], dim=1)


def test_a_picture_that_was_fitted_to_a_seed_is_not_certified_by_default() -> None:
    pictures = (torch.full((3, 2, 2), value) for value in torch.linspace(0.2, 0.8, 600))
    fitted = next(picture for picture in pictures if not core.certify(picture, undecided, seed=0, **HOW).abstained)
    certified = sum(not core.certify(fitted, undecided, **HOW).abstained for _ in range(60))
    assert certified <= stats.binom.isf(1e-4, 60, ALPHA)


def test_a_seed_that_is_drawn_is_told_and_gives_the_same_votes_again() -> None:
    grey = torch.full((3, 4, 4), 0.5)
    drawn = [core.certify(grey, undecided, **HOW) for _ in range(4)]
    assert len({c.seed for c in drawn}) == 4
    assert core.certify(grey, undecided, seed=drawn[0].seed, **HOW).counts == drawn[0].counts
    predictions = [core.predict(grey, undecided, sigma=0.25, n=20, alpha=ALPHA, device="cpu") for _ in range(2)]
    assert predictions[0].seed != predictions[1].seed
    seeds = {fresh_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert max(seeds) <= MAX_SEED
    assert Settings.of({"sigma": 0.25, "seed": 3}).seed == 3
