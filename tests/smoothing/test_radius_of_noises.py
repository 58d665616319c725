"""Radii of every noise, against the exact worst case of Neyman and Pearson, worked out in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from core.errors import LabError
from core.smoothing.radius import NOISES, NORMS, OWN_NORM, own_radius, radii, share_needed, steepness
from tests.smoothing.worst_case import UNIT, cells, product, shifted, true_radius

SHAPE = (3, 5, 7)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("p", [0.51, 0.6, 0.8, 0.95, 0.999])
def test_one_sided_radius_is_the_worst_case_on_a_line(noise, p):
    # On a line nothing is lost: the radius is the true one, neither more (it would be false) nor less.
    assert own_radius(noise, p, None, 0.25) == pytest.approx(true_radius(noise, p, None, 0.25), rel=2e-3, abs=2e-4)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("p", "q"), [(0.6, 0.3), (0.45, 0.2), (0.9, 0.02), (0.3, 0.1), (0.8, 0.2), (0.2, 0.15)])
def test_two_sided_radius_is_the_worst_case_on_a_line(noise, p, q):
    exact = true_radius(noise, p, q, 0.5)
    assert own_radius(noise, p, q, 0.5) <= exact * (1 + 2e-3) + 2e-4
    assert own_radius(noise, p, q, 0.5) == pytest.approx(exact, rel=2e-3, abs=2e-4)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("split", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("p", [0.6, 0.9])
def test_no_direction_in_the_plane_is_worse(noise, split, p):
    # A change of exactly the radius, spread over two coordinates: the class still has half of the probability.
    radius = own_radius(noise, p, None, 1.0)
    share = np.array([1 - split, split])
    length = share.sum() if OWN_NORM[noise] == "l1" else np.linalg.norm(share)
    before, after = product([cells(noise, radius * part / length, 601) for part in share])
    # Cells smear the ratio a little in the adversary's disfavour: by no more than this here.
    assert shifted(before, after, p, least=True) >= 0.5 - 1e-3
    if split == 0:
        before, after = product([cells(noise, 1.1 * radius, 601), cells(noise, 0.0, 3)])
        assert shifted(before, after, p, least=True) < 0.5


@pytest.mark.parametrize("noise", NOISES)
def test_one_sided_is_two_sided_with_all_the_rest_as_runner_up(noise):
    for p in (0.5 + 1e-9, 0.7, 0.99, 1 - 1e-9):
        assert own_radius(noise, p, 1 - p, 0.25) == pytest.approx(own_radius(noise, p, None, 0.25), rel=1e-5)


@pytest.mark.parametrize("noise", NOISES)
def test_radius_grows_with_the_class_and_falls_with_the_runner_up(noise):
    grid = np.linspace(0.02, 0.98, 49)
    for q in (0.01, 0.2, 0.45):
        rising = [own_radius(noise, p, q, 0.25) for p in grid]
        assert rising == sorted(rising)
    for p in (0.3, 0.6, 0.99):
        falling = [own_radius(noise, p, q, 0.25) for q in grid]
        assert falling == sorted(falling, reverse=True)
        assert own_radius(noise, p, p, 0.25) == 0


def test_a_class_with_less_than_half_can_be_certified_by_two_bounds_only():
    for noise in NOISES:
        assert own_radius(noise, 0.4, None, 0.25) == 0
        assert own_radius(noise, 0.4, 0.3, 0.25) > 0


def test_uniform_noise_certifies_its_whole_reach_at_most():
    assert own_radius("uniform", 1.0, None, 0.25) == pytest.approx(math.sqrt(3) * 0.25)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("split", [0.2, 0.5])
@pytest.mark.parametrize(("p", "q"), [(0.9, 0.02), (0.4, 0.1)])
def test_no_direction_in_the_plane_is_worse_for_two_classes(noise, split, p, q):
    radius = own_radius(noise, p, q, 1.0)
    share = np.array([1 - split, split])
    length = share.sum() if OWN_NORM[noise] == "l1" else np.linalg.norm(share)
    before, after = product([cells(noise, radius * part / length, 601) for part in share])
    assert shifted(before, after, p, least=True) >= shifted(before, after, q, least=False) - 1e-3


def test_laplace_is_never_below_the_theorem_of_teng_et_al():
    b = 0.25 / math.sqrt(2)
    for p, q in [(0.9, 0.05), (0.3, 0.01), (0.6, 0.4), (0.99, 0.01), (0.5, 0.2)]:
        theirs = b * max(-math.log(1 - p + q), math.log(p / q) / 2)
        assert own_radius("laplace", p, q, 0.25) >= theirs * (1 - 1e-12)
    assert own_radius("laplace", 0.9, 0.1, 0.25) == pytest.approx(-b * math.log(0.2))
    assert own_radius("laplace", 0.5, 0.0, 0.25) == math.inf


@pytest.mark.parametrize("noise", NOISES)
def test_radii_in_other_norms_are_the_largest_balls_inside(noise):
    found = radii(noise, 0.9, None, 0.25, SHAPE)
    own = own_radius(noise, 0.9, None, 0.25)
    assert set(found) == set(NORMS)
    assert found[OWN_NORM[noise]] == own
    order = {"l1": 1, "l2": 2, "linf": np.inf}
    size = math.prod(SHAPE)
    rng = np.random.default_rng(0)
    for norm, radius in found.items():
        directions = [rng.normal(size=size) for _ in range(20)] + [np.ones(size), np.eye(size)[0]]
        lengths = [np.linalg.norm(d * radius / np.linalg.norm(d, order[norm]), order[OWN_NORM[noise]]) for d in directions]
        assert max(lengths) == pytest.approx(own)  # reached, by one of the last two, and never passed
        assert steepness(noise, norm, SHAPE) == pytest.approx(own / radius)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("norm", NORMS)
def test_share_needed_is_the_inverse(noise, norm):
    for p in (0.55, 0.9, 0.999):
        radius = radii(noise, p, None, 0.5, SHAPE)[norm]
        assert share_needed(radius, noise, norm, 0.5, SHAPE) == pytest.approx(p)
    assert share_needed(1e4, noise, norm, 0.5, SHAPE) >= 1 - 1e-12


def test_the_oracle_itself_knows_the_normal_distribution():
    before, after = cells("gaussian", 1.0, 6_001)
    assert before.sum() == pytest.approx(1) == after.sum()
    assert shifted(before, after, 0.8, least=True) == pytest.approx(stats.norm.cdf(stats.norm.ppf(0.8) - 1), abs=1e-4)
    assert shifted(before, after, 0.2, least=False) == pytest.approx(stats.norm.cdf(stats.norm.ppf(0.2) + 1), abs=1e-4)
    assert all(law.std() == pytest.approx(1) and law.mean() == pytest.approx(0, abs=1e-12) for law in UNIT.values())


@pytest.mark.parametrize("noise", NOISES)
def test_impossible_probabilities_are_refused(noise):
    for p, q in ((1.1, None), (-0.1, None), (0.5, 1.1), (0.5, math.nan)):
        with pytest.raises(LabError, match="is impossible: expected 0 to 1"):
            own_radius(noise, p, q, 0.25)
