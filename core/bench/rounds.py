"""Two things timed by turns, so that what else the machine does weighs on both."""

from __future__ import annotations

from collections.abc import Callable

OnRound = Callable[[int, int], None]
"""Called with the rounds done and planned."""


def seconds_by_turns(
    one: Callable[[], float], other: Callable[[], float], rounds: int, on_round: OnRound
) -> list[tuple[float, float]]:
    """Seconds of both in each round, which runs each twice.

    Args:
        one, other: run once and return their seconds. Each is called once before: the first call pays for memory, kernels
            and caches.
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
        measured.append((first, second))
        on_round(done + 1, rounds)
    return measured
