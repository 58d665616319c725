"""Testing the radii of a table: the rate of error, what is given up, and what is saved."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats

import core
from core.errors import LabError
from core.smoothing.bounds import GROUP_SEQUENTIAL, clopper_pearson_lower
from core.smoothing.conclusion import TABLE
from core.smoothing.radius import radii, share_needed
from core.smoothing.settings import Terms
from core.smoothing.table import EARLY, UNLIKELY, chance, limits, looks, radii_reached, released, table_is_settled
from core.verification.verify import SAME, check_arithmetic

SIGMA, SHAPE, RUNS = 0.25, (3, 4, 4), 20_000
TABLE_RADII = (0.25, 0.5, 0.75)
RULES = {"alpha": 0.001, "sigma": SIGMA, "shape": SHAPE, "noise": "gaussian", "norm": "l2"}
GREY = torch.full(SHAPE, 0.5)


def needed(radius: float) -> float:
    return share_needed(radius, "gaussian", "l2", SIGMA, SHAPE)


def classifier_with(share: float):
    """Class 1 for this share of the noisy copies of a grey picture, class 0 for the rest."""
    margin = SIGMA * stats.norm.ppf(share)

    def classifier(pixels):
        side = (pixels - 0.5).flatten(1).sum(dim=1) / math.sqrt(pixels[0].numel()) + margin
        return torch.stack([-side, side], dim=1)

    return classifier


def certify(share=0.99, **settings):
    chosen = {"sigma": SIGMA, "n": 4_000, "method": GROUP_SEQUENTIAL, "table_radii": (0.25, 0.5), "device": "cpu"}
    return core.certify(GREY, classifier_with(share), **(chosen | settings))


@pytest.mark.parametrize("share", [Fraction(1, 2), Fraction(4, 5), Fraction(97, 100)])
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_chance_of_error_exactly(share, alpha):
    # Two looks, 32 and 50, every path counted in fractions.
    n, against = 50, 1 - share
    at = looks(n)
    assert at == (32, 50)
    first, last = limits(float(share), n, alpha)

    def binomial(m: int, k: int) -> Fraction:
        return math.comb(m, k) * against**k * share ** (m - k)

    early = sum((binomial(32, k) for k in range(first + 1)), Fraction(0))

    def crosses_last(limit: int) -> Fraction:
        return sum(
            (binomial(32, k) * binomial(18, more) for k in range(first + 1, 33) for more in range(19) if k + more <= limit),
            Fraction(0),
        )

    assert early + crosses_last(last) <= alpha
    # Neither limit could be greater.
    assert early + binomial(32, first + 1) > alpha * EARLY * math.log(2) / math.log(50 / 16)
    assert early + crosses_last(last + 1) > alpha


@pytest.mark.parametrize("radius", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_no_radius_is_claimed_more_often_than_alpha(radius, alpha):
    # The true radius is this one less a hair; a claim at any look, even one that would not end a run, counts as an error.
    rng, n = np.random.default_rng(1), 3_000
    at, share = looks(n), needed(radius)
    against, wrong, done = np.zeros(RUNS, int), np.zeros(RUNS, bool), 0
    for look, limit in zip(at, limits(share, n, alpha), strict=True):
        against, done = against + rng.binomial(look - done, 1 - share, RUNS), look
        wrong |= against <= limit
    assert wrong.sum() <= stats.binom.isf(1e-4, RUNS, alpha)
    assert wrong.sum() >= stats.binom.isf(1 - 1e-4, RUNS, 0.7 * alpha)  # and nearly all of alpha is made use of


def test_several_radii_share_no_alpha():
    # Between the first and the second radius: only claims of the second or third are wrong, and a third needs the second.
    rng, n, alpha = np.random.default_rng(2), 1_000, 0.05
    share, runs = needed(0.5) - 1e-9, 2_000
    terms = Terms(n_planned=n, table_radii=(0.25, 0.5, 0.6), **RULES | {"alpha": alpha})
    wrong = sharp = 0
    for _ in range(runs):
        votes, done, worst = 0, 0, 0
        for look in looks(n):
            votes, done = votes + int(rng.binomial(look - done, share)), look
            worst = max(worst, radii_reached(votes, done, terms))
        wrong += worst >= 2
        sharp += worst >= 1
    assert wrong <= stats.binom.isf(1e-4, runs, alpha)
    assert sharp > 0.99 * runs


@pytest.mark.parametrize(
    ("votes", "n", "limit", "n_planned"), [(32, 32, 3, 10_000), (990, 1_000, 170, 10_000), (90, 96, 60, 400)]
)
def test_chance_is_that_of_the_beta_binomial(votes, n, limit, n_planned):
    oracle = stats.betabinom(n_planned - n, n - votes + 0.1, votes + 1).cdf(limit - (n - votes))
    assert chance(votes, n, limit, n_planned) == pytest.approx(oracle, rel=1e-6)
    assert chance(n - limit - 1, n, limit, n_planned) == 0


def test_what_is_given_up_would_rarely_have_been_reached():
    rng, n = np.random.default_rng(3), 2_000
    terms = Terms(n_planned=n, table_radii=(0.5,), **RULES)
    given_up = lost = 0
    for share in rng.beta(1, 0.1, 3_000):
        votes = rng.random(n) < share
        for at in looks(n):
            k = int(votes[:at].sum())
            if table_is_settled(k, at, terms):
                break
        if not radii_reached(k, at, terms):
            given_up += 1
            lost += radii_reached(int(votes.sum()), n, terms)
    assert given_up > 200
    assert lost <= stats.binom.isf(1e-4, given_up, UNLIKELY)


def test_at_its_end_it_asks_hardly_more_than_a_fixed_run():
    for radius, more in ((0.25, 6), (0.5, 2), (0.75, 0)):
        last = limits(needed(radius), 10_000, 0.001)[-1]
        fixed = max(k for k in range(2_000) if clopper_pearson_lower(10_000 - k, 10_000, 0.001) >= needed(radius))
        assert 0 <= fixed - last <= more
    assert limits(0.5, 10, 0.001) == (0,)
    assert limits(0.9999, 10, 0.001) == (-1,)
    assert released(32, 1_000) > 0


@pytest.mark.parametrize("n", [1_000, 20_000, 200_000])
def test_sums_by_fourier_transform_are_those_of_products(n, monkeypatch):
    exact = limits.__wrapped__(0.8, n, 0.001) if n < 100_000 else None
    monkeypatch.setattr("core.smoothing.table.MOST_PRODUCTS", 0)
    by_transform = limits.__wrapped__(0.8, n, 0.001)
    if exact is not None:
        assert by_transform == exact
    assert len(by_transform) == len(looks(n))
    assert by_transform[-1] == pytest.approx(0.2 * n - 3.2 * math.sqrt(0.16 * n), rel=0.02)


@pytest.mark.parametrize(("share", "radius"), [(0.9999, 0.5), (0.95, 0.25), (0.6, 0.0)])
def test_a_certificate_has_the_greatest_radius_reached_whatever_the_batch(share, radius):
    runs = [certify(share, batch_size=size) for size in (7, 64, 1_000, None)]
    assert len({(c.n, c.counts, c.radius, c.settled) for c in runs}) == 1
    c = runs[0]
    assert (c.radius, c.settled, c.table_radii, c.failure_probability) == (radius, TABLE, (0.25, 0.5), 0.001)
    assert c.abstained == (radius == 0)
    assert c.stopped
    assert c.n < 2_000
    assert c.n in looks(4_000)
    assert c.radii["l2"] == radius  # to the last digit, so that a curve counts it
    if radius:
        assert c.p_lower == pytest.approx(needed(radius))
    assert {check.status for check in check_arithmetic(c)} == {SAME}
    for at in looks(4_000)[: looks(4_000).index(c.n)][-2:]:  # it could not have ended earlier
        earlier = core.certify(GREY, classifier_with(share), sigma=SIGMA, n=at, device="cpu").counts[1]
        assert not table_is_settled(earlier, at, Terms(n_planned=4_000, table_radii=(0.25, 0.5), **RULES))


def test_radius_0_asks_for_a_class():
    c = certify(0.7, table_radii=(0.0, 0.25))
    assert (c.prediction, c.radius, c.abstained, c.p_lower) == (1, 0.0, False, 0.5)
    assert {check.status for check in check_arithmetic(c)} == {SAME}
    assert certify(0.5, table_radii=(0.0, 0.25), seed=1).abstained


@pytest.mark.parametrize(("noise", "norm"), [("gaussian", "linf"), ("uniform", "l1"), ("laplace", "l2")])
def test_other_noises_and_norms(noise, norm):
    found = radii(noise, 0.9, None, SIGMA, SHAPE)
    terms = Terms(n_planned=1_000, table_radii=(found[norm],), **RULES | {"noise": noise, "norm": norm})
    assert radii_reached(950, 1_000, terms) == 1
    assert radii_reached(900, 1_000, terms) == 0


def test_stopped_between_looks_it_keeps_what_was_reached():
    stop = iter([False] * 70 + [True] * 99).__next__
    c = certify(0.9999, batch_size=7, table_radii=(0.25, 0.6), should_stop=stop)
    assert c.stopped
    assert c.n not in looks(4_000)
    assert (c.radius, c.settled, c.method, c.failure_probability) == (0.25, None, GROUP_SEQUENTIAL, 0.001)
    assert {check.status for check in check_arithmetic(c)} == {SAME}


def test_same_accuracy_for_a_fifth_of_the_samples():
    # Shares as those of CIFAR-10 behind a denoiser; the same draws under the fixed n and under the table.
    rng, n = np.random.default_rng(5), 10_000
    terms = Terms(n_planned=n, table_radii=TABLE_RADII, **RULES)
    taken, early, fixed = 0, np.zeros(3), np.zeros(3)
    shares = np.concatenate([rng.beta(1.2, 0.4, 150), rng.beta(8, 0.05, 50)])
    for share in shares:
        votes = np.cumsum(rng.random(n) < share)
        at = next(at for at in looks(n) if table_is_settled(int(votes[at - 1]), at, terms))
        taken += at
        early += np.arange(3) < radii_reached(int(votes[at - 1]), at, terms)
        bound = clopper_pearson_lower(int(votes[-1]), n, 0.001)
        fixed += [bound >= needed(radius) for radius in TABLE_RADII]
    assert abs(early - fixed).max() <= 0.01 * len(shares)
    assert fixed[2] > 10
    assert taken < 0.35 * n * len(shares)  # more of these shares than of those of CIFAR-10 lie near 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "anytime"}, "tested by method 'group-sequential', not by anytime"),
        ({"table_radii": None}, "Method 'group-sequential' tests radii that are given beforehand"),
        ({"table_radii": ()}, "table_radii is empty"),
        ({"table_radii": (0.5, 0.25)}, "table_radii is 0.5, 0.25: expected 1 to 50 ascending radii"),
        ({"table_radii": (-0.5, 0.25)}, "table_radii is -0.5"),
        ({"table_radii": (math.nan,)}, "table_radii is nan"),
        ({"table_radii": (2.0,)}, "The least of table_radii is 2, which no vote of 4,000 samples at alpha 0.001 can"),
        ({"two_sided": True}, "leave two_sided out"),
        ({"until_radius": 0.5}, "until_radius and table_radii ask different questions"),
        ({"within": 0.05}, "within and table_radii ask different questions"),
    ],
)
def test_what_cannot_be_tested_is_told(settings, says):
    with pytest.raises(LabError, match=says):
        certify(**settings)
