"""Two things timed by turns, so that what else the machine does weighs on both."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import LabError

OnRound = Callable[[int, int], None]
"""Called with the rounds done and planned."""


@dataclass(frozen=True)
class Speeds:
    """Of two things by turns: medians over the rounds, in so many a second.

    Attributes:
        first, second: of each.
        ratio: the first over the second, the median over the rounds. Within a round both take turns, so that it is steadier
            than the quotient of the two medians where other programs use the machine by fits and starts.
        rounds: both speeds of every round, in the order they were measured.
    """

    first: float
    second: float
    ratio: float
    rounds: tuple[tuple[float, float], ...]


def speeds_by_turns(
    one: Callable[[], float], other: Callable[[], float], amount: int, *, rounds: int, on_round: OnRound
) -> Speeds:
    """Speeds of both in each round, which runs each twice.

    Args:
        one, other: run once, which does ``amount`` of something, and return their seconds. Each is called once before: the
            first call pays for memory, kernels and caches.
    """
    one(), other()
    measured = []
    for done in range(rounds):
        first = second = 0.0
        # A B B A, then B A A B: what drifts or comes and goes on the machine favours neither.
        for ones_turn in (True, False, False, True) if done % 2 == 0 else (False, True, True, False):
            if ones_turn:
                first += one()
            else:
                second += other()
        measured.append((2 * amount / first, 2 * amount / second))
        on_round(done + 1, rounds)
    return Speeds(
        first=statistics.median(pair[0] for pair in measured),
        second=statistics.median(pair[1] for pair in measured),
        ratio=statistics.median(pair[0] / pair[1] for pair in measured),
        rounds=tuple(measured),
    )


def check_least(what: str, numbers: dict[str, tuple[int, int]]) -> None:
    """Raise LabError where one of the numbers of a benchmark, by its name, is below the least it may be."""
    for name, (value, least) in numbers.items():
        if value < least:
            raise LabError(f"The {name} of {what} is {value}: expected at least {least}.")
