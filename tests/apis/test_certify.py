"""Certifying by an API: the same votes as asking by hand, nothing bought in vain, every failure survived."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.apis import asking
from core.apis.asking import Pace
from core.apis.certify import RemoteProgress, RemoteResult, certify_remote
from core.apis.http import HttpEndpoint, parse_endpoint
from core.apis.labels import NO_ANSWER, LabelMap
from core.apis.ledger import Allowance, Ledger
from core.apis.providers import describe_provider
from core.apis.queries import QueryPictures
from core.errors import LabError
from core.pictures.pixels import to_pixels
from core.smoothing.bounds import anytime_lower, clopper_pearson_lower
from core.smoothing.radius import l2_radius
from core.smoothing.settings import Settings
from core.verification.verify import SAME, check_arithmetic
from core.visitor import visitor_named
from tests.apis.conftest import Fault, Vendors, brightness

GREY = Image.fromarray(np.full((8, 8, 3), 150, dtype=np.uint8))
"""Dusk, but not far from day: noise moves some copies over the border at 170."""

Asking = Callable[..., RemoteResult]
SETTINGS = Settings(sigma=0.5, n0=10, n=60, method="anytime")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "answers.sqlite")
    yield made
    made.close()


@pytest.fixture
def ask(vendors: Vendors, ledger: Ledger) -> Asking:
    """Certifies GREY by the loopback API; price 0.01, no rate limit to speak of."""

    def asking(toml: str = "", **changes: Any) -> RemoteResult:
        endpoint = parse_endpoint(f'url = "{vendors.url}"\nprice = 0.01\nrate = 5000\ntimeout = 1.0\n{toml}', "test")
        provider = HttpEndpoint("api/http/test", endpoint, {})
        asked = {name: changes.pop(name) for name in tuple(changes) if name in SETTINGS.__dataclass_fields__}
        how = {"ledger": ledger, "budget": 10.0} | changes
        settings = replace(SETTINGS, **asked)
        return certify_remote(how.pop("image", GREY), provider, how.pop("denoiser", None), settings, **how)

    return asking


def by_hand(sigma: float, seed: int, purpose: str, n: int) -> Counter[str]:
    """What the API's own rule says of the first n pictures of the stream."""
    pictures = QueryPictures(to_pixels(GREY), None, Settings(sigma, seed=seed))
    return Counter(brightness(sent)[0][0].casefold() for _, _, sent in pictures.pairs(purpose, list(range(n))))


def test_the_votes_are_those_of_the_same_noise_asked_by_hand(ask: Asking) -> None:
    result = ask(method="clopper-pearson")
    expected = by_hand(0.5, 0, "estimate", 60)
    c = result.certificate
    assert c.labels is not None
    assert {name: votes for name, votes in zip(c.labels, c.counts, strict=True) if votes} == dict(expected)
    k = expected["dusk"]
    assert 30 < k <= 60
    assert c.p_lower == clopper_pearson_lower(k, 60, 0.001)
    assert c.radii["l2"] == c.radius
    assert c.radii["linf"] == pytest.approx(c.radius / (3 * 8 * 8) ** 0.5)
    assert c.radius == l2_radius(c.p_lower, 0.5)
    assert (c.label, c.method, c.n, c.stopped) == ("dusk", "clopper-pearson", 60, False)
    assert (result.asked, result.spent) == (70, 0.7)


def test_a_second_run_pays_nothing_and_a_longer_one_only_the_rest(ask: Asking, vendors: Vendors) -> None:
    first = ask()
    again = ask()
    assert (again.asked, again.spent) == (0, first.spent)
    assert again.certificate.counts == first.certificate.counts
    longer = ask(n=80)
    assert longer.asked == 80 + 10 - first.certificate.n - 10
    assert len(vendors.received) == len(set(vendors.received)), "a picture was sent twice"


def test_where_no_seed_is_asked_for_answers_that_were_paid_for_are_gone_on_with(ask: Asking) -> None:
    first = ask(seed=11)
    again = ask(seed=12, any_seed=True)
    assert (again.asked, again.certificate.seed) == (0, 11)
    assert ask(seed=12).asked > 0
    assert ask(seed=13, any_seed=True).certificate.seed == 12, "the newest"
    other = ask(seed=14, any_seed=True, sigma=0.4)
    assert (other.certificate.seed, other.asked > 0) == (14, True)
    assert first.certificate.seed == 11


def test_stored_answers_alone_serve_any_sub_sample_alpha_and_map(ask: Asking, ledger: Ledger, tmp_path: Path) -> None:
    ask(method="clopper-pearson")
    described = tmp_path / "endpoint.toml"
    described.write_text('url = "http://127.0.0.1:9/none"\n')  # nobody is there, and nobody is asked
    facts = describe_provider(f"api/http/{described}")
    offline, forty = {"ledger": ledger, "budget": 0.0, "offline": True}, replace(SETTINGS, n=40)
    nothing = certify_remote(GREY, facts, None, forty, **offline)
    assert nothing.certificate.n == 0, "another provider's answers were counted"
    # The same provider, described as it was asked.
    (run, spec, _, _) = ledger.runs()[0]
    facts = type(facts)(spec["provider"], spec["destination"], facts.limits)
    part = certify_remote(GREY, facts, None, replace(forty, alpha=0.01), **offline)
    k = by_hand(0.5, 0, "estimate", 40)["dusk"]
    assert (part.run, part.certificate.n, part.asked) == (run, 40, 0)
    assert part.certificate.p_lower == anytime_lower(k, 40, 0.01)
    mapped = certify_remote(GREY, facts, None, forty, labels=LabelMap.of({"dim": ["dusk", "night"]}), **offline)
    assert mapped.certificate.label in ("dim", None)
    assert mapped.certificate.labels is not None
    assert mapped.certificate.labels[0] == "dim"


def test_a_fixed_n_is_the_one_with_which_the_answers_were_first_looked_at(ask: Asking) -> None:
    first = ask(n=20, method="clopper-pearson")
    for n in (40, 60, 30):
        again = ask(n=n, method="clopper-pearson")
        c, k = again.certificate, max(again.certificate.counts)
        assert (c.method, c.n, c.stopped, c.failure_probability) == ("anytime", n, False, 0.002)
        assert c.p_lower == anytime_lower(k, n, 0.001)
        assert "first looked at with n = 20" in again.notes[-1]
        assert {check.status for check in check_arithmetic(c)} == {SAME}
    once_more = ask(n=20, method="clopper-pearson")
    assert (once_more.certificate.method, once_more.certificate.p_lower) == ("clopper-pearson", first.certificate.p_lower)
    assert not [note for note in once_more.notes if "looked at" in note]
    assert any("first looked at with a bound for a fixed n" in note for note in ask(n=40).notes)
    assert ask(n=40, method="clopper-pearson", seed=5).certificate.method == "clopper-pearson", "other answers"
    assert ask(n=40, method="clopper-pearson", sigma=0.4).certificate.method == "clopper-pearson", "other answers"


@pytest.mark.parametrize("method", ["clopper-pearson", "randomised-clopper-pearson"])
def test_a_look_with_another_bound_counts_too_and_a_run_that_was_cut_short_keeps_its_n(ask: Asking, method: str) -> None:
    ask(n=40)
    assert ask(n=60, method=method).certificate.method == "anytime"
    assert ask(n=40, method=method).certificate.method == method
    cut = ask(n=60, method=method, seed=3, budget=0.35).certificate
    assert (cut.method, cut.n) == ("anytime", 25)
    whole = ask(n=60, method=method, seed=3).certificate
    assert (whole.method, whole.n, whole.failure_probability) == (method, 60, 0.001)


def test_who_saw_no_answer_has_looked_at_nothing(ask: Asking) -> None:
    ask(n=20, method="clopper-pearson", budget=0.05)  # of n0 = 10 answers five
    ask(n=30, method="clopper-pearson", offline=True)
    assert ask(n=40, method="clopper-pearson").certificate.method == "clopper-pearson"


def test_answers_of_a_file_that_does_not_say_have_the_anytime_bound(ask: Asking, ledger: Ledger) -> None:
    ask(n=20, method="clopper-pearson")
    ledger._db.execute("DROP TABLE looks")
    reopened = Ledger(ledger.path)
    again = ask(n=20, method="clopper-pearson", ledger=reopened)
    assert again.certificate.method == "anytime"
    assert "by an older version of the Lab" in again.notes[-1]
    reopened.close()


def test_a_class_that_may_have_been_chosen_after_its_votes_were_seen_is_told(ask: Asking) -> None:
    ask()
    for changed in ({"labels": LabelMap.of({"dim": ["dusk", "night"]})}, {"n0": 8}):
        (note,) = (note for note in ask(**changed).notes if "first looked at" in note)
        assert "alpha does not hold for that" in note
    assert not any("looked at" in note for note in ask(alpha=0.01).notes)


def test_asking_stops_as_soon_as_the_radius_is_certified(ask: Asking) -> None:
    result = ask(sigma=0.1, n=500, until_radius=0.05)
    assert result.settled == "reached"
    assert result.certificate.radius >= 0.05
    assert result.certificate.n < 100
    k, n = max(result.certificate.counts), result.certificate.n
    assert result.certificate.p_lower == anytime_lower(k, n, 0.001)


def test_asking_stops_as_soon_as_the_radius_is_out_of_reach(ask: Asking, vendors: Vendors) -> None:
    flips = iter(range(10_000))
    vendors.label = lambda picture: [("heads" if next(flips) % 2 else "tails", 1.0)]
    result = ask(n=2_000, until_radius=0.3)
    assert result.settled == "out of reach"
    assert result.certificate.abstained
    assert result.certificate.n < 200


def test_a_settled_question_counts_the_answers_up_to_there_and_none_bought_later(ask: Asking, ledger: Ledger) -> None:
    whole = ask(sigma=0.1, n=100)
    assert whole.certificate.n == 100
    settled = ask(sigma=0.1, n=100, until_radius=0.05)
    assert (settled.asked, settled.settled) == (0, "reached")
    k, n = max(settled.certificate.counts), settled.certificate.n
    assert n < 100
    assert l2_radius(anytime_lower(k, n, 0.001), 0.1) >= 0.05
    assert l2_radius(anytime_lower(k - 1, n - 1, 0.001), 0.1) < 0.05, "one answer fewer would not have done"


def test_the_budget_is_never_exceeded_and_what_it_bought_counts(ask: Asking, vendors: Vendors) -> None:
    result = ask(budget=0.35)
    assert len(vendors.received) == 35
    assert result.spent == 0.35
    assert result.halt is not None
    assert (result.halt.reason, result.certificate.n, result.certificate.method) == ("budget", 25, "anytime")
    more = ask(budget=0.70)
    assert (len(vendors.received), more.certificate.n, more.halt) == (70, 60, None)


def test_a_fixed_n_that_the_budget_cuts_short_doubles_the_chance_of_error(ask: Asking) -> None:
    cut = ask(method="clopper-pearson", budget=0.35).certificate
    assert (cut.method, cut.n, cut.failure_probability) == ("anytime", 25, 0.002)
    assert ask(method="clopper-pearson").certificate.failure_probability == 0.001


def test_a_budget_too_small_to_choose_a_class_says_so(ask: Asking) -> None:
    result = ask(budget=0.05)
    assert result.certificate.candidate is None
    assert result.certificate.abstained


def test_retries_after_429_and_500_cost_nothing_and_lose_nothing(ask: Asking, vendors: Vendors) -> None:
    waits: list[str] = []
    vendors.faults.extend([Fault(429, {"Retry-After": "0.05"}), Fault(), Fault(500, {"Retry-After": "0.05"})])
    result = ask(budget=0.70, on_progress=lambda now: waits.append(now.waiting) if now.waiting else None)
    assert (result.spent, result.certificate.n) == (0.70, 60)
    assert any("429" in wait or "500" in wait for wait in waits)


def test_queries_in_doubt_count_for_no_class_and_are_not_sent_again(ask: Asking, vendors: Vendors) -> None:
    vendors.faults.extend([Fault()] * 20 + [Fault(cut=True), Fault(garbage=b"{}")])
    result = ask()
    assert (result.in_doubt, result.unusable) == (1, 1)
    c = result.certificate
    assert c.labels is not None
    assert c.labels[-1] == NO_ANSWER
    assert c.counts[-1] == 2
    assert len(vendors.received) == 70
    assert any("no usable answer" in note for note in result.notes)


def test_a_quota_that_ends_in_the_middle_keeps_what_was_paid(ask: Asking, vendors: Vendors) -> None:
    vendors.faults.extend([Fault()] * 30 + [Fault(402)] * 8)
    result = ask()
    assert result.halt is not None
    assert result.halt.reason == "refused"
    assert 10 <= result.certificate.n < 60
    vendors.faults.clear()
    assert ask().certificate.n == 60
    assert result.spent <= 0.30 + 1e-9


def test_an_api_that_stays_away_ends_the_run_with_its_answers_kept(
    ask: Asking, vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.apis.asking.backoff", lambda attempt, retry_after: 0.001)
    vendors.faults.extend([Fault()] * 30 + [Fault(503)] * 60)
    result = ask()
    assert result.halt is not None
    assert result.halt.reason == "unreachable"
    assert 16 <= result.certificate.n <= 20


def test_waits_longer_than_patience_end_the_run(ask: Asking, vendors: Vendors) -> None:
    vendors.faults.append(Fault(429, {"Retry-After": "86400"}))
    result = ask()
    assert result.halt is not None
    assert "go on later" in result.halt.message


def test_a_stop_keeps_what_is_valid(ask: Asking, vendors: Vendors) -> None:
    stop = threading.Event()

    def watch(now: RemoteProgress) -> None:
        if now.votes.n >= 20:
            stop.set()

    vendors.latency = 0.005
    result = ask(n=2_000, budget=100.0, on_progress=watch, should_stop=stop.is_set)
    assert result.halt is not None
    assert result.halt.reason == "stopped"
    assert 20 <= result.certificate.n < 500
    assert result.certificate.failure_probability == 0.001


def test_a_denoiser_stands_before_the_api(ask: Asking, vendors: Vendors) -> None:
    result = ask(denoiser=lambda noisy, sigma: torch.zeros_like(noisy), n=30)
    assert result.certificate.label == "night"
    assert np.asarray(vendors.pictures[0]).max() == 0


def test_small_pictures_are_enlarged_and_it_is_said(ask: Asking, vendors: Vendors) -> None:
    result = ask("[picture]\nmin_side = 50", n=20)
    assert vendors.pictures[0].size == (56, 56)
    assert any("enlarged 7 times" in note for note in result.notes)
    assert (result.certificate.image.height, result.certificate.image.width) == (8, 8)


def test_no_label_of_the_map_is_told(ask: Asking) -> None:
    result = ask(labels=LabelMap.of({"cat": ["tabyb"]}))
    assert result.certificate.candidate is None
    assert any("No answer named a class" in note for note in result.notes)
    assert any("mistyped" in note for note in result.notes)
    assert result.asked == 10, "it went on paying although no class can be counted"


def test_empty_answers_are_other(ask: Asking, vendors: Vendors) -> None:
    vendors.label = lambda picture: []
    assert ask().certificate.candidate is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma": 0.0},
        {"n": 3},
        {"alpha": 0.7},
        {"method": "guess"},
        {"seed": -1},
        {"until_radius": 0.1, "method": "clopper-pearson"},
        {"until_radius": -1.0},
        {"until_radius": 3.0},  # which no 60 answers can show
    ],
)
def test_numbers_are_checked_before_anything_is_paid(ask: Asking, vendors: Vendors, wrong: dict[str, Any]) -> None:
    with pytest.raises(LabError):
        ask(**wrong)
    assert not vendors.received


@pytest.mark.parametrize("seed", range(4))
def test_the_last_of_the_money_goes_to_the_lowest_numbers(seed: int, ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """However late the threads get to their turns, everything paid for can be counted."""
    random, turn = Random(seed), Pace.turn

    def late(pace: Pace, stopped: threading.Event) -> bool:
        time.sleep(random.choice((0.0, 0.03)))
        return turn(pace, stopped)

    monkeypatch.setattr(Pace, "turn", late)
    result = ask("concurrency = 8", budget=0.3)
    assert (result.certificate.n, result.asked, result.spent) == (20, 30, 0.3)
    assert result.halt is not None
    assert result.halt.reason == "budget"


def test_a_picture_that_cannot_be_sent_holds_nobody_up(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded, encode = iter(range(1000)), asking.encode

    def fail_once(*arguments: Any) -> bytes:
        if next(encoded) == 12:
            raise LabError("Too large.")
        return encode(*arguments)

    monkeypatch.setattr(asking, "encode", fail_once)
    with pytest.raises(LabError, match="Too large"):
        ask("concurrency = 8")


def test_answers_belong_to_the_visitor_who_paid_for_them(ask: Asking, ledger: Ledger) -> None:
    ada, bob = (ledger.paid_by(visitor_named(name, "", "passphrase", name), Allowance(0.45, 100.0)) for name in ("ada", "bob"))
    first = ask(ledger=ada, method="clopper-pearson", n=20)
    assert first.asked == 30
    assert ask(ledger=ada, method="clopper-pearson", n=20).asked == 0
    assert ask(ledger=bob, method="clopper-pearson", n=20).run != first.run
    assert ask(ledger=bob, method="clopper-pearson", n=20, offline=True).spent == pytest.approx(0.3)
    more = ask(ledger=ada, method="clopper-pearson", n=60, budget=10.0)
    assert more.halt is not None
    assert (more.halt.reason, more.asked) == ("budget", 15)
    assert "within 30 days is spent" in more.halt.message
    assert ask(method="clopper-pearson", n=60).asked == 70  # the operator's own runs are as they were
