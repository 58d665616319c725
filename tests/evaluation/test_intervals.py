"""How often intervals over images err: exact sums where values are 0 or 1, simulated runs where they are not.

Beside each stands what it replaced, and how often that erred.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from core.evaluation.curve import best_steps, envelope, summarise
from core.evaluation.intervals import log_wealth, mean_interval, share_interval
from core.evaluation.log import LogLine, Outcomes
from core.evaluation.recorded import RecordedEvaluation, recorded_from
from experiments.repeated_looks import ALPHA, best_of, mean_missed, mostly_wrong, watched


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_growing_evaluation_errs_at_any_moment_no_more_often_than_it_says(share: float) -> None:
    assert watched(share, now=True) <= ALPHA
    assert watched(share, now=False) > 0.2, "which is why Clopper-Pearson is not shown there"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_what_is_shown_of_a_growing_evaluation_is_what_the_sums_are_of(share: float) -> None:
    for n in (1, 7, 60):
        k = np.arange(n + 1.0)
        low, high = share_interval(k, n, growing=True)
        sides = (([0.0, 1.0], share), ([1.0, 0.0], 1 - share))
        times = np.stack([n - k, k], axis=1)
        against = [log_wealth(np.array(values), times, np.full(n + 1, mean)) for values, mean in sides]
        assert ((low <= share) & (share <= high)).tolist() == (np.max(against, axis=0) < -np.log(ALPHA / 2)).tolist()


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_finished_evaluation_errs_no_more_often_than_it_says(share: float) -> None:
    n = 250
    low, high = share_interval(np.arange(n + 1), n)
    assert stats.binom.pmf(np.arange(n + 1), n, share)[(share < low) | (high < share)].sum() <= ALPHA


@pytest.mark.parametrize("among", [2, 4, 20])
def test_the_best_of_several_errs_no_more_often_than_it_says(among: int) -> None:
    assert best_of(among, now=True) <= ALPHA
    assert best_of(4, now=False) > 1.5 * ALPHA
    assert best_of(20, now=False) > 6 * ALPHA


def log_of(right: NDArray[np.bool_], name: str = "log", more: str = "") -> RecordedEvaluation:
    lines = [f"{i}\t1\t{int(r)}\t{0.4 if r else 0.1}\t{int(r)}\t0.5\n" for i, r in enumerate(right)]
    side = f'{{"sigma": 0.25, "n": 1000, "alpha": 0.001{more}}}'.encode()
    return recorded_from(f"{name}.tsv", ("idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + "".join(lines)).encode(), side)


def test_whatever_names_the_best_of_several_has_the_interval_that_allows_for_it() -> None:
    rng = np.random.default_rng(0)
    logs = {str(place): log_of(rng.random(250) < 0.5, str(place)) for place in range(4)}
    best = envelope(logs, [0.3])[0.3]
    k = round(best.certified * 250)
    (low,), (high,) = share_interval([k], 250, among=4)
    assert best.interval == (low, high)
    steps = best_steps({key: log.outcomes for key, log in logs.items()})
    place = int(np.searchsorted(steps.radii, 0.3))
    assert (steps.low[place], steps.high[place]) == (low, high)
    (alone,), _ = share_interval([k], 250)
    assert low < alone
    assert envelope({"0": logs["0"]}, [0.3])[0.3].interval == summarise(logs["0"].outcomes, [0.3]).interval[0.3]


def test_a_log_that_lacks_images_is_growing_and_one_that_does_not_say_is_not() -> None:
    right = np.arange(100) < 60
    for more, method in ((', "images": 250', "anytime"), (', "images": 100', "clopper-pearson"), ("", "clopper-pearson")):
        log = log_of(right, more=more)
        summary = summarise(log.outcomes, [0.3])
        assert summary.interval_method == method
        (low,), (high,) = share_interval([60], 100, growing=method == "anytime")
        assert summary.interval[0.3] == summary.clean_interval == (low, high)
        assert summarise(log.outcomes.where(log.outcomes.label == 1), []).interval_method == method


def test_twenty_images_of_which_almost_all_are_wrong() -> None:
    assert mean_missed(now=True) <= ALPHA
    assert mean_missed(now=False) > 0.6, "what its standard error gave"


@pytest.mark.parametrize("kind", ["rare", "uniform", "certified"])
def test_the_mean_is_missed_at_any_moment_no_more_often_than_it_says(kind: str) -> None:
    rng, runs, images = np.random.default_rng(2), 300, 300
    shape = (runs, images)
    values, truth = {
        "rare": (mostly_wrong(rng, shape), 0.015),
        "uniform": (rng.random(shape), 0.5),
        "certified": (np.where(rng.random(shape) < 0.7, rng.beta(5, 1, shape), 0.0), 0.7 * 5 / 6),
    }[kind]
    seen = np.arange(images) < np.arange(10, images + 1, 10)[:, None]  # looked at after every ten images
    sides = ((values, truth), (1 - values, 1 - truth))
    wealth = [[log_wealth(one, seen, np.full(len(seen), mean)).max() for one in side] for side, mean in sides]
    assert (np.max(wealth, axis=0) >= -np.log(ALPHA / 2)).sum() <= stats.binom.isf(1e-4, runs, ALPHA)


def test_an_interval_misses_a_mean_just_where_the_bets_against_it_have_won() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        values = rng.beta(2, 3, int(rng.integers(2, 60)))
        for end, found in zip(mean_interval(values), (values, 1 - values), strict=True):
            at = end if found is values else 1 - end
            wealth = log_wealth(found, np.ones((1, len(found))), np.array([at * 0.999, at * 1.001]))
            assert wealth[0] > -np.log(ALPHA / 2) > wealth[1]


def test_an_interval_does_not_depend_on_the_order_and_narrows_with_images() -> None:
    values = np.random.default_rng(4).beta(2, 3, 2_000)
    ends = mean_interval(values[:200])
    assert mean_interval(values[:200][::-1].copy()) == pytest.approx(ends)
    assert np.diff(mean_interval(values))[0] < 0.5 * np.diff(ends)[0]
    shares = [share_interval([k], n, growing=True) for k, n in ((100, 200), (1_000, 2_000))]
    assert shares[1][1] - shares[1][0] < 0.5 * (shares[0][1] - shares[0][0])


@pytest.mark.parametrize("right", [0, 1, 250])
def test_the_ends_of_what_can_be(right: int) -> None:
    for growing in (False, True):
        low, high = share_interval([right], 250, growing=growing)
        assert 0 <= low[0] <= right / 250 <= high[0] <= 1
        assert (low[0] == 0) == (right == 0)
        assert (high[0] == 1) == (right == 250)
    assert mean_interval(np.full(5, right / 250))[0] <= right / 250 <= mean_interval(np.full(5, right / 250))[1]


def test_the_mean_radius_has_no_interval_where_nobody_knows_what_could_be_certified_at_most() -> None:
    lines = [LogLine(i, 1, 1, 0.5, True, 0.1) for i in range(50)]
    assert summarise(lines, []).acr_interval is None
    low, high = summarise(Outcomes.of(lines), [], ceiling=0.8).acr_interval or (0, 0)
    assert 0.3 < low < 0.5 < high < 0.8
    log = log_of(np.arange(100) < 60)
    assert log.made_by.ceiling is not None
    found = summarise(log.outcomes, [], ceiling=log.made_by.ceiling)
    assert found.acr_interval == pytest.approx(
        tuple(end * log.made_by.ceiling for end in mean_interval(np.where(np.arange(100) < 60, 0.4 / log.made_by.ceiling, 0)))
    )
