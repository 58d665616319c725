"""The radius as a bar, as it grows, and on a line with the attacks: what was certified and found, and nothing else."""

from __future__ import annotations

from core.figures.radius import number_line, number_line_alt


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


def test_words_for_those_who_cannot_see_it() -> None:
    text = number_line_alt(0.3, 0.9, 0.1, "l2")
    assert "Certified l2 radius 0.300" in text
    assert "base classifier 0.100" in text
    assert "smoothed classifier 0.900" in text
