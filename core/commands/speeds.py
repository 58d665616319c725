"""Speeds measured by turns, so that what else the machine does weighs on all of them, and how a benchmark is told."""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.commands.terminal import ProgressLine, print_result
from core.errors import LabError

OnRound = Callable[[int, int], None]  # called with the rounds done and planned


@dataclass(frozen=True)
class Benchmark:
    """Two speeds, in so many a second, and their ratio: medians over the rounds.

    Within a round both take turns, so that the ratio is steadier than the quotient of the two medians where other programs use
    the machine by fits and starts.
    """

    about: Mapping[str, Any]  # what was measured with what, by the names of the document
    names: tuple[str, str]  # of the speeds, there
    rounds: tuple[tuple[float, ...], ...]  # both speeds of each, as measured

    @property
    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        first, second = (statistics.median(pair[which] for pair in self.rounds) for which in (0, 1))
        ratio = statistics.median(one / other for one, other in self.rounds)
        return {**self.about, self.names[0]: first, self.names[1]: second, "ratio": ratio, "rounds": self.rounds}


def speeds_by_round(
    works: Sequence[Callable[[], object]], count: int, rounds: int, *, on_round: OnRound
) -> tuple[tuple[float, ...], ...]:
    """Time several things, each twice a round: how many of ``count`` each gets through in a second.

    Where one returns a number, that is its seconds. Each is called once before, which pays for memory, kernels and caches.
    """

    def seconds(work: Callable[[], object]) -> float:
        started = time.perf_counter()
        own = work()
        return own if isinstance(own, float) else time.perf_counter() - started

    for work in works:
        seconds(work)
    measured, there = [], list(range(len(works)))
    for done in range(rounds):
        taken = [0.0] * len(works)
        # A B B A, then B A A B: what drifts or comes and goes on the machine favours none.
        for which in there + there[::-1] if done % 2 == 0 else there[::-1] + there:
            taken[which] += seconds(works[which])
        measured.append(tuple(2 * count / each for each in taken))
        on_round(done + 1, rounds)
    return tuple(measured)


def print_benchmark(
    args: argparse.Namespace, measure: Callable[[OnRound], dict[str, Any]], text: Callable[[dict[str, Any]], list[str]]
) -> int:
    """Measure with a progress line; print the document where ``--json`` asks for it, else its text."""
    line = ProgressLine()
    document = measure(lambda done, total: line.show(f"round {done} of {total}"))
    line.clear()
    print_result(args, document, text(document))
    return 0


def check_positive(args: argparse.Namespace, *names: str) -> None:
    """Raise LabError where one of these options is a number below 1."""
    for name in names:
        value = getattr(args, name)
        if value is not None and value < 1:
            raise LabError(f"--{name.replace('_', '-')} is {value}: expected at least 1.")


def checked_size(size: int) -> int:
    """``--size``, where it is 8 to 1024."""
    if not 8 <= size <= 1024:
        raise LabError(f"--size is {size}: expected 8 to 1024 pixels.")
    return size
