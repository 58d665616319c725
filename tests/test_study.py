"""A study: with and without the denoiser, its growth, its pictures, and its stored form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from core.smoothing.bounds import anytime_lower
from core.stored import dump_study, parse_study
from core.study import StudyProgress, StudyRequest
from core.study_run import MAX_POINTS, study


class Brightness(nn.Module):
    """Class 0 where the mean is under one half, else class 1."""

    labels = ("dark", "bright")
    input_size = (8, 8)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1) * 40


def darken(noisy: Tensor, sigma: float) -> Tensor:
    """A denoiser that is plainly wrong, so that with and without differ."""
    return noisy - 0.5


PICTURE = Image.fromarray(np.full((20, 30, 3), 180, dtype=np.uint8))
REQUEST = StudyRequest("python/Brightness", "python/darken", sigma=0.5, n=400, n0=20)
CPU = torch.device("cpu")


def test_both_certificates_the_growth_and_the_views() -> None:
    snapshots: list[StudyProgress] = []
    result = study(PICTURE, Brightness().eval(), darken, REQUEST, device=CPU, report=snapshots.append)
    assert result.certificate.label == "dark"
    assert result.without is not None
    assert result.without.label == "bright"
    assert list(result.views) == ["original", "noisy", "denoised"]
    assert result.views["original"].picture.size == (8, 8)
    assert [view.top[0][0] for view in result.views.values()] == [1, 1, 0]
    last = result.points[-1]
    assert last.samples == 400
    assert last.p_lower == pytest.approx(anytime_lower(result.certificate.counts[0], 400, 0.001))
    assert last.radius <= last.ceiling
    assert {s.part for s in snapshots} == {"certificate", "without"}


def test_a_stop_keeps_a_valid_certificate_and_skips_the_comparison() -> None:
    seen: list[StudyProgress] = []
    result = study(
        PICTURE, Brightness().eval(), darken, StudyRequest("c", "d", sigma=0.5, n=50_000), device=CPU,
        report=seen.append, should_stop=lambda: bool(seen) and seen[-1].now.done > 300,
    )  # fmt: skip
    c = result.certificate
    assert c.stopped
    assert 0 < c.n < 50_000
    assert c.method == "anytime"
    assert c.p_lower == pytest.approx(anytime_lower(max(c.counts), c.n, 0.001))
    assert result.without is None


def test_growth_is_thinned() -> None:
    request = StudyRequest("c", "none", sigma=0.5, n=30_000, compare=False)
    result = study(PICTURE, Brightness().eval(), None, request, device=CPU)
    assert len(result.points) <= MAX_POINTS
    assert result.points[-1].samples == 30_000
    assert "denoised" not in result.views


def test_stored_form_is_the_same_study() -> None:
    result = study(PICTURE, Brightness().eval(), darken, REQUEST, device=CPU)
    again, request = parse_study(dump_study(result, REQUEST))
    assert request == REQUEST
    assert again.certificate == result.certificate
    assert again.without == result.without
    assert again.points == result.points
    assert again.views.keys() == result.views.keys()
    assert again.views["noisy"].picture.tobytes() == result.views["noisy"].picture.tobytes()
