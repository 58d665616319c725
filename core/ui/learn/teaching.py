"""What stands around the chapters: lessons for those who teach, a quiz, and the glossary; their texts lie in assets/learn."""

import re
from dataclasses import dataclass
from functools import cache

import streamlit as st

from core.folders import ROOT
from core.ui.sentences import stored_texts


@dataclass(frozen=True)
class Term:
    """A word of the glossary; its formula is LaTeX, or empty."""

    name: str
    meaning: str
    source: str
    formula: str = ""


@dataclass(frozen=True)
class QuizItem:
    """A question of the quiz; each choice is an answer with the feedback it gets, ``right`` the index of the right one."""

    key: str
    text: str
    choices: tuple[tuple[str, str], ...]
    right: int


PROSE: dict[str, str] = stored_texts("learn/chapters")
"""Paragraphs of the chapters."""

GLOSSARY = {entry["name"]: Term(**entry) for entry in stored_texts("learn/glossary")}
"""By name, in the order in which the chapters meet them."""

QUIZ = tuple(
    QuizItem(**(entry | {"choices": tuple((choice["answer"], choice["feedback"]) for choice in entry["choices"])}))
    for entry in stored_texts("learn/quiz")
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


LESSONS = ROOT / "docs" / "lessons"
MINUTES = (15, 45, 90)


def draw_lessons() -> None:
    """Each lesson folded away; nothing where the documents were not brought along."""
    texts = {minutes: text for minutes in MINUTES if (text := lesson_text(minutes)) is not None}
    if not texts:
        return
    st.subheader("Lessons", anchor="lessons")
    st.caption("For those who teach: goals, steps as links, questions and answers. Presenter mode is at the foot of the page.")
    for minutes, text in texts.items():
        with st.expander(f"{minutes} minutes", icon=":material/co_present:"):
            st.markdown(text)


@cache
def lesson_text(minutes: int) -> str | None:
    """A lesson without its title, its headings made smaller, its links relative to the page; None where there is none."""
    path = LESSONS / f"{minutes}-minutes.md"
    if not path.exists():
        return None
    body = path.read_text(encoding="utf-8").partition("\n")[2]
    body = re.sub(r"^## ", "##### ", body, flags=re.MULTILINE)
    return body.replace("](/", "](")


def draw_terms(*names: str) -> None:
    """The words of a chapter; each opens its meaning."""
    with st.container(horizontal=True, key=f"terms-{names[0].replace(' ', '-')}"):
        for name in names:
            term = GLOSSARY[name]
            with st.popover(term.name, type="tertiary", icon=":material/dictionary:", help=term.meaning):
                draw_term(term)


def draw_term(term: Term) -> None:
    """Meaning, formula, source."""
    st.markdown(f"**{term.name}**: {term.meaning}")
    if term.formula:
        st.latex(term.formula)
    st.caption(f"Source: {term.source}")


def draw_glossary() -> None:
    """All words, by letter, narrowed by what is typed."""
    st.subheader("Glossary", anchor="glossary")
    wanted = st.text_input("Find a word", key="glossary-find", max_chars=60, placeholder="radius").strip().lower()
    found = [term for term in GLOSSARY.values() if wanted in f"{term.name} {term.meaning}".lower()]
    if not found:
        st.caption("No word of the glossary has that in it.")
    with st.expander(f"{len(found)} words", expanded=bool(wanted), icon=":material/dictionary:"):
        for term in sorted(found, key=lambda t: t.name.lower()):
            draw_term(term)


def draw_quiz() -> None:
    """All questions and, once all are answered, how many were right."""
    st.subheader("Quiz: five questions", anchor="quiz")
    answers = [_draw_question(number, question) for number, question in enumerate(QUIZ, 1)]
    given = sum(answer is not None for answer in answers)
    right = sum(answer == question.right for answer, question in zip(answers, QUIZ, strict=True))
    if given == len(QUIZ):
        st.markdown(f"##### {right} of {len(QUIZ)} right")
    elif given:
        st.caption(f"{given} of {len(QUIZ)} answered.")


def _draw_question(number: int, question: QuizItem) -> int | None:
    """Index of the choice, or None where there is none yet."""
    text, key, answers = f"**{number}.** {question.text}", f"quiz-{question.key}", [answer for answer, _ in question.choices]
    written = answers.__getitem__
    answer = st.radio(text, shuffled(question), index=None, format_func=written, key=key, persist_state="session")
    if answer is None:
        return None
    if answer == question.right:
        st.success(question.choices[answer][1], icon=":material/check_circle:")
    else:
        st.info(question.choices[answer][1], icon=":material/replay:")
    return answer
