"""Projections: at the own n they are the certificate itself; at another, what the share of votes gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from core.errors import LabError
from core.evaluation.log import HEADER
from core.evaluation.projection import lower_bounds_of, project, vote_shares
from core.evaluation.recorded import RecordedEvaluation, read_recorded, recorded_from
from core.smoothing.bounds import clopper_pearson_lower
from core.smoothing.radius import l2_radius

STORED = Path(__file__).resolve().parents[2] / "assets" / "evaluations"
VOTES = (1000, 990, 900, 700, 560, 548, 540, 300)
"""Of 1,000 at alpha 0.001: the last three abstain."""


def made(
    votes: tuple[int, ...] = VOTES, n: int = 1000, keep: bool = True, changes: dict[str, object] | None = None
) -> RecordedEvaluation:
    """An evaluation whose every image was class 3, with these votes for it."""
    sigma, alpha = 0.25, 0.001
    side = {"sigma": sigma, "n0": 100, "n": n, "alpha": alpha, "method": "clopper-pearson"} | (changes or {})
    lines, kept = [], []
    for index, k in enumerate(votes):
        p = clopper_pearson_lower(k, n, alpha)
        radius = l2_radius(p, sigma)
        predict = 3 if p > 0.5 else -1
        lines.append(f"{index}\t3\t{predict}\t{radius:.6g}\t{int(p > 0.5)}\t1.0\n")
        counts = {"3": k, "5": n - k} if n > k else {"3": k}
        kept.append(json.dumps({"idx": index, "candidate": 3, "n": n, "p_lower": p, "settled": None, "counts": counts}) + "\n")
    text = "\t".join(HEADER) + "\n" + "".join(lines)
    return recorded_from("log.tsv", text.encode(), json.dumps(side).encode(), "".join(kept).encode() if keep else None)


@pytest.mark.parametrize("keep", [True, False])
def test_at_the_own_n_and_alpha_it_is_the_certificate(keep: bool) -> None:
    log = made(keep=keep)
    there = project(vote_shares(log), 1000, 0.001).outcomes
    assert there.radius == pytest.approx(log.outcomes.radius, rel=1e-5)
    assert np.array_equal(there.predict, log.outcomes.predict)
    assert np.array_equal(there.right, log.outcomes.right)


@pytest.mark.parametrize("path", sorted(STORED.glob("*.tsv")), ids=lambda path: path.stem)
def test_of_the_stored_evaluations_it_is_the_certificate_too(path: Path) -> None:
    log = read_recorded(path)
    assert log.made_by.n is not None
    assert log.made_by.alpha is not None
    there = project(vote_shares(log), log.made_by.n, log.made_by.alpha).outcomes
    assert there.radius == pytest.approx(log.outcomes.radius, rel=1e-5, abs=1e-6)
    assert np.array_equal(there.right, log.outcomes.right)


def test_votes_come_back_from_the_radii_where_they_were_not_kept() -> None:
    shares = vote_shares(made(keep=False))
    assert shares.votes.tolist() == [1000, 990, 900, 700, 560, -1, -1, -1]
    assert not shares.from_votes
    assert shares.unknown == 3
    kept = vote_shares(made())
    assert kept.votes.tolist() == list(VOTES)
    assert (kept.unknown, kept.from_votes, kept.unanimous) == (0, True, 1)


def test_at_ten_times_n_it_is_the_certificate_of_ten_times_the_votes() -> None:
    log, larger = made(), made(tuple(10 * k for k in VOTES), 10_000)
    there = project(vote_shares(log), 10_000, 0.001).outcomes
    assert there.radius == pytest.approx(larger.outcomes.radius, rel=1e-5, abs=1e-6)
    assert np.array_equal(there.right, larger.outcomes.right)
    assert there.right.sum() > log.outcomes.right.sum()  # some that abstained are expected to be certified


def test_the_bound_is_that_of_an_independent_source_between_whole_votes_too() -> None:
    there = project(vote_shares(made((737,), 1000)), 333, 0.01).outcomes
    k = 737 * 0.333
    assert there.radius[0] == pytest.approx(0.25 * stats.norm.ppf(stats.beta.ppf(0.01, k, 333 - k + 1)))


def test_it_is_near_what_drawing_gives() -> None:
    rng, share, n = np.random.default_rng(0), 0.93, 20_000
    drawn = [l2_radius(clopper_pearson_lower(int(k), n, 0.001), 0.25) for k in rng.binomial(n, share, 300)]
    expected = project(vote_shares(made((930,))), n, 0.001).outcomes.radius[0]
    assert expected == pytest.approx(np.mean(drawn), rel=0.01)


def test_more_samples_and_a_larger_alpha_never_take_away() -> None:
    shares = vote_shares(made())
    radii = np.array([project(shares, n, 0.001).outcomes.radius for n in (300, 1000, 3000, 100_000)])
    assert (np.diff(radii, axis=0) >= -1e-12).all()
    radii = np.array([project(shares, 1000, alpha).outcomes.radius for alpha in (1e-4, 1e-3, 1e-2)])
    assert (np.diff(radii, axis=0) >= -1e-12).all()


def test_abstentions_of_unknown_votes_stay_and_are_counted() -> None:
    there = project(vote_shares(made(keep=False)), 1_000_000, 0.05)
    assert there.unknown == 3
    assert there.outcomes.abstained.sum() == 3
    assert project(vote_shares(made()), 1_000_000, 0.05).outcomes.abstained.sum() == 1  # 300 of 1,000 never certify


@pytest.mark.parametrize("said", [{}, {"mixture": 0.5}], ids=["older", "now"])
def test_the_anytime_bound_is_projected_by_its_own_formula(said: dict[str, float]) -> None:
    from core.smoothing.bounds import anytime_lower

    votes, n = (990, 900, 600), 1000
    bounds = [anytime_lower(k, n, 0.001, said.get("mixture", 1.0)) for k in votes]
    lines = "".join(f"{i}\t3\t3\t{l2_radius(p, 0.25):.6g}\t1\t1\n" for i, p in enumerate(bounds))
    kept = "".join(
        json.dumps({"idx": i, "candidate": 3, "n": n, "p_lower": p, "settled": None, "counts": {"3": k, "1": n - k}}) + "\n"
        for i, (k, p) in enumerate(zip(votes, bounds, strict=True))
    )
    side = json.dumps({"sigma": 0.25, "n": n, "alpha": 0.001, "method": "anytime"} | said).encode()
    text = ("\t".join(HEADER) + "\n" + lines).encode()
    log = recorded_from("log.tsv", text, side, kept.encode())
    assert project(vote_shares(log), n, 0.001).outcomes.radius == pytest.approx(log.outcomes.radius, rel=1e-5)
    with pytest.raises(LabError, match="not kept"):
        vote_shares(recorded_from("log.tsv", text, side))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"n": None}, "sigma, n and alpha"),
        ({"until_radius": 0.25}, "biases the shares"),
        ({"table_radii": [0.25]}, "biases the shares"),
        ({"two_sided": True}, "only one-sided"),
        ({"norm": "linf"}, "only one-sided"),
        ({"n": 2000}, "no whole number of votes"),
    ],
)
def test_what_cannot_be_projected_is_said(changes: dict[str, object], told: str) -> None:
    with pytest.raises(LabError, match=told):
        vote_shares(made(tuple(range(950, 1000, 3)), keep=False, changes=changes))


@pytest.mark.parametrize(("n", "alpha"), [(0, 0.001), (10**9, 0.001), (1000, 0.0), (1000, 1.0)])
def test_impossible_numbers_are_refused(n: int, alpha: float) -> None:
    with pytest.raises(LabError, match="impossible"):
        project(vote_shares(made()), n, alpha)


def test_bounds_come_from_the_votes_or_else_from_the_radii() -> None:
    expected = [clopper_pearson_lower(k, 1000, 0.001) for k in VOTES]
    assert lower_bounds_of(made()) == pytest.approx(expected)
    from_radii = lower_bounds_of(made(keep=False))
    assert from_radii[:5] == pytest.approx(expected[:5], abs=1e-5)
    assert np.isnan(from_radii[5:]).all()
