"""Smoothing in the plane: against brute force, and against a half-space, where everything is known."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

import core.learn.smoothing_in_the_plane as smoothing
from core.learn.plane import Floats, centres, plane_network
from core.learn.smoothing_in_the_plane import (
    Flip,
    certify_vote,
    field_axis,
    flip_of_base,
    flip_of_smoothed,
    share_of_ones,
    smoothed_field,
    votes_at,
)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
def test_shares_agree_with_brute_force(sigma: float) -> None:
    random = np.random.default_rng(7)
    points = random.uniform(0, 1, (12, 2))
    computed = share_of_ones(points, sigma)
    draws = 40_000
    for point, share in zip(points, computed, strict=True):
        ones = int(plane_network().classify(point + sigma * random.standard_normal((draws, 2))).sum())
        # 4.5 standard deviations, and what the cells of the grid may be wrong by along a border.
        assert ones / draws == pytest.approx(share, abs=4.5 * math.sqrt(0.25 / draws) + 0.004)


def test_the_field_is_the_share_at_its_places_and_at_sigma_0_the_network_itself() -> None:
    axis = field_axis()
    places = np.array([[axis[40], axis[200]], [axis[128], axis[100]]])
    field = smoothed_field(0.1)
    np.testing.assert_allclose(share_of_ones(places, 0.1), [field[200, 40], field[100, 128]], atol=1e-5)
    assert set(np.unique(smoothed_field(0.0))) == {0.0, 1.0}
    np.testing.assert_array_equal(share_of_ones(places, 0.0), plane_network().classify(places))


class HalfSpace:
    """Class 1 to the right of x = 0.4: its smoothed version is known in closed form."""

    border = 0.4

    def margin(self, points: Floats) -> Floats:
        return np.asarray(points[:, 0] - self.border)

    def classify(self, points: Floats) -> np.ndarray:
        return (self.margin(points) > 0).astype(np.uint8)


@pytest.fixture
def half_space(monkeypatch: pytest.MonkeyPatch) -> Iterator[HalfSpace]:
    network = HalfSpace()
    classes = np.broadcast_to((centres() > network.border).astype(np.float32), (len(centres()),) * 2)
    monkeypatch.setattr(smoothing, "plane_network", lambda: network)
    monkeypatch.setattr(smoothing, "decisions", lambda: classes)
    smoothed_field.cache_clear()
    yield network
    smoothed_field.cache_clear()


@pytest.mark.parametrize("sigma", [0.05, 0.12, 0.25])
def test_a_half_space_has_the_radius_of_the_theorem(half_space: HalfSpace, sigma: float) -> None:
    point = (0.55, 0.5)
    share = float(share_of_ones(np.array([point]), sigma)[0])
    # The border lies within a cell of 1/128 of where the network has it.
    assert stats.norm.ppf(share) * sigma == pytest.approx(0.15, abs=1 / 128)
    found = flip_of_smoothed(point, sigma)
    assert found is not None
    assert found.distance == pytest.approx(0.15, abs=1 / 128)
    assert found.distance == pytest.approx(stats.norm.ppf(share) * sigma, abs=1e-3), "tight for a half-space"
    base = flip_of_base(point)
    assert base is not None
    assert base.distance == pytest.approx(0.15, abs=1e-4)
    assert base.place[0] == pytest.approx(0.4, abs=1e-4)


def test_where_there_is_no_other_class_there_is_no_flip(half_space: HalfSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoothing, "decisions", lambda: np.ones((len(centres()),) * 2, np.float32))
    assert flip_of_base((0.9, 0.5)) is None
    assert flip_of_smoothed((0.9, 0.5), 0.1) is None


@pytest.mark.parametrize("point", [(0.5, 0.3), (0.25, 0.6), (0.31, 0.72), (0.9, 0.9), (0.0, 1.0)])
def test_a_flip_is_a_flip_and_no_nearer_one_is_found_by_a_scan(point: tuple[float, float]) -> None:
    network = plane_network()
    own = network.classify(np.array([point]))[0]
    found = flip_of_base(point)
    assert isinstance(found, Flip)
    assert network.classify(np.array([found.place]))[0] != own
    angles, lengths = np.linspace(0, 2 * np.pi, 720, endpoint=False), np.linspace(0, 0.93, 80) * found.distance
    disc = np.array(point) + (lengths[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], -1)).reshape(-1, 2)
    assert (network.classify(disc) == own).mean() > 0.999  # a sliver thinner than a cell may be missed


def test_certificates_use_the_bound_and_keep_within_the_true_radius() -> None:
    for point in [(0.5, 0.3), (0.6, 0.25), (0.25, 0.8), (0.4, 0.55)]:
        votes = votes_at(point, 0.1, 10_000)
        c = certify_vote(votes, 0.001)
        assert sum(votes.counts) == c.n == 10_000
        assert c.k == votes.counts[votes.candidate]
        assert c.p_lower == pytest.approx(stats.beta.ppf(0.001, c.k, c.n - c.k + 1))
        true = flip_of_smoothed(point, 0.1)
        assert true is not None
        if c.abstained:
            assert c.radius == 0
        else:
            assert c.radius == pytest.approx(0.1 * stats.norm.ppf(c.p_lower))
            assert c.radius < true.distance


def test_the_n0_samples_are_not_counted_again_and_the_seed_fixes_the_noise() -> None:
    votes = votes_at((0.5, 0.5), 0.1, 500)
    again = votes_at((0.5, 0.5), 0.1, 500)
    np.testing.assert_array_equal(votes.cloud, again.cloud)
    assert not np.array_equal(votes_at((0.5, 0.5), 0.1, 500, seed=1).cloud, votes.cloud)
    more = votes_at((0.5, 0.5), 0.1, 500 + smoothing.N0)
    np.testing.assert_array_equal(more.cloud[:500], votes.cloud)
    noise = (votes.cloud - 0.5) / 0.1
    assert abs(noise.mean()) < 0.15
    assert noise.std() == pytest.approx(1, abs=0.1)


def test_without_noise_nothing_is_certified() -> None:
    c = certify_vote(votes_at((0.5, 0.3), 0.0, 1_000), 0.001)
    assert c.k == 1_000
    assert c.radius == 0
