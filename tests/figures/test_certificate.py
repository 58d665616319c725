"""Votes as icons and bars, and the radius on a line with the attacks: what was counted and found, and nothing else."""

from __future__ import annotations

import pytest

from core.figures.certificate import icon_array, number_line, number_line_alt, of_hundred, radius_bar, vote_bars, votes_alt
from core.report.notation import class_colours
from core.report.words import NamedRadius
from tests.strangers_text import LONG, POLYGLOT, is_live


@pytest.mark.parametrize("counts", [[1000, 0], [994, 3, 3], [1, 1, 1], [50_001, 49_999], [7, 2, 1], [997, 1, 1, 1]])
def test_icons_are_a_hundred_in_order_and_never_flatter_the_leader(counts: list[int]) -> None:
    icons = of_hundred(counts)
    assert len(icons) == 100
    leader = max(range(len(counts)), key=counts.__getitem__)
    assert icons.count(leader) <= 100 * counts[leader] / sum(counts)
    for index, count in enumerate(counts):
        assert abs(icons.count(index) - 100 * count / sum(counts)) <= 1
    assert of_hundred([0, 0]) == []


def test_bars_show_every_vote_and_colour_follows_rank() -> None:
    counts = [5, 0, 90, 1, 1, 1, 1, 1]
    bars = vote_bars(counts, tuple("abcdefgh")).data[0]
    assert bars.y[0] == "c"
    assert sum(bars.x) == 100
    assert "c 90" in votes_alt(counts, tuple("abcdefgh"))
    assert "class 2 90" in votes_alt(counts, None)


def test_icon_shapes_differ_by_class() -> None:
    figure = icon_array([60, 30, 10], ("a", "b", "c"))
    assert len({trace.marker.symbol for trace in figure.data}) == 3
    assert sum(len(trace.x) for trace in figure.data) == 100
    assert "60 in 100 copies said a" in figure.layout.title.text


def test_colours_given_hold_in_bars_and_icons() -> None:
    colours = class_colours([5, 90, 5])
    icons = {
        trace.name.partition(" ")[0]: trace.marker.color for trace in icon_array([60, 30, 10], ["a", "b", "c"], colours).data
    }
    bars = vote_bars([60, 30, 10], ["a", "b", "c"], colours=colours).data[0]
    assert icons == dict(zip(bars.y, bars.marker.color, strict=True)) == {"a": colours[0], "b": colours[1], "c": colours[2]}


def test_every_mark_stands_where_its_number_is() -> None:
    figure = number_line(0.3, 0.9, 0.1, "l2", shown=0.29)
    marks = {trace.name.partition(":")[0]: trace.x[0] for trace in figure.data}
    assert marks == {
        "certified radius": 0.3,
        "smallest attack on the base classifier": 0.1,
        "smallest attack on the smoothed classifier": 0.9,
        "the change shown": 0.29,
    }
    ends = [shape.x1 for shape in figure.layout.shapes]
    assert 0.3 in ends
    assert 0.9 in ends
    assert max(ends) > 0.9


def test_what_was_not_found_is_not_drawn() -> None:
    figure = number_line(0.0, None, None, "linf")
    assert not figure.data
    assert "l-infinity" in figure.layout.xaxis.title.text
    assert number_line_alt(0.0, None, None, "linf") == "Nothing is certified."


def test_a_bar_of_another_class_is_hatched() -> None:
    drawn = radius_bar(NamedRadius("with", 0.1), 0.5, NamedRadius("without: frog", 0.2, clean="dog")).data[1]
    assert list(drawn.y) == ["with", "without: frog<br>not dog"]
    assert list(drawn.marker.pattern.shape) == ["", "/"]


def test_words_for_those_who_cannot_see_it() -> None:
    text = number_line_alt(0.3, 0.9, 0.1, "l2")
    assert "Certified l2 radius 0.300" in text
    assert "base classifier 0.100" in text
    assert "smoothed classifier 0.900" in text


def test_names_of_strangers_are_names() -> None:
    labels = (LONG, f"{LONG}2", "7", "2020-01-01", "<a href='//e.example'>in</a>", "%{y}")
    bars = vote_bars([6, 5, 4, 3, 2, 1], labels)
    assert len(set(bars.data[0].y)) == 6  # cut to one name, they are two bars
    assert bars.layout.yaxis.type == "category"
    icons = icon_array([6, 5, 4, 3, 2, 1], labels)
    radius = radius_bar(NamedRadius(POLYGLOT, 0.2), 0.5, NamedRadius(LONG, 0.1))
    for figure in (bars, icons, radius):
        assert not is_live("PlotlyChart.spec", figure.to_json())
    for trace in icons.data:
        assert "%{" not in trace.hovertemplate
