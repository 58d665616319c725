"""From an open set of labels to votes: the best label names the class, synonyms may be one class, kept answers are counted."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from core.apis.ledger import ANSWERED, Query, settled_prefix
from core.apis.provider import Answer
from core.errors import LabError
from core.smoothing.certificate import Certificate, Provenance
from core.smoothing.certification import Certification
from core.smoothing.settings import Settings

OTHER = "other"  # the class of every answer whose best label no group of the map names, and of an empty answer

NO_ANSWER = "no usable answer"
"""The class of queries that brought none: unusable, or in doubt. Counting them against every class keeps the bound valid."""

MAX_GROUPS, MAX_WORDS, MAX_LENGTH = 200, 5_000, 200


@dataclass(frozen=True)
class LabelMap:
    """Which labels count as which class: ``{"cat": ("tabby", "kitten")}``. An empty map takes each label as its own class.

    A class's own name counts as it, too; case and outer blanks do not matter. Since it is a fixed function of the answer, the
    API with it is again a classifier, and the certificate holds for that.
    """

    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @staticmethod
    def of(groups: Mapping[str, object]) -> LabelMap:
        """Check a mapping of class names to words. Raises LabError where a word stands in two classes, or it is none."""
        seen: dict[str, str] = {}
        made: list[tuple[str, tuple[str, ...]]] = []
        if len(groups) > MAX_GROUPS:
            raise LabError(f"The label map has {len(groups)} classes: at most {MAX_GROUPS} are taken.")
        for name, words in groups.items():
            if isinstance(words, str):
                words = [words]
            if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
                raise LabError(f"The label map's entry {name!r} is no list of words: expected something like cat = ['tabby'].")
            if fold(name) in ("", OTHER):
                raise LabError(f"The label map names a class {name!r}: that name is taken; choose another.")
            every = [word for word in dict.fromkeys([fold(name), *map(fold, words)]) if word]
            for word in every:
                if len(word) > MAX_LENGTH:
                    raise LabError(f"The label map's class {name!r} has a word of {len(word)} letters: at most {MAX_LENGTH}.")
                if word in seen:
                    raise LabError(f"The label map has {word!r} in both {seen[word]!r} and {name!r}: it can count as one only.")
                seen[word] = name
            made.append((name.strip(), tuple(every)))
        if len(seen) > MAX_WORDS:
            raise LabError(f"The label map has {len(seen)} words: at most {MAX_WORDS} are taken.")
        return LabelMap(tuple(made))

    def class_of(self, answer: Answer) -> str:
        """The class of an answer: that of its best label."""
        if not answer:
            return OTHER
        best = fold(answer[0].name)
        if not self.groups:
            return best or OTHER
        return next((name for name, words in self.groups if best in words), OTHER)

    def unknown(self, seen: list[str]) -> list[str]:
        """The words of the map that no label seen so far is, for a remark on typing mistakes."""
        labels = set(map(fold, seen))
        return [word for _, words in self.groups for word in words if word not in labels]


def fold(label: str) -> str:
    """A label as it is compared."""
    return " ".join(label.casefold().split())


def read_label_map(path: Path) -> LabelMap:
    """Read a TOML file with one line a class: ``cat = ["tabby", "kitten"]``. Raises LabError where that cannot be done."""
    try:
        return LabelMap.of(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LabError(f"The label map {str(path)!r} cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError(f"The label map {str(path)!r} is no TOML ({error}): expected lines like cat = ['tabby'].") from error


def parse_label_map(text: str) -> LabelMap:
    """A map as people type it, one class a line: ``cat: tabby, kitten``. Raises LabError where a line has no colon."""
    groups: dict[str, list[str]] = {}
    for line in filter(str.strip, text.splitlines()):
        name, colon, words = line.partition(":")
        if not colon:
            raise LabError(f"The label map's line {line.strip()!r} has no colon: write it as 'cat: tabby, kitten'.")
        groups.setdefault(name.strip(), []).extend(words.split(","))
    return LabelMap.of(groups)


@dataclass(frozen=True)
class AnswerVotes:
    """Votes by class name, the most frequent first; ``other`` and ``no usable answer`` stand among them."""

    candidate: str | None  # the class that the n0 answers chose; None: too few yet, or none names a class
    chosen_from: dict[str, int]  # votes of the n0 answers
    counts: dict[str, int]  # votes of the answers after them

    @property
    def n(self) -> int:
        return sum(self.counts.values())


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


class AnsweredCertification:
    """CERTIFY fed with kept answers: one by one, in the order of their numbers, and none after the one that settles it.

    So what is said does not depend on the answers that were still under way when asking ended.
    """

    def __init__(self, settings: Settings, shape: tuple[int, ...], labels: LabelMap) -> None:
        self.certification = Certification(
            settings, shape, at=tuple(looks_when_paid(settings.n)), choose=self._choose, give_up=settings.method == "anytime"
        )
        self._labels = labels
        self._names = {OTHER: 0, NO_ANSWER: 1}
        self._counted = {"select": 0, "estimate": 0}

    def count(self, select: Sequence[Query], estimate: Sequence[Query]) -> None:
        """Count those answers that were not counted before."""
        c = self.certification
        for purpose, queries, most in (("select", select, c.settings.n0), ("estimate", estimate, c.settings.n)):
            for query in settled_prefix(queries)[self._counted[purpose] : most]:
                if purpose == "estimate" and (c.candidate is None or c.finished):
                    return
                self._counted[purpose] += 1
                name = self._labels.class_of(query.answer) if query.state == ANSWERED else NO_ANSWER
                index = self._names.setdefault(name, len(self._names))
                c.add(purpose, torch.eye(len(self._names), dtype=torch.int64)[index])

    def _choose(self, votes: Tensor) -> int | None:
        known = {name: int(votes[index]) for name, index in self._names.items() if index > 1 and index < len(votes)}
        best = max(known, key=lambda name: (known[name], name), default=None)
        return None if best is None else self._names[best]

    @property
    def votes(self) -> AnswerVotes:
        c, names = self.certification, list(self._names)
        candidate = None if c.candidate is None else names[c.candidate]
        return AnswerVotes(candidate, self._by_name(c.counts0), self._by_name(c.counts))

    def _by_name(self, votes: Tensor) -> dict[str, int]:
        found = {name: count for name, count in zip(self._names, votes.tolist(), strict=False) if count}
        return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))

    def certificate(self, provenance: Provenance, seconds: float, samples: int) -> Certificate:
        """The certificate; its classes are the labels seen in order, then ``other`` and ``no usable answer``."""
        made = self.certification.certificate(provenance, seconds, samples)
        names = [*sorted(self._names.keys() - {OTHER, NO_ANSWER}), OTHER, NO_ANSWER]
        votes = self.votes
        candidate = None if votes.candidate is None else names.index(votes.candidate)
        counts = tuple(votes.counts.get(name, 0) for name in names)
        made = replace(made, counts=counts, labels=tuple(names), candidate=candidate)
        return made if made.abstained else replace(made, prediction=candidate, label=votes.candidate)
