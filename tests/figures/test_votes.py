"""Figures of the vote."""

from __future__ import annotations

import pytest

from core.figures.votes import icon_array, of_hundred, vote_bars, votes_alt
from core.report.notation import class_colours


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
