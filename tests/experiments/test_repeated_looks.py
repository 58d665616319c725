"""What is looked at more than once errs no more often than it says; it did before."""

from __future__ import annotations

import pytest

from experiments.repeated_looks import ALPHA, DOUBLED, EVERY_TEN, bought_again, rows


@pytest.mark.parametrize(("looks", "times"), [(DOUBLED, 3), (EVERY_TEN, 5)])
def test_a_fixed_n_asked_again_on_the_same_answers(looks: tuple[int, ...], times: float) -> None:
    for alpha in (0.05, 0.001):
        assert bought_again(0.8, looks, now=False, alpha=alpha) > times * alpha
        assert bought_again(0.8, looks, now=True, alpha=alpha) <= 2 * alpha


def test_everything_errs_now_no_more_often_than_is_said_and_did_so_before() -> None:
    for words, before, now in rows():
        assert now <= ALPHA < before, words
