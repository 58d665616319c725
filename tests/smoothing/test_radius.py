"""Radii, against the inverse normal distribution of the standard library."""

from __future__ import annotations

import math
from statistics import NormalDist

import pytest

from core.errors import LabError
from core.smoothing.bounds import METHODS, lower_bound
from core.smoothing.radius import l2_radius, radius_ceiling


@pytest.mark.parametrize("p", [0.5 + 1e-9, 0.51, 0.6, 0.9, 0.99, 0.9999, 1 - 1e-9, 1 - 1e-14])
@pytest.mark.parametrize("sigma", [0.001, 0.12, 0.25, 1.0, 2.0])
def test_radius_is_sigma_times_the_normal_quantile(p, sigma):
    assert l2_radius(p, sigma) == pytest.approx(sigma * NormalDist().inv_cdf(p), rel=1e-6, abs=1e-12)
    # And back: the normal distribution at radius / sigma is p.
    assert 0.5 * math.erfc(-l2_radius(p, sigma) / sigma / math.sqrt(2)) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5])
def test_no_radius_without_a_majority(p):
    assert l2_radius(p, 0.25) == 0


def test_known_radii():
    assert l2_radius(0.99, 1.0) == pytest.approx(2.3263478740408408, abs=1e-12)
    assert l2_radius(0.975, 0.5) == pytest.approx(0.5 * 1.959963984540054, abs=1e-12)


@pytest.mark.parametrize(("n", "ceiling"), [(100, 1.500), (1_000, 2.463), (10_000, 3.199), (100_000, 3.811)])
def test_ceiling_at_alpha_a_thousandth(n, ceiling):
    assert radius_ceiling(1.0, n, 0.001) == pytest.approx(ceiling, abs=5e-4)
    assert radius_ceiling(0.25, n, 0.001) == pytest.approx(0.25 * NormalDist().inv_cdf(0.001 ** (1 / n)), abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_no_vote_exceeds_the_ceiling(method):
    ceiling = radius_ceiling(0.5, 200, 0.01, method)
    radii = [l2_radius(lower_bound(k, 200, 0.01, method, uniform=0.0), 0.5) for k in range(201)]
    assert max(radii) == ceiling
    assert radii[199] < ceiling


def test_ceiling_is_zero_below_the_least_n():
    assert radius_ceiling(1.0, 9, 0.001) == 0
    assert radius_ceiling(1.0, 10, 0.001) > 0


@pytest.mark.parametrize("sigma", [0.0, -0.25, math.nan, math.inf])
def test_unusable_sigmas_are_refused(sigma):
    with pytest.raises(LabError, match=r"sigma is .*expected a number above 0"):
        l2_radius(0.9, sigma)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_impossible_probabilities_are_refused(p):
    with pytest.raises(LabError, match="is impossible"):
        l2_radius(p, 0.25)
