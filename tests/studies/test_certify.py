"""A study: with and without the denoiser, its growth, its pictures, and its stored form."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from core.smoothing.bounds import anytime_lower
from core.smoothing.noise import grey_levels, is_on_grid
from core.smoothing.radius import NOISES
from core.smoothing.sampling import BaseClassifier
from core.smoothing.settings import Settings
from core.studies.certify import MAX_POINTS, look_at, study
from core.studies.records import STORED_FOLDER, StudyProgress, StudyRequest, dump_study, parse_study


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
SETTINGS = Settings(sigma=0.5, n0=20, n=400, method="anytime")
REQUEST = StudyRequest("python/Brightness", "python/darken", SETTINGS)
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
        PICTURE,
        Brightness().eval(),
        darken,
        StudyRequest("c", "d", dataclasses.replace(SETTINGS, n0=100, n=50_000)),
        device=CPU,
        report=seen.append,
        should_stop=lambda: bool(seen) and seen[-1].now.done > 300,
    )
    c = result.certificate
    assert c.stopped
    assert 0 < c.n < 50_000
    assert c.method == "anytime"
    assert c.p_lower == pytest.approx(anytime_lower(max(c.counts), c.n, 0.001))
    assert result.without is None


def test_growth_is_thinned() -> None:
    request = StudyRequest("c", "none", dataclasses.replace(SETTINGS, n0=100, n=30_000), compare=False)
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


CHOICES = [{"noise": "laplace", "norm": "linf"}, {"noise": "uniform", "two_sided": True}, {"sound": True, "norm": "linf"}]


@pytest.mark.parametrize("chosen", CHOICES, ids=str)
def test_every_choice_reaches_both_certificates_and_the_stored_form(chosen: dict[str, object]) -> None:
    request = dataclasses.replace(REQUEST, settings=dataclasses.replace(SETTINGS, **chosen))  # type: ignore[arg-type]
    result = study(PICTURE, Brightness().eval(), darken, request, device=CPU)
    assert result.without is not None
    for certificate in (result.certificate, result.without):
        assert {name: getattr(certificate, name) for name in chosen} == chosen
        assert certificate.radius == certificate.radii[certificate.norm] > 0
    again, read = parse_study(dump_study(result, request))
    assert read == request
    assert again.certificate == result.certificate


def test_a_settled_radius_is_the_end_and_no_stop() -> None:
    request = dataclasses.replace(REQUEST, settings=dataclasses.replace(SETTINGS, n=50_000, until_radius=0.4))
    result = study(PICTURE, Brightness().eval(), darken, request, device=CPU)
    assert result.certificate.settled == "reached"
    assert result.certificate.n < 50_000
    assert result.without is not None, "the comparison is left out after a stop only"
    assert result.without.settled is not None


def test_the_strip_shows_the_noise_that_is_drawn() -> None:
    base, pixels = BaseClassifier(Brightness().eval(), None), torch.full((3, 8, 8), 180 / 255)
    noisy = {kind: look_at(pixels, base, Settings(sigma=0.1, noise=kind))["noisy"] for kind in NOISES}
    shown = {kind: view.picture for kind, view in noisy.items()}
    assert len({picture.tobytes() for picture in shown.values()}) == 3
    widest = np.abs(np.asarray(shown["uniform"], dtype=float) - 180).max()
    assert widest <= 255 * 0.1 * 3**0.5 + 1  # uniform noise has an end

    class OnGrid(Brightness):
        def forward(self, x: Tensor) -> Tensor:
            assert is_on_grid(x[1])
            seen.append(grey_levels(x[1]))
            return super().forward(x)

    seen: list[Tensor] = []
    look_at(pixels, BaseClassifier(OnGrid().eval(), None), Settings(sigma=0.1, sound=True))
    assert (seen[0] != 180).any()


def test_studies_stored_before_there_was_a_choice_are_the_usual_request() -> None:
    (path, *_) = sorted(STORED_FOLDER.glob("*.json"))
    document = json.loads(path.read_text(encoding="utf-8"))
    for later in ("noise", "norm", "sound", "two_sided", "until_radius"):
        document["request"].pop(later, None)
    result, request = parse_study(json.dumps(document))
    usual = Settings(sigma=request.settings.sigma, n=request.settings.n, method="anytime")
    assert request == StudyRequest(request.classifier, request.denoiser, usual)
    assert (result.certificate.noise, result.certificate.norm, result.certificate.sound) == ("gaussian", "l2", False)
