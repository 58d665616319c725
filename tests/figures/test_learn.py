"""The figures of the Learn page: what they show, and that they answer at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import pytest
from scipy import stats

from core.evaluation.recorded import stored_evaluations
from core.figures.balls import noise_length, noise_length_figure, norm_balls
from core.figures.curves import certified_curves
from core.figures.learn import (
    add_circle,
    add_cloud,
    add_flip,
    add_point,
    add_smoothed_border,
    plane_figure,
    posterior_alt,
    posterior_figure,
    radius_map,
    repeats_figure,
    shift_alt,
    shift_figure,
)
from core.learn.plane import margins
from core.learn.smoothing_in_the_plane import certify_vote, flip_of_base, flip_of_smoothed, repeat, share_abstaining, votes_at
from core.smoothing.bounds import clopper_pearson_lower
from core.smoothing.radius import floored
from core.ui.learn.pictures import stored_curves

POINT = (0.5, 0.3)
AT_ONCE = 1.0
"""Seconds. On a free core each takes well under 0.3; test machines are slower and busy."""


def names(figure: go.Figure) -> list[str]:
    return [trace.name for trace in figure.data if trace.name]


def fragile() -> go.Figure:
    figure = plane_figure("plane")
    flip = flip_of_base(POINT)
    assert flip is not None
    add_flip(figure, POINT, flip)
    add_point(figure, POINT, 1)
    return figure


def voting(sigma: float = 0.137) -> go.Figure:
    votes = votes_at(POINT, sigma, 1_000)
    figure = plane_figure("plane", training=False)
    add_smoothed_border(figure, sigma)
    add_cloud(figure, votes.cloud, votes.said)
    return figure


def bound() -> go.Figure:
    c = certify_vote(votes_at(POINT, 0.123, 100_000), 0.001)
    flip = flip_of_smoothed(POINT, 0.123)
    assert flip is not None
    figure = plane_figure("plane", training=False)
    add_circle(figure, POINT, flip.distance, "true", dashed=True)
    add_circle(figure, POINT, c.radius, "certified")
    posterior_figure(c.k, c.n, c.alpha)
    shift_figure(c.p_lower, c.sigma, c.radius)
    return figure


@pytest.mark.parametrize(
    "make",
    [
        fragile,
        voting,
        bound,
        lambda: noise_length_figure(0.25, 0.3),
        lambda: certified_curves(stored_curves(stored_evaluations()), marked=0.25, bands=False),
        lambda: norm_balls(0.1),
        lambda: radius_map(0.111, 1_000, 0.001),
        lambda: repeats_figure(repeat(0.85, 1_000, 0.05, 1_000, 0), 0.05),
    ],
)
def test_figures_answer_at_once(make: Callable[[], go.Figure]) -> None:
    margins()  # evaluated once a process
    stored_evaluations()
    began = time.perf_counter()
    make().to_json()
    assert time.perf_counter() - began < AT_ONCE


def test_the_plane_tells_classes_by_shape_and_fills_its_frame() -> None:
    figure = fragile()
    symbols = {trace.name: trace.marker.symbol for trace in figure.data if trace.type == "scatter" and trace.name}
    assert symbols["trained as circle"] == "circle"
    assert symbols["trained as diamond"] == "diamond"
    # The script that moves the point reads its place from the frame alone.
    assert tuple(figure.layout.xaxis.range) == tuple(figure.layout.yaxis.range) == (0, 1)
    assert figure.layout.xaxis.constrain == figure.layout.yaxis.constrain == "domain"


def test_the_cloud_is_drawn_in_the_classes_it_has() -> None:
    figure = voting()
    drawn = [trace for trace in figure.data if (trace.name or "").startswith("noisy copy")]
    assert sum(len(trace.x) for trace in drawn) == 300
    assert "border of the smoothed classifier" in names(figure)


@pytest.mark.parametrize(("k", "n", "alpha"), [(855, 1_000, 0.001), (10, 10, 0.001), (3, 10, 0.05), (99_990, 100_000, 0.0001)])
def test_the_posterior_is_the_beta_density_and_its_tail_is_alpha(k: int, n: int, alpha: float) -> None:
    figure = posterior_figure(k, n, alpha)
    x, y = np.array(figure.data[0].x), np.array(figure.data[0].y)
    np.testing.assert_allclose(y, stats.beta.pdf(x, k, n - k + 1), rtol=1e-6, atol=1e-9)
    tail = figure.data[1]
    edge = max(tail.x)
    assert edge == pytest.approx(clopper_pearson_lower(k, n, alpha))
    assert stats.beta.cdf(edge, k, n - k + 1) == pytest.approx(alpha)
    assert floored(edge, ".4f") in posterior_alt(k, n, alpha, edge)


def test_no_votes_at_all_are_said() -> None:
    assert "bound is 0" in posterior_figure(0, 10, 0.001).layout.annotations[0].text


def test_the_shift_by_the_radius_leaves_one_half() -> None:
    radius = 0.1 * stats.norm.ppf(0.9)
    figure = shift_figure(0.9, 0.1, radius)
    assert "90.0%" in figure.data[1].name
    assert "50.0%" in figure.data[3].name
    assert "50.0%" in shift_alt(0.9, 0.1, radius)
    assert f"{100 * stats.norm.cdf(0.5 * stats.norm.ppf(0.9)):.1f}%" in shift_alt(0.9, 0.1, radius / 2)


@pytest.mark.parametrize("dimensions", [1, 2, 3_072, 150_528])
def test_noise_is_as_long_as_chi_says(dimensions: int) -> None:
    for quantile in (0.01, 0.5, 0.99):
        assert noise_length(dimensions, quantile) == pytest.approx(stats.chi.ppf(quantile, dimensions), rel=1e-6)
    assert noise_length(150_528.0, 0.99) / math.sqrt(150_528) < 1.01


def test_balls_lie_inside_the_circle_and_touch_it() -> None:
    for trace in norm_balls(0.2).data[:3]:
        assert np.hypot(trace.x, trace.y).max() == pytest.approx(0.2)


def test_the_map_abstains_everywhere_where_votes_cannot_suffice() -> None:
    assert share_abstaining(0.1, 9, 0.0001) == 1
    few, many = share_abstaining(0.1, 100, 0.001), share_abstaining(0.1, 10_000, 0.001)
    assert 0 < many < few < 1
    z = np.array(radius_map(0.1, 100, 0.001).data[0].z)
    assert np.isnan(z).mean() == pytest.approx(few, abs=1e-6)
    assert np.nanmax(z) <= 0.1 * stats.norm.ppf(clopper_pearson_lower(100, 100, 0.001)) + 1e-6


def test_curves_are_told_apart_by_more_than_colour() -> None:
    figure = certified_curves(stored_curves(stored_evaluations()), marked=0.25, bands=False)
    looks = {(trace.line.dash, trace.marker.symbol) for trace in figure.data}
    assert len(looks) == len(figure.data)
    for trace in figure.data:
        assert (np.diff(trace.y) <= 0).all()
