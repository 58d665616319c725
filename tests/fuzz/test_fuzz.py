"""A minute of the fuzzer, each bomb by itself, and faults that the fuzzer has to find."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from core.errors import LabError
from tests.fuzz import pictures
from tests.fuzz.__main__ import fuzz, table
from tests.fuzz.trials import KINDS, Kind, Trials, Use, tried


@pytest.mark.slow
def test_a_minute_of_hostile_inputs_gives_values_or_sentences() -> None:
    found = fuzz(60)
    print(table(found))
    assert [(o.seed, o.fault) for outcomes in found.values() for o in outcomes if o.fault is not None] == []
    assert all(len(outcomes) > 5 for outcomes in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("bomb", pictures.BOMBS)
def test_no_picture_costs_two_seconds_or_300_megabytes(bomb: str, tmp_path: Path) -> None:
    data = pictures.BOMBS[bomb]()
    outcome = tried(Kind(lambda _: ("bomb", data), pictures.use), bomb, tmp_path)
    assert outcome.fault is None
    assert len(data) < 21 * 2**20


def raises(made: object, folder: Path) -> Iterator[str]:
    raise KeyError("no sentence")


def breaks_lines(made: object, folder: Path) -> Iterator[str]:
    yield "one\ntwo"


def turns(made: object, folder: Path) -> Iterator[str]:
    yield "\u202egnp.exe"


def says_much(made: object, folder: Path) -> Iterator[str]:
    yield "x" * 10_000


def takes_long(made: object, folder: Path) -> Iterator[str]:
    end = time.process_time() + 2.1
    while time.process_time() < end:
        pass
    yield "done"


def holds_much(made: object, folder: Path) -> Iterator[str]:
    yield str(len(b"x" * (400 * 2**20)))


def refuses(made: object, folder: Path) -> Iterator[str]:
    raise LabError("Two\nlines are one.")


def gives(made: object, folder: Path) -> Iterator[str]:
    yield "A value."


def number_of(random: Random) -> float:
    return random.random()


@pytest.mark.parametrize(
    ("use", "fault"),
    [
        (raises, "raised\n.*KeyError: 'no sentence'"),
        (breaks_lines, "said 'one.ntwo'"),
        (turns, "said '.u202egnp.exe'"),
        (says_much, "said 10,000 characters"),
        (takes_long, r"took 2\.\d s"),
        (holds_much, r"took \d\d\d MB"),
    ],
)
def test_what_is_amiss_is_found(use: Use, fault: str, tmp_path: Path) -> None:
    found = tried(Kind(number_of, use), "a:1", tmp_path).fault
    assert found is not None
    assert re.match(fault, found, re.DOTALL)


def test_values_and_sentences_are_not_amiss(tmp_path: Path) -> None:
    outcomes = [tried(Kind(number_of, use), "a:1", tmp_path) for use in (gives, refuses)]
    assert [(outcome.refused, outcome.fault) for outcome in outcomes] == [(False, None), (True, None)]


def dies(made: object, folder: Path) -> Iterator[str]:
    os._exit(3)


def hangs(made: object, folder: Path) -> Iterator[str]:
    time.sleep(1_000)
    yield "late"


@pytest.mark.parametrize(("use", "fault"), [(dies, "ended the process"), (hangs, "was not done with")])
def test_who_ends_the_process_or_never_ends_is_told_and_the_next_is_tried(
    use: Use, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.trials.GIVEN_UP", 2.0)
    kinds = {"bad": Kind(number_of, use, warmed=False), "good": Kind(number_of, gives)}
    with Trials(kinds) as trials:
        assert (trials.one("bad", 0).fault or "").startswith(fault)
        assert trials.one("good", 0).fault is None


def test_a_seed_makes_the_same_input_again() -> None:
    for name, kind in KINDS.items():
        assert kind.make(Random(f"{name}:5")) == kind.make(Random(f"{name}:5"))
