"""The size of results: what weighs is counted, once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image

from core.ui.jobs.result_size import result_size


@dataclass(frozen=True)
class Part:
    pixels: object
    more: dict[str, object] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("heavy", "bytes_"),
    [
        (torch.zeros(3, 100, 100), 120_000),
        (np.zeros((100, 100, 3)), 240_000),
        (Image.new("RGB", (200, 100)), 80_000),
        (Image.new("L", (200, 100)), 20_000),
        (b"x" * 50_000, 50_000),
        ("x" * 50_000, 50_000),
    ],
)
def test_what_weighs_is_found_wherever_it_is_and_counted_once(heavy, bytes_):
    for held in (heavy, [heavy], (1, {"a": heavy}), Part(heavy), Part(None, {"b": [Part(heavy)]}), [heavy, heavy, Part(heavy)]):
        assert bytes_ <= result_size(held) < bytes_ + 3_000, held


def test_different_things_add_up():
    assert result_size([torch.zeros(1_000), torch.zeros(1_000)]) >= 8_000
    assert result_size([tuple(range(1_000, 2_000))]) >= 8_000 + 1_000 * 28


def test_small_and_circular_things():
    circle: list[object] = [1]
    circle.append(circle)
    assert 0 < result_size(circle) < 300
    assert 0 < result_size(None) < 100
    assert result_size(Part) > 0
