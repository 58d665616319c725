"""What the Learn page says beside its figures: the words of the field, and five questions; their texts lie in assets/learn."""

import json
from dataclasses import dataclass
from typing import Any

from core.folders import ASSETS


@dataclass(frozen=True)
class Term:
    """One word.

    Attributes:
        name: as it is written on the pages.
        meaning: one or two sentences.
        source: where it comes from.
        formula: in LaTeX, or empty.
    """

    name: str
    meaning: str
    source: str
    formula: str = ""


@dataclass(frozen=True)
class QuizItem:
    """One question.

    Attributes:
        key: what links and tests call it.
        text: what is asked.
        choices: answers to choose from, each with the feedback it gets.
        right: index of the right one.
    """

    key: str
    text: str
    choices: tuple[tuple[str, str], ...]
    right: int


def _entries(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ASSETS / "learn" / name).read_text(encoding="utf-8"))
    return found


GLOSSARY = {entry["name"]: Term(**entry) for entry in _entries("glossary.json")}
"""By name, in the order in which the chapters meet them."""

QUIZ = tuple(
    QuizItem(
        entry["key"],
        entry["text"],
        choices=tuple((choice["answer"], choice["feedback"]) for choice in entry["choices"]),
        right=entry["right"],
    )
    for entry in _entries("quiz.json")
)
"""The right answers' places differ on the page: see :func:`shuffled`."""


def shuffled(question: QuizItem) -> tuple[int, ...]:
    """The order in which the choices are shown: fixed for each question, so that the right one has no place of its own.

    >>> [shuffled(question).index(question.right) for question in QUIZ]
    [1, 0, 0, 1, 2]
    """
    count = len(question.choices)
    turn = sum(question.key.encode()) % count
    return tuple((index + turn) % count for index in range(count))
