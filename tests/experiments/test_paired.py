"""Intervals of ratios hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.errors import LabError
from experiments.compare_modes.paired import geometric_mean_ratio, ratio_of_means


def test_by_hand():
    ratio = ratio_of_means([1.0, 3.0], [2.0, 4.0])
    assert ratio.value == 1.5
    # Residuals 0.5 and -0.5; sd 0.7071; over sqrt(2) and the mean 2: 0.25; t with 1 degree of freedom: 12.706.
    assert (ratio.low, ratio.high) == pytest.approx((1.5 - 0.25 * 12.7062, 1.5 + 0.25 * 12.7062), abs=1e-4)
    assert geometric_mean_ratio([1.0, 1.0], [2.0, 8.0]).value == pytest.approx(4.0)


def test_without_pairs():
    assert ratio_of_means([], []) is None
    assert ratio_of_means([0.0, 0.0], [1.0, 2.0]) is None
    assert geometric_mean_ratio([], []) is None
    assert ratio_of_means([2.0], [3.0]).low is None
    assert geometric_mean_ratio([2.0], [3.0]).high is None
    assert ratio_of_means([1.0, 2.0], [1.0, 2.0]).low is None  # nothing varies
    with pytest.raises(LabError, match="not pairs"):
        ratio_of_means([1.0], [1.0, 2.0])


def test_coverage():
    rng = np.random.default_rng(3)
    inside_means = inside_logs = 0
    for _ in range(400):
        first = rng.uniform(0.5, 2, 40)
        second = first * 1.1 + rng.normal(0, 0.1, 40)
        ratio = ratio_of_means(first.tolist(), second.tolist())
        inside_means += ratio.low <= 1.1 <= ratio.high
        noisy = first * np.exp(math.log(0.9) + rng.normal(0, 0.05, 40))
        ratio = geometric_mean_ratio(first.tolist(), noisy.tolist())
        inside_logs += ratio.low <= 0.9 <= ratio.high
    # 95% of 400 is 380, standard deviation 4.4.
    assert 362 <= inside_means <= 396
    assert 362 <= inside_logs <= 396
