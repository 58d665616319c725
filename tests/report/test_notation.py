"""Numbers, norms and classes are written one way everywhere."""

from __future__ import annotations

import sys

import pytest

import core.commands.attack
import core.ui.apis.view
import core.ui.tradeoffs.evaluating
from core.report.notation import certainty, class_colours, class_name, duration, percent


def test_percent_hides_nothing() -> None:
    assert percent(0.999) == "99.9%"
    assert percent(0.9999) == "99.99%"
    assert percent(certainty(1e-12)) == "99.9999999999%"
    assert percent(2e-9) == "0.0000002%"


def test_a_time_is_told_alike_on_pages_and_the_terminal() -> None:
    """The Trade-offs page said '2 min' of what the terminal and the Vision APIs page call '1 min 35 s'."""
    assert duration(95) == "1 min 35 s"
    for module in (core.commands.attack, core.ui.apis.view, core.ui.tradeoffs.evaluating):
        assert vars(sys.modules[module.__name__])["duration"] is duration


@pytest.mark.parametrize(("index", "labels", "name"), [(1, ["a"], "class 1"), (-1, ["a"], "class -1"), (0, ["a"], "a")])
def test_a_class_without_a_label_has_its_number(index: int, labels: list[str], name: str) -> None:
    """Tables of the Trade-offs page gave the bare number of such a class, figures and certificates 'class 1'."""
    assert class_name(index, labels) == name


def test_colours_follow_the_votes() -> None:
    colours = class_colours([5, 0, 90, 1, 1, 1, 1, 1])
    assert list(colours)[:2] == [2, 0]
    assert 1 not in colours
