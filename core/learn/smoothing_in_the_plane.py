"""Randomised smoothing of the classifier in the plane: the vote, its certificate, the truth, and how often a bound is wrong.

The truth is computed, not sampled: the base classifier's decision is taken as constant on cells of side 1/128, and the
Gaussian's weight of each cell is its exact integral, a product of two differences of the normal distribution function. In two
dimensions that is possible; in a picture's thousands it is not, which is why certificates rest on samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from core.learn.plane import CELLS, Classes, Floats, centres, decisions, plane_network
from core.smoothing.bounds import clopper_pearson_lower
from core.smoothing.radius import l2_radius

N0 = 100
"""Samples that choose the class, as in Cohen et al. (2019)."""
MOST = 100_000
"""The most votes that are drawn."""
NEAR = 24
"""So many nearest cells of another class are looked at when the nearest place of another class is searched."""


@dataclass(frozen=True)
class PlaneVote:
    """The votes of noisy copies of one point: of n samples, ``cloud`` (n, 2), and what each ``said`` (n,).
    ``candidate`` is the class that the first ``N0`` samples chose, which are not counted."""

    point: tuple[float, float]
    sigma: float
    candidate: int
    counts: tuple[int, int]
    cloud: Floats
    said: Classes


@dataclass(frozen=True)
class PlaneCertificate:
    """CERTIFY (Cohen et al. 2019) in the plane: ``k`` of ``n`` votes for the candidate; ``radius`` is 0 where it abstains."""

    candidate: int
    k: int
    n: int
    alpha: float
    sigma: float
    p_lower: float
    radius: float

    @property
    def abstained(self) -> bool:
        """Whether the lower bound does not exceed one half."""
        return self.p_lower <= 0.5


@dataclass(frozen=True)
class Flip:
    """The nearest place found where a classifier says something else: where it is, and how far."""

    place: tuple[float, float]
    distance: float


def votes_at(point: tuple[float, float], sigma: float, n: int, seed: int = 0) -> PlaneVote:
    """N0 samples choose the class and n fresh ones, at most ``MOST``, are counted; the same seed gives the same noise.
    ``sigma`` is per axis; at 0 every sample is the point itself."""
    noise = _noise(seed)
    classify = plane_network().classify
    place = np.asarray(point, float)
    first = classify(place + sigma * noise[:N0])
    cloud = place + sigma * noise[N0 : N0 + n]
    said = classify(cloud)
    ones = int(said.sum())
    candidate = int(first.sum() * 2 > N0)
    return PlaneVote(point, sigma, candidate=candidate, counts=(n - ones, ones), cloud=cloud, said=said)


def certify_vote(votes: PlaneVote, alpha: float) -> PlaneCertificate:
    """The Clopper-Pearson bound of the candidate's votes and its radius. Raises LabError unless alpha is between 0 and 1."""
    n = sum(votes.counts)
    k = votes.counts[votes.candidate]
    p_lower = clopper_pearson_lower(k, n, alpha)
    radius = l2_radius(p_lower, votes.sigma) if votes.sigma > 0 else 0.0
    return PlaneCertificate(candidate=votes.candidate, k=k, n=n, alpha=alpha, sigma=votes.sigma, p_lower=p_lower, radius=radius)


def share_of_ones(points: Floats, sigma: float) -> Floats:
    """(N,) probability under noise of class 1 at each of (N, 2) points; at sigma 0 the class of the cell it lies in."""
    across, up = _weights(points[:, 0], sigma), _weights(points[:, 1], sigma)
    return np.asarray(((up @ decisions()) * across).sum(1), np.float64)


@lru_cache(maxsize=64)
def smoothed_field(sigma: float) -> NDArray[np.float32]:
    """(M', M') probability of class 1 at the cell centres of :func:`field_axis`; the first index goes up."""
    weights = _weights(field_axis(), sigma)
    return np.asarray(weights @ decisions() @ weights.T, np.float32)


@cache
def field_axis() -> Floats:
    """The cell centres from -1/2 to 3/2, along one axis."""
    axis = centres()
    return axis[(axis > -0.5) & (axis < 1.5)]


def smoothed_square(sigma: float) -> tuple[Floats, Floats]:
    """The cell centres within the unit square, (K,) along one axis, and the (K, K) probability of class 1 there."""
    axis = field_axis()
    shown = (axis > 0) & (axis < 1)
    return axis[shown], smoothed_field(sigma)[np.ix_(shown, shown)].astype(np.float64)


def expected_radii(sigma: float, n: int, alpha: float) -> tuple[Floats, Floats]:
    """(K,) places along one axis of the unit square, and the (K, K) radii that n votes in their expected shares would certify.
    NaN where they would certify nothing."""
    axis, share = smoothed_square(sigma)
    bound = lower_bounds(np.floor(n * np.maximum(share, 1 - share)), n, alpha)
    with np.errstate(invalid="ignore"):
        return axis, np.where(bound > 0.5, sigma * special.ndtri(bound), np.nan)


def share_abstaining(sigma: float, n: int, alpha: float) -> float:
    """The part of the unit square where n votes in their expected shares certify nothing."""
    return float(np.isnan(expected_radii(sigma, n, alpha)[1]).mean())


def lower_bounds(votes: NDArray[Any], n: int, alpha: float) -> Floats:
    """The bounds of Clopper and Pearson (1934) for many counts at once, of n votes each."""
    return np.where(votes == 0, 0.0, special.betaincinv(np.maximum(votes, 1), n - votes + 1, alpha)).astype(np.float64)


def flip_of_base(point: tuple[float, float]) -> Flip | None:
    """The nearest place found where the network itself says something else."""
    network = plane_network()
    axis = centres()
    return _nearest_flip(point, axis, decisions() > 0.5, lambda places: network.margin(places) > 0)


def flip_of_smoothed(point: tuple[float, float], sigma: float) -> Flip | None:
    """The nearest place found where the smoothed classifier says something else: its true radius, up to the grid."""
    if sigma == 0:
        return flip_of_base(point)
    return _nearest_flip(point, field_axis(), smoothed_field(sigma) > 0.5, lambda places: share_of_ones(places, sigma) > 0.5)


def wrong_and_certified(sigma: float, n: int, alpha: float) -> tuple[tuple[float, float], int, PlaneCertificate] | None:
    """The training point, the moon that it lies on and the certificate, where the vote is most sure and wrong."""
    network = plane_network()
    ones = share_of_ones(network.points, sigma)
    sureness = np.where((ones > 0.5) != network.shown, np.abs(ones - 0.5), 0.0)
    best = int(sureness.argmax())
    point = (float(network.points[best, 0]), float(network.points[best, 1]))
    c = certify_vote(votes_at(point, sigma, n), alpha)
    label = int(network.shown[best])
    return None if c.abstained or c.candidate == label else (point, label, c)


@dataclass(frozen=True)
class Repeats:
    """Lower bounds from fresh votes, one a repetition, and the truth ``p``: those above it are wrong."""

    p: float
    bounds: Floats

    @property
    def wrong(self) -> int:
        """Repetitions whose bound is above the truth."""
        return int((self.bounds > self.p).sum())


def repeat(p: float, n: int, alpha: float, times: int, seed: int) -> Repeats:
    """Draw the votes ``times`` times and bound p each time by Clopper and Pearson (1934).

    >>> repeat(0.9, 1_000, 0.05, 2_000, 0).wrong <= 2_000 * 0.05 * 1.3
    True
    """
    votes = np.random.default_rng(seed).binomial(n, p, times)
    return Repeats(p, lower_bounds(votes, n, alpha))


def _nearest_flip(
    point: tuple[float, float], axis: Floats, classes: NDArray[np.bool_], decide: Callable[[Floats], NDArray[np.bool_]]
) -> Flip | None:
    """The nearest cells of the other class, and for each the border on the way there, by bisection."""
    start = np.asarray(point, float)
    own = bool(decide(start[None])[0])
    rows, columns = np.nonzero(classes != own)
    if rows.size == 0:
        return None
    other = np.stack([axis[columns], axis[rows]], 1)
    distance = np.hypot(*(other - start).T)
    other = other[np.argpartition(distance, min(NEAR, distance.size) - 1)[:NEAR]]
    # A cell of the grid and the classifier itself may differ right at the border.
    other = other[decide(other) != own]
    if other.size == 0:
        return None
    low, high = np.zeros(len(other)), np.ones(len(other))
    for _ in range(18):
        middle = (low + high) / 2
        flipped = decide(start + middle[:, None] * (other - start)) != own
        low, high = np.where(flipped, low, middle), np.where(flipped, middle, high)
    places = start + high[:, None] * (other - start)
    distance = np.hypot(*(places - start).T)
    best = int(distance.argmin())
    return Flip((float(places[best, 0]), float(places[best, 1])), float(distance[best]))


def _weights(places: Floats, sigma: float) -> NDArray[np.float32]:
    """(N, M) share of a Gaussian around each place that falls into each cell; the outermost cells take all beyond them."""
    edges = np.concatenate([[-np.inf], centres()[:-1] + 0.5 / CELLS, [np.inf]])
    if sigma == 0:
        column = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, len(edges) - 2)
        return np.eye(len(edges) - 1, dtype=np.float32)[column]
    shares = np.diff(special.ndtr((edges - places[:, None]) / sigma), axis=1)
    return shares.astype(np.float32)


@lru_cache(maxsize=4)
def _noise(seed: int) -> Floats:
    return np.random.default_rng(seed).standard_normal((N0 + MOST, 2))
