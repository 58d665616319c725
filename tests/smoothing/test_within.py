"""Sampling until more samples would add little to the radius."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

import core
from core.errors import LabError
from core.smoothing.bounds import anytime_lower
from core.smoothing.radius import own_radius
from core.smoothing.settings import Terms
from core.smoothing.stopping import OUT_OF_REACH, WITHIN, radius_projected, within_outcome
from core.smoothing.table import looks
from core.verification.verify import SAME, check_arithmetic

SIGMA, SHAPE = 0.25, (3, 4, 4)
RULES = {"alpha": 0.001, "sigma": SIGMA, "shape": SHAPE}
GREY = torch.full(SHAPE, 0.5)


def classifier_with(share: float):
    """Class 1 for this share of the noisy copies of a grey picture, class 0 for the rest."""
    margin = SIGMA * stats.norm.ppf(share)

    def classifier(pixels):
        side = (pixels - 0.5).flatten(1).sum(dim=1) / math.sqrt(pixels[0].numel()) + margin
        return torch.stack([-side, side], dim=1)

    return classifier


def certify(share=0.99, **settings):
    chosen = {"sigma": SIGMA, "n": 4_000, "method": "anytime", "within": 0.05, "device": "cpu"}
    return core.certify(GREY, classifier_with(share), **(chosen | settings))


def test_projected_radius_is_that_of_the_same_shares():
    assert radius_projected((10, 990), 1, Terms(n_planned=10_000, **RULES)) == own_radius(
        "gaussian", anytime_lower(9_900, 10_000, 0.001), None, SIGMA
    )
    two_sided = radius_projected((0, 5, 5, 990), 3, Terms(n_planned=10_000, two_sided=True, **RULES))
    assert two_sided > radius_projected((0, 5, 5, 990), 3, Terms(n_planned=10_000, **RULES))


@pytest.mark.parametrize("share", [0.9, 0.99])
@pytest.mark.parametrize("two_sided", [False, True])
def test_it_ends_at_the_first_look_within_the_part_asked_for(share, two_sided):
    rng, n = np.random.default_rng(1), 10_000
    votes = np.cumsum(rng.random(n) < share)
    terms = Terms(n_planned=n, two_sided=two_sided, **RULES)

    def outcome(at: int) -> str | None:
        k = int(votes[at - 1])
        return within_outcome((at - k, k), 1, 0.1, terms)

    ended = next(at for at in looks(n) if outcome(at) is not None)
    assert ended < n
    assert all(outcome(at) is None for at in looks(n) if at < ended)
    k = int(votes[ended - 1])
    bound = anytime_lower(k, ended, 0.0005 if two_sided else 0.001)
    found = own_radius("gaussian", bound, None, SIGMA)
    assert found >= 0.9 * radius_projected((ended - k, k), 1, terms)
    # What all samples gave in the end is near what was projected.
    k = int(votes[-1])
    assert found >= 0.85 * own_radius("gaussian", anytime_lower(k, n, 0.001), None, SIGMA)


def test_a_class_that_cannot_be_certified_is_given_up_early():
    c = certify(0.6, n0=1, seed=3)
    assert c.candidate == 0  # the one sample that chose was for the class that has 40%
    assert c.settled == OUT_OF_REACH
    assert c.abstained
    assert c.n < 1_500
    terms = Terms(n_planned=4_000, **RULES)
    assert within_outcome((300, 60), 1, 0.05, terms) == OUT_OF_REACH
    assert within_outcome((180, 180), 1, 0.05, terms) is None
    # It may be wrong with probability alpha: as often as the truth, exactly 1/2, is called less.
    rng, wrong, loose = np.random.default_rng(4), 0, replace(terms, alpha=0.05)
    for _ in range(2_000):
        votes = np.cumsum(rng.random(500) < 0.5)
        wrong += any(
            within_outcome((at - int(votes[at - 1]), int(votes[at - 1])), 1, 0.05, loose) == OUT_OF_REACH
            for at in (32, 64, 128, 500)
        )
    assert wrong <= stats.binom.isf(1e-4, 2_000, 0.05)


def test_a_run_ends_at_the_same_sample_whatever_the_batch():
    runs = [certify(0.97, batch_size=size, within=0.1) for size in (7, 64, 1_000)]
    assert len({(c.n, c.counts, c.radius) for c in runs}) == 1
    c = runs[0]
    assert (c.settled, c.within, c.failure_probability, c.stopped) == (WITHIN, 0.1, 0.001, True)
    assert c.p_lower == anytime_lower(c.counts[1], c.n, 0.001)
    assert {check.status for check in check_arithmetic(c)} == {SAME}


@pytest.mark.parametrize("within", [0.0, 1.0, -0.1, math.nan])
def test_what_is_no_part_is_told(within):
    with pytest.raises(LabError, match=r"within is .*: expected a part above 0 and below 1"):
        certify(within=within)


def test_a_bound_of_a_fixed_n_is_refused():
    with pytest.raises(LabError, match="within needs a bound that holds wherever sampling ends"):
        certify(method="clopper-pearson")
