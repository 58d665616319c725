"""Figures of the trade-offs: what is drawn is what was measured, and nothing is told by colour alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.evaluation.curve import Citation, CurveSummary, PublishedCurve, Steps
from core.evaluation.log import Outcomes
from core.figures.curves import (
    MOST_BANDS,
    Curve,
    bound_histogram,
    certified_curves,
    class_bars,
    curves_alt,
    radius_histogram,
    share_at,
)
from core.figures.tradeoff import Projected, Spot, pareto_front, pareto_view, samples_effect, sigma_path, tradeoff_alt
from core.report.notation import CATEGORIES


def curve(name: str, group: str = "a", rank: int = 0, height: float = 0.8) -> Curve:
    radii = np.array([0.0, 0.25, 0.5, 0.75])
    certified = np.array([height, height - 0.2, height - 0.4, 0.0])
    return Curve(name, group, rank, Steps(radii, certified, np.maximum(certified - 0.05, 0), certified + 0.05, (name,) * 4))


def published(*points: tuple[float, float]) -> PublishedCurve:
    about = {"dataset": "CIFAR-10", "norm": "l2", "source": Citation("a paper", "https://example.org"), "how": "read off"}
    unknown = {"network": None, "sigma": None, "images": None}
    return PublishedCurve(key="theirs", name="theirs", points=points, clean={}, **about, **unknown)


def traces(figure: Any, named: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == named]


def test_a_curve_is_drawn_as_measured_and_every_point_says_whose_it_is() -> None:
    mine = curve("mine")
    (trace,) = traces(certified_curves([mine], []), "mine")
    assert list(trace.x) == mine.steps.radii.tolist()
    assert list(trace.y) == mine.steps.certified.tolist()
    assert [data[:2] for data in trace.customdata] == [["mine", radius] for radius in mine.steps.radii]
    assert trace.line.shape == "vh"  # never above what was measured


def test_groups_differ_in_colour_and_marker_and_sigmas_in_dashes() -> None:
    figure = certified_curves([curve("a1"), curve("a2", rank=1), curve("b1", "b")], [])
    a1, a2, b1 = (traces(figure, name)[0] for name in ("a1", "a2", "b1"))
    assert a1.line.color == a2.line.color != b1.line.color
    assert a1.marker.symbol == a2.marker.symbol != b1.marker.symbol
    assert a1.line.dash != a2.line.dash
    assert {a1.line.color, b1.line.color} <= set(CATEGORIES)


def test_published_curves_are_dashed_with_open_marks_and_cannot_be_clicked_for_images() -> None:
    (trace,) = traces(certified_curves([curve("mine")], [published((0.25, 0.5), (0.5, 0.3))]), "theirs")
    assert trace.line.dash == "dash"
    assert trace.marker.symbol.endswith("-open")
    assert trace.customdata is None
    assert (list(trace.x), list(trace.y)) == ([0.25, 0.5], [0.5, 0.3])


def test_intervals_are_drawn_for_few_curves_only() -> None:
    few = [curve(str(i)) for i in range(MOST_BANDS)]
    bands = [trace for trace in certified_curves(few, []).data if trace.fill == "toself"]
    assert len(bands) == MOST_BANDS
    assert max(bands[0].y) == pytest.approx(0.85)
    assert not [t for t in certified_curves([*few, curve("more")], []).data if t.fill == "toself"]


def test_the_words_say_what_the_curve_shows() -> None:
    words = curves_alt([curve("mine")], [published((0.25, 0.5))], [0.25, 1.0])
    assert "mine: 80% right, certified 60% at 0.25, 0% at 1" in words
    assert "theirs" in words
    assert share_at(curve("mine"), 0.3) == pytest.approx(0.4)


def spot(name: str, x: float, y: float, sigma: float = 0.25, group: str = "a") -> Spot:
    return Spot(name, f"sigma {sigma:g}", name, group, sigma, x, y, y - 0.05, y + 0.05)


def test_the_path_goes_from_small_sigma_to_large() -> None:
    spots = [spot("c", 0.3, 0.2, 1.0), spot("a", 0.8, 0.1, 0.12), spot("b", 0.6, 0.4, 0.5)]
    (trace,) = traces(sigma_path(spots, 0.5), "a")
    assert list(trace.x) == [0.8, 0.6, 0.3]
    assert [text.strip() for text in trace.text] == ["sigma 0.12", "sigma 0.5", "sigma 1"]
    assert list(trace.error_y.array) == pytest.approx([0.05] * 3)


def test_the_front_leaves_out_what_is_beaten_at_no_more_cost() -> None:
    spots = [spot("cheap", 1, 0.3), spot("beaten", 2, 0.2), spot("dear", 3, 0.5), spot("worse", 1, 0.1)]
    assert [one.name for one in pareto_front(spots)] == ["cheap", "dear"]
    front = pareto_view(spots, 0.25, "Seconds").data[-1]
    assert list(front.x) == [1, 3]
    assert "beaten: cost 2" in tradeoff_alt(spots, "cost", "certified")


def test_projected_paths_are_open_and_never_part_of_the_front() -> None:
    path = [spot("n = 100", 0.1, 0.9), spot("n = 1,000", 2, 0.95)]
    figure = pareto_view([spot("a", 1, 0.3), spot("b", 3, 0.5)], 0.25, "Samples", projected=[path])
    assert figure.data[0].marker.symbol.endswith("-open")
    assert "projected" in figure.data[0].name
    assert list(figure.data[-1].y) == [0.3, 0.5]


def test_costs_far_apart_are_drawn_on_a_logarithmic_axis() -> None:
    assert pareto_view([spot("a", 1, 0.3), spot("b", 100, 0.4)], 0.25, "Samples").layout.xaxis.type == "log"
    assert pareto_view([spot("a", 1, 0.3), spot("b", 2, 0.4)], 0.25, "Samples").layout.xaxis.type == "linear"


def test_histograms_count_right_answers_as_shares_of_all_images() -> None:
    radius = np.array([0.1, 0.5, 0.5, 0.9, 0.0])
    right = np.array([True, True, True, False, False])
    predict = np.array([0, 0, 0, 1, -1])
    outcomes = Outcomes(np.arange(5), np.zeros(5, dtype=np.int64), predict, radius, right, radius)
    trace = radius_histogram({"log": outcomes}, ceilings={"log": 0.6}).data[0]
    assert sum(trace.y[:-1]) == pytest.approx(3 / 5)
    assert "60% right, 20% wrong, 20% abstained" in trace.name
    bounds = bound_histogram({"log": np.array([0.6, 0.99, np.nan])}).data[0]
    assert sum(bounds.y[:-1]) == pytest.approx(2 / 3)
    assert "not known of 1" in bounds.name
    assert bounds.x[0] == 0.5
    assert bound_histogram({"log": np.array([0.3, 0.99])}).data[0].x[0] == 0


def test_classes_have_their_own_intervals_and_numbers() -> None:
    cats = CurveSummary(20, 0.6, 0.2, 0.0, {0.25: 0.4}, {0.25: (0.2, 0.65)}, (0.36, 0.81), (0.1, 0.3), "clopper-pearson")
    figure = class_bars([("cat", cats)], 0.25)
    clean, certified = figure.data
    assert (clean.y[0], clean.x[0], certified.x[0]) == ("cat (20)", 0.6, 0.4)
    assert (certified.error_x.array[0], certified.error_x.arrayminus[0]) == pytest.approx((0.25, 0.2))
    assert clean.marker.pattern.shape


def test_projected_lines_are_named_so_and_the_measured_point_stands_out() -> None:
    figure = samples_effect([Projected(0.001, (100, 1000), (0.2, 0.3), True)], (1000, 0.3), 0.25)
    line, measured = figure.data
    assert "projected" in line.name
    assert "its own" in line.name
    assert (list(measured.x), list(measured.y), measured.name) == ([1000], [0.3], "measured")
    assert figure.layout.xaxis.type == "log"


def test_words_beside_marks_at_the_right_edge_stand_to_their_left() -> None:
    alone = pareto_view([spot("a", 1100, 0.5), spot("b", 1100, 0.4)], 0.25, "samples")
    assert set(alone.data[0].textposition) == {"top left"}
    apart = pareto_view([spot("a", 100, 0.5), spot("b", 1100, 0.6)], 0.25, "samples")
    assert apart.data[0].textposition == ("top right", "top left")
