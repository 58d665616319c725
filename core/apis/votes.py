"""From kept answers to votes: which class n0 answers choose, and how the n answers after them vote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.apis.labels import OTHER, LabelMap
from core.apis.ledger import ANSWERED, Query, settled_prefix

NO_ANSWER = "no usable answer"
"""The class of queries that brought none: unusable, or in doubt. Counting them against every class keeps the bound valid."""


@dataclass(frozen=True)
class Votes:
    """Votes by class name, the most frequent first; ``other`` and ``no usable answer`` stand among them.

    Attributes:
        candidate: the class that the n0 answers chose, or None (too few yet, or none names a class).
        chosen_from: votes of the n0 answers.
        counts: votes of the answers after them.
    """

    candidate: str | None
    chosen_from: dict[str, int]
    counts: dict[str, int]

    @property
    def n(self) -> int:
        """Answers counted."""
        return sum(self.counts.values())

    @property
    def k(self) -> int:
        """Votes for the candidate."""
        return 0 if self.candidate is None else self.counts.get(self.candidate, 0)


def count(select: Sequence[Query], estimate: Sequence[Query], labels: LabelMap, n0: int, n: int) -> Votes:
    """Count the first ``n0`` answers of one list and the first ``n`` of the other.

    Only settled queries 0, 1, 2, ... without a gap are counted, so which answers happened to arrive early plays no part.
    """
    first = settled_prefix(select)[:n0]
    chosen_from = _tally(first, labels)
    named = {name: votes for name, votes in chosen_from.items() if name not in (OTHER, NO_ANSWER)}
    candidate = max(named, key=lambda name: (named[name], name)) if len(first) == n0 and named else None
    return Votes(candidate, chosen_from, _tally(settled_prefix(estimate)[:n], labels) if candidate is not None else {})


def looks_when_paid(n: int) -> Iterator[int]:
    """The numbers of answers at which it is asked whether more are needed: each up to 128, later every 1/64 more.

    They are fixed, so that a run ends at the same answer however many were under way.

    >>> [at for at in looks_when_paid(1_000) if 126 <= at < 136]
    [126, 127, 128, 130, 132, 134]
    """
    at = 0
    while at < n:
        at += max(1, at // 64)
        yield min(at, n)


def _tally(queries: Sequence[Query], labels: LabelMap) -> dict[str, int]:
    tally = Counter(labels.class_of(query.answer) if query.state == ANSWERED else NO_ANSWER for query in queries)
    return dict(sorted(tally.items(), key=lambda entry: (-entry[1], entry[0])))
