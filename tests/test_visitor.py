"""Who asks, and the passphrases that tell."""

from __future__ import annotations

import pytest

from core.errors import LabError
from core.visitor import OPERATOR, TRIES, TRIES_OF_ALL, WINDOW, Door, Visitor, hashed_passphrase, is_admitted, visitor_named

RIGHT, OTHER = "nine small grey elephants", "one large pink elephant"
HASHES = {"class": hashed_passphrase(RIGHT), "teacher": hashed_passphrase(OTHER)}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Door:
    """A door with two passphrases, at which many tries take no time."""
    opened = Door(HASHES, clock)
    monkeypatch.setattr("core.visitor._derived", lambda said, salt, cost: b"?" * 32)
    return opened


def wrong(door: Door, address: str = "") -> str:
    with pytest.raises(LabError) as caught:
        door.enter("open sesame, open sesame", address)
    return str(caught.value)


def test_a_passphrase_says_who_comes_in_and_its_hash_does_not_say_it() -> None:
    door = Door(HASHES)
    assert (door.enter(RIGHT), door.enter(f" {OTHER}\n")) == ("class", "teacher")
    assert RIGHT not in "".join(HASHES.values())
    assert hashed_passphrase(RIGHT) != HASHES["class"], "each hash has a salt of its own"
    for said in ("", RIGHT[:-1], HASHES["class"], RIGHT.upper()):
        with pytest.raises(LabError, match="not the passphrase"):
            door.enter(said)


def test_after_a_few_wrong_ones_an_address_has_to_wait_and_others_need_not(door: Door, clock: Clock) -> None:
    assert [wrong(door, "203.0.113.9") for _ in range(TRIES)] == ["This is not the passphrase."] * TRIES
    assert "Too many" in wrong(door, "203.0.113.9")
    assert "not the passphrase" in wrong(door, "203.0.113.10")
    clock.now += WINDOW + 1
    assert "not the passphrase" in wrong(door, "203.0.113.9")


def test_even_the_right_one_is_not_heard_then(clock: Clock) -> None:
    door = Door(HASHES, clock)
    for _ in range(TRIES):
        wrong(door)
    with pytest.raises(LabError, match="Too many"):
        door.enter(RIGHT)
    clock.now += WINDOW + 1
    assert door.enter(RIGHT) == "class"


def test_many_addresses_have_no_more_tries_than_all_together(door: Door, clock: Clock) -> None:
    told = [wrong(door, f"2001:db8::{number}") for number in range(TRIES_OF_ALL + 50)]
    assert sum("not the passphrase" in one for one in told) == TRIES_OF_ALL
    clock.now += WINDOW + 1
    assert "not the passphrase" in wrong(door, "2001:db8::1")


@pytest.mark.parametrize("text", [RIGHT, "", "scrypt:15,8,1:AAAA:AAAA", "scrypt:1,8,1" + HASHES["class"][13:], "scrypt:a:b:c"])
def test_what_is_no_hash_opens_nothing(text: str) -> None:
    with pytest.raises(LabError, match="'class' of the configuration is no hash") as caught:
        Door({"class": text})
    assert not text or text not in str(caught.value)


def test_short_passphrases_are_refused() -> None:
    with pytest.raises(LabError, match="4 signs can be guessed"):
        hashed_passphrase("  open  ")


def test_the_operator_may_all_and_visitors_what_is_theirs() -> None:
    ada, bob = (visitor_named("ada", "", "oidc", "https://id.example", subject) for subject in ("1", "2"))
    assert ada.key != bob.key
    assert ada == visitor_named("ada", "", "oidc", "https://id.example", "1")
    assert OPERATOR.owns(ada.key)
    assert ada.owns(ada.key)
    assert not ada.owns(bob.key)
    assert not ada.owns(OPERATOR.key)
    assert ada.may_see(bob.key, shared=True)
    assert not ada.may_see(bob.key, shared=False)
    with pytest.raises(LabError, match="The run 'x' belongs to another visitor"):
        ada.check_owns(bob.key, "The run 'x'")
    with pytest.raises(LabError, match="belongs to the operator"):
        ada.check_owns("", "It")


def test_the_same_name_by_another_way_is_another_visitor() -> None:
    keys = [visitor_named("x", "", *identity).key for identity in (("passphrase", "x"), ("oidc", "a", "x"), ("oidc", "b", "x"))]
    assert len({*keys, Visitor().key}) == 4
    assert "x" not in "".join(keys)


@pytest.mark.parametrize(
    "email", ["", "@", "ada", "ada@example.org.evil.example", "@example.org@evil.example", "ada@evilexample.org"]
)
def test_addresses_that_only_look_admitted(email: str) -> None:
    assert not is_admitted(email, ["@example.org", "bob@example.com", "passphrase:class"])


def test_a_passphrase_is_listed_by_its_name() -> None:
    assert is_admitted("passphrase:class", ["passphrase:class"])
    assert not is_admitted("passphrase:other", ["passphrase:class", "@example.org"])
    assert not is_admitted("class", ["passphrase:class"])
