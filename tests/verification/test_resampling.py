"""Sampling again: true certificates hold, forged ones are caught."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from core.errors import LabError
from core.smoothing.bounds import anytime_lower, anytime_p_value, fisher_p_value
from core.smoothing.certify import certify
from core.verification.resampling import (
    LEVEL,
    claim_p_value,
    compare_fresh_seed,
    compare_same_seed,
    consistency_p_value,
    resample,
    usual_fresh_n,
)
from core.verification.verify import DIFFERS, NOT_CHECKED, SAME, check_arithmetic


def sampled(case, certificate=None, **options):
    c = case.certificate if certificate is None else certificate
    return resample(c, case.picture, case.classifier, case.denoiser, device="cpu", **{"fresh_n": 250} | options)


def one_vote_moved(certificate):
    counts = list(certificate.counts)
    candidate = certificate.candidate
    loser = next(index for index, votes in enumerate(counts) if votes and index != candidate)
    counts[candidate], counts[loser] = counts[candidate] + 1, counts[loser] - 1
    return dataclasses.replace(certificate, counts=tuple(counts))


def test_the_same_seed_gives_the_same_counts_whatever_the_batches(case) -> None:
    (check,) = sampled(case, batch_size=37)
    assert (check.name, check.status) == ("counts, same seed", SAME)
    assert "vote for vote" in check.sentence
    assert check.stated == check.found == list(case.certificate.counts)
    assert case.certificate.n - max(case.certificate.counts) > 20, "a unanimous vote would show nothing"


def test_a_fresh_seed_is_consistent_and_its_counts_others(case, anytime_case) -> None:
    for one in (case, anytime_case):
        check, radius = sampled(one, same_seed=False, fresh_seed=8)
        assert (check.name, check.status) == ("counts, fresh seed", SAME)
        assert check.p_value is not None
        assert check.p_value > 0.001
        assert check.found != check.stated
        assert sum(check.found) == one.certificate.n
        assert (radius.name, radius.status) == ("radius, fresh seed", SAME)


def test_inflated_counts_are_caught_by_either(case, anytime_case, forged) -> None:
    for one in (case, anytime_case):
        false = forged(one.certificate)
        assert {check.status for check in check_arithmetic(false)} == {SAME}, "the forger can count"
        same, fresh, radius = sampled(one, false, fresh_seed=8)
        assert same.status == fresh.status == radius.status == DIFFERS
        assert "where none should" in same.sentence
        assert "not consistent" in fresh.sentence
        assert fresh.p_value < 0.001


def test_a_single_moved_vote_is_seen_with_the_same_seed(case) -> None:
    (check,) = sampled(case, one_vote_moved(case.certificate))
    assert check.status == DIFFERS
    assert "1 of 250 votes" in check.sentence


def test_another_seed_or_candidate_than_the_true_one_is_seen(case) -> None:
    (check,) = sampled(case, dataclasses.replace(case.certificate, seed=4))
    assert check.status == DIFFERS
    other = (case.certificate.candidate + 1) % 10
    (check,) = sampled(case, dataclasses.replace(case.certificate, candidate=other))
    assert check.status == DIFFERS
    assert "another class" in check.sentence


def test_elsewhere_exactness_is_not_expected_and_the_statistics_decide(case, forged) -> None:
    close = one_vote_moved(case.certificate)
    old = close.versions | {"numpy": "1.0"}
    for made_elsewhere in (dataclasses.replace(close, device="cuda:1"), dataclasses.replace(close, versions=old)):
        (check,) = sampled(case, made_elsewhere)
        assert check.status == SAME
        assert "not expected" in check.sentence
        assert check.p_value > 0.001
    (check,) = sampled(case, dataclasses.replace(forged(case.certificate), device="cuda"))
    assert check.status == DIFFERS


def some_votes_moved(certificate, votes: int):
    for _ in range(votes):
        certificate = one_vote_moved(certificate)
    return certificate


@pytest.fixture(scope="module")
def sound(case):
    return certify(case.picture, case.classifier, case.denoiser, sigma=0.45, n0=20, n=250, seed=3, sound=True, device="cpu")


def test_noise_that_does_not_depend_on_the_device_is_compared_whatever_the_device_is_said_to_be(case, sound) -> None:
    moved = some_votes_moved(sound, 12)  # a vote in twenty: what Fisher's test lets pass
    assert consistency_p_value(moved, sound.counts) > 0.001
    for elsewhere in ({"device": "cuda"}, {"device": "mps"}, {"versions": sound.versions | {"torch": "1.0", "numpy": "1.0"}}):
        (check,) = sampled(case, dataclasses.replace(moved, **elsewhere))
        assert check.status == DIFFERS
        assert "the noise is the same" in check.sentence
        assert "more than that explains" in check.sentence
        (check,) = sampled(case, dataclasses.replace(one_vote_moved(sound), **elsewhere))
        assert (check.status, check.p_value > 0.5) == (SAME, True)
        (check,) = sampled(case, dataclasses.replace(sound, **elsewhere))
        assert "vote for vote" in check.sentence
    (check,) = sampled(case, dataclasses.replace(some_votes_moved(case.certificate, 12), device="cuda"))
    assert (check.status, "not expected" in check.sentence) == (SAME, True), "float noise is another there"
    old = case.certificate.versions | {"torch": "1.0"}
    (check,) = sampled(case, dataclasses.replace(some_votes_moved(case.certificate, 12), versions=old))
    assert check.status == DIFFERS, "on a CPU NumPy draws float noise, too, and torch decides nothing of it"


@pytest.mark.parametrize(
    ("made", "here", "why"),
    [
        (
            {"engine": "openvino"},
            {},
            "rounding may move one vote in 200, since it was made by the engine 'openvino' and this is 'eager'",
        ),
        ({"precision": "bfloat16"}, {"precision": "bfloat16"}, "how bfloat16 rounds"),
    ],
)
def test_what_rounds_otherwise_is_not_expected_to_count_the_same(case, made, here, why) -> None:
    true = case.certificate
    assert compare_same_seed(one_vote_moved(true), true).status == DIFFERS
    check = compare_same_seed(dataclasses.replace(one_vote_moved(true), **made), dataclasses.replace(true, **here))
    assert check.status == SAME
    assert why in check.sentence


def test_a_stopped_certificate_is_sampled_to_where_it_stopped(case) -> None:
    asked: list[None] = []
    stopped = certify(
        case.picture,
        case.classifier,
        case.denoiser,
        sigma=0.45,
        n0=20,
        n=5000,
        seed=3,
        device="cpu",
        batch_size=32,
        should_stop=lambda: asked.append(None) or len(asked) > 4,
    )
    assert 0 < stopped.n < 300
    assert [check.status for check in sampled(case, stopped, fresh_seed=9)] == [SAME, SAME, SAME]


@pytest.mark.parametrize("options", [{"noise": "laplace"}, {"noise": "uniform", "two_sided": True}, {"sound": True}], ids=str)
def test_every_noise_is_drawn_again_and_told_from_others(case, options) -> None:
    c = certify(case.picture, case.classifier, case.denoiser, sigma=0.45, n0=20, n=120, seed=3, device="cpu", **options)
    assert [check.status for check in sampled(case, c, fresh_seed=9)] == [SAME, SAME, SAME]
    other = {"sound": False} if c.sound else {"noise": "gaussian"}
    assert [check.status for check in sampled(case, dataclasses.replace(c, **other))] == [DIFFERS]


def test_too_few_votes_are_not_compared(case) -> None:
    none = dataclasses.replace(case.certificate, candidate=None, n=0, counts=(0,) * 10)
    (check,) = sampled(case, none)
    assert check.status == NOT_CHECKED
    assert "too few" in check.sentence


def test_counts_that_contradict_themselves_are_not_sampled_for(case) -> None:
    for changes in ({"n": 240}, {"candidate": 10}, {"noise": "laplace", "sound": True}):
        (check,) = sampled(case, dataclasses.replace(case.certificate, **changes))
        assert check.status == NOT_CHECKED


def test_a_classifier_with_other_classes_differs(case) -> None:
    short = dataclasses.replace(case.certificate, counts=(200, 50), candidate=0)
    assert [check.status for check in sampled(case, short, fresh_seed=1)] == [DIFFERS, DIFFERS]


def test_stop_and_progress(case) -> None:
    seen = []
    (check,) = sampled(case, on_progress=lambda part, now: seen.append((part, now.done)), should_stop=lambda: len(seen) > 1)
    assert check.status == NOT_CHECKED
    assert "stopped" in check.sentence
    assert {part for part, _ in seen} == {"same seed"}


def test_a_seed_that_is_not_fresh_and_a_number_that_shows_nothing_are_refused(case) -> None:
    for seed in (case.certificate.seed, -1):
        with pytest.raises(LabError, match="is not fresh"):
            sampled(case, fresh_seed=seed)
    for n in (0, -3, 9, 1_000_001):
        with pytest.raises(LabError, match=r"fresh samples are asked for: expected 10 to 1,000,000, since fewer"):
            sampled(case, fresh_seed=8, fresh_n=n)


def test_numbers_that_certify_refuses_are_told(case) -> None:
    (check,) = sampled(case, dataclasses.replace(case.certificate, sound=True, sigma=1e5))
    assert check.status == NOT_CHECKED
    assert "sigma" in check.sentence


# The tests that compare two runs: their rate of false alarms, and that they see what is plainly different.


@pytest.mark.parametrize(
    ("k", "n", "fresh_k", "fresh_n"), [(990, 1000, 970, 1000), (3, 40, 30, 90), (400, 400, 399, 400), (0, 50, 2, 10)]
)
def test_fisher_is_the_hypergeometric_tail(k: int, n: int, fresh_k: int, fresh_n: int) -> None:
    # All tables with these margins at most as likely as this one.
    law = stats.hypergeom(n + fresh_n, k + fresh_k, n)
    chances = law.pmf(np.arange(n + 1))
    expected = chances[chances <= law.pmf(k) * (1 + 1e-9)].sum()
    assert fisher_p_value(k, n, fresh_k, fresh_n) == pytest.approx(expected, rel=1e-6)


def test_fisher_alarms_no_more_often_than_it_says() -> None:
    # Exactly, over all outcomes of two runs of 60.
    for p in (0.5, 0.9, 0.98):
        chances = stats.binom(60, p).pmf(np.arange(61))
        alarm = sum(
            chances[a] * chances[b]
            for a in range(61)
            for b in range(61)
            if chances[a] * chances[b] > 1e-6 and fisher_p_value(a, 60, b, 60) <= 0.05
        )
        assert 0 < alarm + 61**2 * 1e-6 <= 0.05


def test_anytime_p_value_is_the_level_at_which_the_intervals_part() -> None:
    p_value = anytime_p_value(990, 1000, 930, 1000)
    assert 0 < p_value < 1e-4

    def apart(level: float) -> bool:  # the fresh run lies below: lower end of the first, upper end of the second
        return anytime_lower(990, 1000, level / 4) > stats.beta.isf(level / 4, 931, 70)

    assert apart(p_value * 1.01)
    assert not apart(p_value * 0.99)
    assert anytime_p_value(930, 1000, 990, 1000) < 1e-4


def test_anytime_holds_where_the_run_was_stopped_at_its_luckiest_moment() -> None:
    # The certificate stops at the best share of votes that it saw after 20 samples; Fisher's test is then misled.
    generator = np.random.default_rng(0)
    anytime = fisher = 0
    for _ in range(300):
        votes = (generator.random(400) < 0.8).cumsum()
        n = int((votes[20:] / np.arange(21, 401)).argmax()) + 21
        fresh = int(generator.binomial(4000, 0.8))
        anytime += anytime_p_value(int(votes[n - 1]), n, fresh, 4000) <= 0.05
        fisher += fisher_p_value(int(votes[n - 1]), n, fresh, 4000) <= 0.05
    assert anytime <= 0.05 * 300
    assert fisher > 0.05 * 300


@pytest.mark.parametrize("test", [fisher_p_value, anytime_p_value])
def test_extremes(test) -> None:
    assert test(1000, 1000, 1000, 1000) == 1.0
    assert test(0, 1000, 0, 1000) == 1.0
    assert test(100_000, 100_000, 0, 100_000) < 1e-200
    assert test(500_000, 1_000_000, 500_000, 1_000_000) == pytest.approx(1.0)


def test_the_runner_up_of_a_two_sided_certificate_is_tested_too() -> None:
    counts = (900, 20, 20, 20, 40)
    one_sided = certify(torch.full((3, 8, 8), 0.5), lambda x: torch.eye(5)[:1].repeat(len(x), 1), sigma=0.5, n=1000, n0=10)
    one_sided = dataclasses.replace(one_sided, counts=counts)
    two_sided = dataclasses.replace(one_sided, two_sided=True, runner_up=4, p_upper=0.07)
    moved = (900, 0, 0, 0, 100)  # the candidate keeps its votes
    assert consistency_p_value(one_sided, moved) == 1.0
    assert consistency_p_value(two_sided, moved) < 0.001
    # Corrected for two tests and for four classes that could have been the runner-up.
    assert consistency_p_value(two_sided, moved) == pytest.approx(8 * fisher_p_value(40, 1000, 100, 1000))
    assert consistency_p_value(two_sided, counts) == 1.0


# What a fresh sample finds out: exactly, over all outcomes of its votes.


@cache
def votes_alone(counts: tuple[int, ...], **settings):
    """A certificate with these votes for one of three classes, and every number that follows."""
    n = sum(counts)
    answers = iter([1] * 10 + [index for index, votes in enumerate(counts) for _ in range(votes)])

    def answer(x):
        return torch.nn.functional.one_hot(torch.tensor([next(answers, 1) for _ in range(len(x))]), 3).float()

    c = certify(torch.full((3, 8, 8), 0.5), answer, sigma=0.5, n=n, n0=10, device="cpu", batch_size=1, **settings)
    assert c.counts == counts
    return c


def fresh(c, votes: int, n: int):
    """A fresh run of it with so many votes for the class."""
    return dataclasses.replace(c, counts=(n - votes, votes, 0), n=n, seed=c.seed + 1)


def found_out(c, p: float, n: int) -> float:
    """The chance that one of both tests of ``n`` fresh votes tells that the class has but the probability ``p``."""
    law, least, most = stats.binom(n, p), 0, n + 1
    while most - least > 1:  # the fewer votes, the plainer
        middle = (least + most) // 2
        told = DIFFERS in {check.status for check in compare_fresh_seed(c, fresh(c, middle, n))}
        least, most = (middle, most) if told else (least, middle)
    return float(law.cdf(least))


def test_a_false_certificate_of_390_of_400_votes_is_found_out() -> None:
    c = votes_alone((10, 390, 0), method="anytime")
    # So it was: as many fresh votes, and the two counts compared.
    before = sum(stats.binom.pmf(k, 400, 0.9) for k in range(330, 401) if anytime_p_value(390, 400, k, 400) <= LEVEL)
    assert before == pytest.approx(0.044, abs=5e-4)
    assert usual_fresh_n(c) == 5_439
    assert found_out(c, 0.9, usual_fresh_n(c)) > 0.9999


@pytest.mark.parametrize("counts", [(5, 995, 0), (120, 880, 0), (400, 600, 0), (0, 300, 0)], ids=str)
@pytest.mark.parametrize("method", ["clopper-pearson", "anytime"])
def test_a_claim_a_little_too_high_is_found_out_and_a_true_one_is_not(counts, method) -> None:
    c = votes_alone(counts, method=method)
    n = usual_fresh_n(c)
    assert n >= c.n
    assert found_out(c, c.p_lower - 0.02, n) >= 0.99
    law = stats.binom(n, c.p_lower)  # the claim just holds
    alarm = sum(law.pmf(k) for k in range(n + 1) if law.pmf(k) > 1e-12 and claim_p_value(c, (n - k, k, 0)) <= LEVEL)
    assert 0.0005 < alarm <= LEVEL
    if n > c.n:  # no fewer would do, but for the steps of whole votes
        few = int(0.93 * n)
        rejects = max(k for k in range(few + 1) if stats.binom.cdf(k, few, c.p_lower) <= LEVEL)
        assert stats.binom.cdf(rejects, few, c.p_lower - 0.02) < 0.99


def test_figures_of_the_page() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "certificate.md").read_text(encoding="utf-8")
    c = votes_alone((0, 100, 0))
    told = [f"{usual_fresh_n(dataclasses.replace(c, p_lower=p)):,}" for p in (0.5, 0.9, 0.99)]
    assert f"{told[0]} where `p_lower` is 0.5, {told[1]} at 0.9, {told[2]} at 0.99" in text


def test_the_radius_of_the_fresh_votes_is_told_beside_the_one_that_is_claimed() -> None:
    c = votes_alone((10, 390, 0), method="anytime")
    check = compare_fresh_seed(c, fresh(c, 900, 1_000))[1]
    own = certify_alone(900, 1_000)
    assert (check.name, check.status, check.stated) == ("radius, fresh seed", DIFFERS, c.radius)
    assert check.found == pytest.approx(own)
    assert f"certify l2 radius {own:.4f}"[:-1] in check.sentence
    assert "they contradict" in check.sentence
    assert compare_fresh_seed(c, fresh(c, 960, 1_000))[1].status == SAME


def certify_alone(k: int, n: int) -> float:
    """The radius by SciPy's own Clopper-Pearson."""
    return 0.5 * stats.norm.ppf(stats.beta.ppf(0.001, k, n - k + 1))


def test_two_sided_the_claim_of_every_other_class_is_tested_too() -> None:
    c = votes_alone((40, 940, 20), two_sided=True)
    assert c.p_upper < 0.08
    assert claim_p_value(c, (400, 9_400, 200)) > 0.5
    expected = 2 * 2 * stats.binom.sf(999, 10_000, c.p_upper)  # for two tests, and two classes that might be the one
    assert claim_p_value(c, (0, 9_000, 1_000)) == pytest.approx(min(2 * stats.binom.cdf(9_000, 10_000, c.p_lower), expected))
    assert claim_p_value(c, (0, 9_400, 600)) > LEVEL
    assert claim_p_value(c, (0, 9_150, 850)) <= LEVEL


def test_what_abstains_claims_no_radius_and_as_many_votes_are_drawn_again() -> None:
    c = votes_alone((51, 49, 0))
    assert (c.abstained, usual_fresh_n(c)) == (True, 100)
    check = compare_fresh_seed(c, fresh(c, 49, 100))[1]
    assert (check.status, check.stated, check.found) == (SAME, 0.0, 0.0)
