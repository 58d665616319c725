"""Sampling until a radius is settled, or more samples would add little: both statements' rate of error, and what it saves."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import special, stats

import core
from core.errors import LabError
from core.smoothing.bounds import MIXTURE, UNIFORM, anytime_lower, clopper_pearson_lower
from core.smoothing.conclusion import (
    OUT_OF_REACH,
    REACHED,
    WITHIN,
    radius_outcome,
    radius_possible,
    radius_projected,
    samples_fixed_beforehand,
    within_outcome,
)
from core.smoothing.radius import own_radius, radii, share_needed
from core.smoothing.settings import Terms
from core.smoothing.table import looks
from core.verification.verify import SAME, check_arithmetic

RUNS, SIGMA, RADIUS = 20_000, 0.25, 0.5
SHAPE = (3, 4, 4)
GREY = torch.full(SHAPE, 0.5)
NEEDED = share_needed(RADIUS, "gaussian", "l2", SIGMA, SHAPE)


def rules(alpha=0.001, **changes):
    return {"alpha": alpha, "sigma": SIGMA, "shape": SHAPE} | changes


def classifier_with(share: float):
    """Class 1 for this share of the noisy copies of a grey picture, class 0 for the rest."""
    margin = SIGMA * stats.norm.ppf(share)

    def classifier(pixels):
        side = (pixels - 0.5).flatten(1).sum(dim=1) / math.sqrt(pixels[0].numel()) + margin
        return torch.stack([-side, side], dim=1)

    return classifier


def certify(share=0.99, **settings):
    chosen = {"sigma": SIGMA, "n": 5_000, "method": "anytime", "until_radius": RADIUS, "device": "cpu"}
    return core.certify(GREY, classifier_with(share), **(chosen | settings))


def log_martingale(k: np.ndarray, n: int, p: float, b: float = MIXTURE) -> np.ndarray:
    """log M_n(p) of many counts, through scipy's own Beta distribution."""
    k, back = np.unique(k, return_inverse=True)
    with np.errstate(divide="ignore"):
        tail = stats.beta.logsf(p, k + 1, n - k + b)
    mixture = math.log(b) + special.betaln(k + 1, n - k + b) + tail - b * math.log1p(-p)
    return (mixture - k * math.log(p) - (n - k) * math.log1p(-p))[back]


def simulate(share: float, n: int, alpha: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Many runs under the rule at once: (runs,) +1 reached, -1 out of reach, 0 not settled; (runs,) samples."""
    rng = np.random.default_rng(seed)
    k, done, outcome, samples = np.zeros(RUNS, int), 0, np.zeros(RUNS, int), np.full(RUNS, n)
    for at in looks(n):
        k, done = k + rng.binomial(at - done, share, RUNS), at
        # The lower bound passes a probability exactly when the martingale against it passes 1/alpha.
        reached = log_martingale(k, at, NEEDED) >= -math.log(alpha)
        out = log_martingale(at - k, at, 1 - NEEDED, UNIFORM) >= -math.log(alpha)
        for now, sign in ((reached, 1), (out, -1)):
            first = now & (outcome == 0)
            outcome[first], samples[first] = sign, at
    return outcome, samples


@pytest.mark.parametrize("alpha", [0.05, 0.001])
@pytest.mark.parametrize("off", [1e-9, 0.002])
def test_neither_statement_is_wrong_more_often_than_alpha(alpha, off):
    most = stats.binom.isf(1e-4, RUNS, alpha)
    below, _ = simulate(NEEDED - off, 3_000, alpha, seed=1)  # the radius does not hold
    above, _ = simulate(NEEDED + off, 3_000, alpha, seed=2)  # it does
    assert int((below == 1).sum()) <= most
    assert int((above == -1).sum()) <= most
    if off > 0.001:
        assert int((below == -1).sum()) > 10 * most / RUNS
        assert int((above == 1).sum()) > 10 * most / RUNS


@pytest.mark.parametrize("share", [0.96, 0.99, 0.9999])
def test_the_simulated_rule_is_the_one_in_use(share):
    rng = np.random.default_rng(3)
    for at in looks(3_000)[::6]:
        k = int(rng.binomial(at, share))
        rule = radius_outcome((at - k, k), 1, RADIUS, Terms(**rules()))
        reached = log_martingale(np.array([k]), at, NEEDED)[0] >= math.log(1_000)
        out = log_martingale(np.array([at - k]), at, 1 - NEEDED, UNIFORM)[0] >= math.log(1_000)
        assert rule == (REACHED if reached else OUT_OF_REACH if out else None)


@pytest.mark.parametrize(("share", "outcome"), [(0.999, 1), (0.99, 1), (0.95, -1), (0.7, -1)])
def test_a_clear_radius_takes_a_fraction_of_a_fixed_run(share, outcome):
    found, samples = simulate(share, 10_000, 0.001, seed=4)
    assert (found == outcome).mean() > 0.99
    limit = {0.999: 600, 0.99: 2_000, 0.95: 900, 0.7: 64}[share]
    assert samples.mean() < limit


def test_looks_are_fixed_and_grow():
    for n in (1, 31, 32, 33, 1_000, 1_000_000):
        at = looks(n)
        assert at[-1] == n
        assert list(at) == sorted(set(at))
        assert all(later - earlier <= max(32, earlier / 16) for earlier, later in itertools.pairwise(at))
    assert len(looks(1_000_000)) < 200
    assert looks(5_000) == (*(a for a in looks(1_000_000) if a < 5_000), 5_000)


@pytest.mark.parametrize(("share", "settled"), [(0.999, REACHED), (0.9, OUT_OF_REACH)])
def test_a_run_ends_as_soon_as_it_is_settled_whatever_the_batch(share, settled):
    runs = [certify(share, batch_size=size) for size in (7, 64, 1_000, None)]
    assert len({(c.n, c.counts, c.radius) for c in runs}) == 1
    c = runs[0]
    assert (c.settled, c.until_radius, c.n_planned, c.failure_probability) == (settled, RADIUS, 5_000, 0.001)
    assert c.n < 5_000
    assert c.n in looks(5_000)
    assert c.stopped
    assert (c.radius >= RADIUS) == (settled == REACHED)
    assert c.p_lower == anytime_lower(c.counts[1], c.n, 0.001)  # it stays a certificate
    # It could not have ended a look earlier.
    at = looks(5_000)[looks(5_000).index(c.n) - 1]
    earlier = core.certify(GREY, classifier_with(share), sigma=SIGMA, n=max(at, 20), device="cpu")
    assert radius_outcome(earlier.counts, 1, RADIUS, Terms(**rules())) is None


def test_a_run_that_settles_nothing_goes_on_to_n():
    c = certify(NEEDED, n=400)
    assert (c.settled, c.n, c.stopped) == (None, 400, False)


def test_stopping_before_it_is_settled_leaves_a_certificate():
    c = certify(0.99, n=5_000, batch_size=50, should_stop=iter([False, False] + [True] * 99).__next__)
    assert c.settled is None
    assert c.stopped


def test_progress_shows_the_bracket():
    told = []
    c = certify(0.999, on_progress=told.append)
    assert {p.until_radius for p in told} == {RADIUS}
    last = told[-1]
    assert last.counts == c.counts
    assert last.radius == c.radius >= RADIUS
    assert last.radius_possible > last.radius
    assert last.radius_possible == radius_possible(c.counts, 1, Terms(**rules()))
    assert last.radius_ceiling == c.radius_ceiling


def test_two_sided_possible_radius_holds_for_every_runner_up():
    # The true radius, of class 0 and the greatest of the others, is never ruled out more often than alpha allows.
    truth = (0.45, 0.15, 0.15, 0.15, 0.1)
    true = own_radius("gaussian", 0.45, 0.15, SIGMA)
    rng, wrong, sharp = np.random.default_rng(5), 0, 0
    for _ in range(400):
        counts, ever = np.zeros(5, int), False
        for _ in range(4):
            counts += rng.multinomial(250, truth)
            possible = radius_possible(counts.tolist(), 0, Terms(**rules(alpha=0.05, two_sided=True)))
            ever |= possible < true
        wrong += ever
        sharp += possible < 2 * true
    assert wrong <= stats.binom.isf(1e-4, 400, 0.05)
    assert sharp > 300


def test_possible_radius_without_votes_or_against_a_unanimous_vote_is_unlimited():
    assert radius_possible((0, 0), 0, Terms(**rules())) == math.inf
    for two_sided in (False, True):
        assert radius_possible((500, 0), 0, Terms(**rules(two_sided=two_sided))) == math.inf


@pytest.mark.parametrize(("noise", "norm"), [("gaussian", "linf"), ("uniform", "l1"), ("laplace", "l2")])
def test_the_radius_is_meant_in_the_norm_asked_for(noise, norm):
    radius = radii(noise, 0.9, None, SIGMA, SHAPE)[norm]
    asked = rules(noise=noise, norm=norm)
    assert radius_outcome((40, 1_960), 1, radius, Terms(**asked)) == REACHED
    assert radius_outcome((400, 1_600), 1, radius, Terms(**asked)) == OUT_OF_REACH
    assert radius_outcome((200, 1_800), 1, radius, Terms(**asked)) is None


def test_samples_of_a_fixed_run():
    for share in (0.99, 0.999, 1.0):
        n = samples_fixed_beforehand(share, RADIUS, Terms(**rules()))
        assert n is not None
        assert clopper_pearson_lower(math.ceil(share * n), n, 0.001) >= NEEDED
        assert clopper_pearson_lower(math.floor(share * (n - 1)), n - 1, 0.001) < NEEDED
    assert samples_fixed_beforehand(0.97, RADIUS, Terms(**rules())) is None
    assert samples_fixed_beforehand(NEEDED, RADIUS, Terms(**rules())) is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "clopper-pearson"}, "until_radius needs a bound that holds wherever sampling ends.*use method 'anytime'"),
        ({"until_radius": 0.0}, "until_radius is 0.0: expected a radius above 0"),
        ({"until_radius": -1.0}, "until_radius is -1.0"),
        ({"until_radius": math.nan}, "until_radius is nan"),
        ({"until_radius": math.inf}, "until_radius is inf"),
        ({"until_radius": 0.9}, r"until_radius is 0.9: 5,000 samples at alpha 0.001 can show l2 radius 0.\d+ at most"),
        ({"until_radius": 0.5, "norm": "linf"}, "can show linf radius 0.1"),
    ],
)
def test_what_cannot_be_settled_is_told(settings, says):
    with pytest.raises(LabError, match=says):
        certify(**settings)


def certify_within(share=0.99, **settings):
    return certify(share, **{"n": 4_000, "until_radius": None, "within": 0.05} | settings)


def test_projected_radius_is_that_of_the_same_shares():
    assert radius_projected((10, 990), 1, Terms(n_planned=10_000, **rules())) == own_radius(
        "gaussian", anytime_lower(9_900, 10_000, 0.001), None, SIGMA
    )
    two_sided = radius_projected((0, 5, 5, 990), 3, Terms(n_planned=10_000, two_sided=True, **rules()))
    assert two_sided > radius_projected((0, 5, 5, 990), 3, Terms(n_planned=10_000, **rules()))


@pytest.mark.parametrize("share", [0.9, 0.99])
@pytest.mark.parametrize("two_sided", [False, True])
def test_it_ends_at_the_first_look_within_the_part_asked_for(share, two_sided):
    rng, n = np.random.default_rng(1), 10_000
    votes = np.cumsum(rng.random(n) < share)
    terms = Terms(n_planned=n, two_sided=two_sided, **rules())

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
    c = certify_within(0.6, n0=1, seed=3)
    assert c.candidate == 0  # the one sample that chose was for the class that has 40%
    assert c.settled == OUT_OF_REACH
    assert c.abstained
    assert c.n < 1_500
    terms = Terms(n_planned=4_000, **rules())
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


def test_a_run_within_a_part_ends_at_the_same_sample_whatever_the_batch():
    runs = [certify_within(0.97, batch_size=size, within=0.1) for size in (7, 64, 1_000)]
    assert len({(c.n, c.counts, c.radius) for c in runs}) == 1
    c = runs[0]
    assert (c.settled, c.within, c.failure_probability, c.stopped) == (WITHIN, 0.1, 0.001, True)
    assert c.p_lower == anytime_lower(c.counts[1], c.n, 0.001)
    assert {check.status for check in check_arithmetic(c)} == {SAME}


@pytest.mark.parametrize("within", [0.0, 1.0, -0.1, math.nan])
def test_what_is_no_part_is_told(within):
    with pytest.raises(LabError, match=r"within is .*: expected a part above 0 and below 1"):
        certify_within(within=within)


def test_a_part_of_the_radius_of_a_fixed_n_is_refused():
    with pytest.raises(LabError, match="within needs a bound that holds wherever sampling ends"):
        certify_within(method="clopper-pearson")
