"""The quiz: five questions, each answered at once."""

from __future__ import annotations

import streamlit as st

from core.learn.quiz import QUIZ, QuizItem, shuffled


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
    answer = st.radio(
        f"**{number}.** {question.text}",
        shuffled(question),
        index=None,
        format_func=lambda i: question.choices[i][0],
        key=f"quiz-{question.key}",
        persist_state="session",
    )
    if answer is None:
        return None
    if answer == question.right:
        st.success(question.choices[answer][1], icon=":material/check_circle:")
    else:
        st.info(question.choices[answer][1], icon=":material/replay:")
    return answer
