"""The certified balls are drawn to scale, and only those that there are."""

from __future__ import annotations

import math

import pytest

from core.figures.balls import SHAPES, balls, balls_alt, outline
from core.smoothing.radius import NOISES, radii

GAUSSIAN = radii("gaussian", 0.98, None, 0.25, (3, 32, 32))


@pytest.mark.parametrize("norm", SHAPES)
def test_every_point_of_an_outline_is_at_the_radius(norm: str) -> None:
    x, y = outline(norm, 0.4)
    length = {"l1": lambda a, b: abs(a) + abs(b), "l2": math.hypot, "linf": lambda a, b: max(abs(a), abs(b))}[norm]
    assert [length(a, b) for a, b in zip(x, y, strict=True)] == pytest.approx([0.4] * len(x))
    assert (x[0], y[0]) == pytest.approx((x[-1], y[-1]))
    # Each ball reaches the axes at its radius: that is what sets it to scale.
    assert max(x) == pytest.approx(0.4)
    assert max(y) == pytest.approx(0.4)


def test_balls_stand_at_the_certificates_radii_on_equal_axes() -> None:
    figure = balls(GAUSSIAN, "gaussian")
    solid = {trace.name.split()[0]: max(trace.x) for trace in figure.data if "only" not in trace.name}
    assert solid == {
        "l1": pytest.approx(GAUSSIAN["l1"]),
        "l2": pytest.approx(GAUSSIAN["l2"]),
        "l-infinity": pytest.approx(GAUSSIAN["linf"]),
    }
    assert figure.layout.yaxis.scaleanchor == "x"
    assert figure.layout.yaxis.scaleratio == 1
    assert figure.layout.xaxis.range == figure.layout.yaxis.range


@pytest.mark.parametrize("noise", NOISES)
def test_dotted_are_the_balls_inside_the_own_one_in_the_plane(noise: str) -> None:
    found = radii(noise, 0.98, None, 0.25, (3, 32, 32))
    dotted = {trace.name.split(",")[0]: trace for trace in balls(found, noise).data if "only" in trace.name}
    assert set(dotted) == ({"l-infinity"} if noise == "gaussian" else {"l2", "l-infinity"})
    own = found["l2" if noise == "gaussian" else "l1"]
    for trace in dotted.values():
        assert trace.line.dash == "dot"
        sizes = [math.hypot(x, y) if noise == "gaussian" else abs(x) + abs(y) for x, y in zip(trace.x, trace.y, strict=True)]
        assert max(sizes) == pytest.approx(own, rel=1e-3)  # it touches the border from inside


def test_only_norms_that_are_certified_are_drawn() -> None:
    figure = balls({"l2": 0.3}, "gaussian")
    assert [trace.name for trace in figure.data] == ["l2 circle: 0.300"]
    nothing = dict.fromkeys(GAUSSIAN, 0.0)
    assert not balls(nothing, "gaussian").data
    assert balls_alt(nothing, "gaussian") == "Nothing is certified."


def test_a_ball_too_small_to_be_seen_is_pointed_at() -> None:
    assert "l-infinity: 0.00926" in balls(GAUSSIAN, "gaussian").layout.annotations[0].text
    assert not balls({"l1": 0.3, "l2": 0.3}, "gaussian").layout.annotations


def test_words_for_those_who_cannot_see_it() -> None:
    text = balls_alt(GAUSSIAN, "gaussian")
    assert "l1 diamond of radius 0.513" in text
    assert "l2 circle of radius 0.513" in text
    assert "l-infinity square of radius 0.00926" in text
    assert "only these two values: l-infinity 0.363" in text
