"""The sample numbers at which a run that may end early looks at its votes."""

from __future__ import annotations

from functools import cache

FIRST_LOOK = 32


@cache
def looks(n: int) -> tuple[int, ...]:
    """The sample numbers at which a run of at most ``n`` looks whether it is settled: every 32, later every 1/16 more.

    They are fixed, so that a run ends at the same sample whatever its batches are.

    >>> looks(200)
    (32, 64, 96, 128, 160, 192, 200)
    """
    numbers, at = [], 0
    while at < n:
        at = min(n, at + max(FIRST_LOOK, at // 16 // FIRST_LOOK * FIRST_LOOK))
        numbers.append(at)
    return tuple(numbers)
