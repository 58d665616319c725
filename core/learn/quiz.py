"""Five questions about what a certificate says, with what to answer to each choice."""

from __future__ import annotations

from dataclasses import dataclass


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


QUIZ = (
    QuizItem(
        "what-is-certified",
        "A certificate says *cat, l2 radius 0.5*. Which classifier does it speak of?",
        (
            (
                "The pretrained classifier, as it was downloaded",
                "No: that one may change its answer right beside the picture, as in the first chapter.",
            ),
            (
                "The vote over noisy, denoised copies",
                "Yes. The smoothed classifier is the vote; the theorem says nothing of the classifier alone.",
            ),
            ("Every classifier trained on the same pictures", "No: the votes of one classifier say nothing of another."),
        ),
        1,
    ),
    QuizItem(
        "wrong-and-certified",
        "The picture shows a dog; the certificate says *cat, radius 0.5*. Is the certificate broken?",
        (
            (
                "Yes: a certified answer is a right answer",
                "No: robust is not the same as right. The vote says cat, and nearby pictures cannot change that.",
            ),
            (
                "No: it only says that nearby pictures get the same answer",
                "Yes. A certificate knows no labels. That is why certified accuracy counts right *and* certified.",
            ),
        ),
        1,
    ),
    QuizItem(
        "more-samples",
        "Every one of 100 noisy copies said *ship*. What do 10,000 more copies that all say *ship* change?",
        (
            ("Nothing: it was unanimous before", "They do change something: 100 votes cannot tell p = 0.95 from p = 0.9999."),
            (
                "The bound on p rises, and the radius with it",
                "Yes. At alpha 0.001 the greatest radius that 100 votes can show is 1.50 sigma; 10,000 show up to 3.20 sigma.",
            ),
            (
                "The radius shrinks, since more copies are more chances to fail",
                "No: more votes pin p down better, and the bound comes closer to the truth from below.",
            ),
        ),
        1,
    ),
    QuizItem(
        "other-changes",
        "The certified l2 radius is 0.5. Somebody turns the picture by two degrees, and the vote changes. What follows?",
        (
            ("The certificate was wrong", "Not from this: turning moves many pixels, and its l2 length is far above 0.5."),
            (
                "Nothing: the turned picture is farther away than 0.5",
                "Yes. The promise ends at the radius, in that norm. Turning, blur and crops need smoothings of their own.",
            ),
        ),
        1,
    ),
    QuizItem(
        "alpha",
        "A thousand pictures are certified at alpha = 0.001. How many certificates may be false?",
        (
            ("None: a certificate is a proof", "The radius follows by proof from p, but p is bounded from a sample of noise."),
            (
                "One in expectation, at most",
                "Yes. Each is wrong with probability at most alpha, so of 1,000 at most one is expected to be.",
            ),
            ("A thousandth of every picture's pixels", "No: alpha is about the sample of noise, not about pixels."),
        ),
        1,
    ),
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
