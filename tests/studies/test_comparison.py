"""Comparisons of denoisers: their numbers against direct computation, their noise, their stops, their tables."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from core.errors import LabError
from core.models.network import ClassicalDenoiser
from core.pictures.pixels import psnr, ssim, to_pixels
from core.report.export import measures_csv, summaries_csv
from core.smoothing.noise import NoiseStream
from core.smoothing.sampling import BaseClassifier
from core.smoothing.settings import Settings
from core.studies.certify import look_at
from core.studies.comparison import (
    FIRST_ROUND,
    NOISY,
    Comparison,
    ComparisonRequest,
    Measure,
    Panel,
    close_up,
    compare,
    run_comparison,
    summarise_draws,
)

CPU = torch.device("cpu")


class Brightness(nn.Module):
    """Class 0 where the mean is under one half, else class 1; a third class is never best."""

    labels = ("dark", "bright", "never")
    input_size = (16, 16)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5, torch.full_like(mean, -9)], dim=1) * 40


class Halve(nn.Module):
    """A denoiser that darkens, so that the class changes."""

    def forward(self, noisy: Tensor, sigma: float) -> Tensor:
        return noisy / 2


def picture() -> Image.Image:
    ramp = np.linspace(120, 220, 16, dtype=np.uint8)
    return Image.fromarray(np.stack([np.tile(ramp, (16, 1))] * 3, axis=2))


PIXELS = to_pixels(picture(), (16, 16))
CLASSIFIER = Brightness().eval()


def panels_of(denoisers: dict[str, object], sigmas: tuple[float, ...] = (0.1, 0.4), draws: int = 3) -> list[Panel]:
    return list(compare(PIXELS, CLASSIFIER, denoisers, sigmas, draws, seed=7))  # type: ignore[arg-type]


def test_every_denoiser_gets_the_same_noise_and_the_first_draw_is_the_certify_pages() -> None:
    panels = panels_of({NOISY: None, "half": Halve().eval(), "classical/median": ClassicalDenoiser("median")})
    assert [(p.measure.sigma, p.measure.denoiser, p.measure.draw) for p in panels] == [
        (sigma, name, draw) for sigma in (0.1, 0.4) for name in (NOISY, "half", "classical/median") for draw in range(3)
    ]
    noise = NoiseStream((3, 16, 16), 7, "show", CPU)(0, 3)
    found = {(p.measure.sigma, p.measure.draw, p.measure.denoiser): p for p in panels}
    for sigma in (0.1, 0.4):
        for draw in range(3):
            noisy = PIXELS + sigma * noise[draw]
            torch.testing.assert_close(found[sigma, draw, NOISY].pixels, noisy)
            torch.testing.assert_close(found[sigma, draw, "half"].pixels, noisy / 2)
            by_hand = ClassicalDenoiser("median")(noisy[None], sigma)[0]
            torch.testing.assert_close(found[sigma, draw, "classical/median"].pixels, by_hand)
    strip = look_at(PIXELS, BaseClassifier(CLASSIFIER, None), Settings(sigma=0.4, seed=7))
    np.testing.assert_allclose(strip["noisy"].top, found[0.4, 0, NOISY].measure.top, rtol=1e-5, atol=1e-7)


def test_psnr_and_ssim_are_those_of_the_pixels_as_they_are_shown() -> None:
    """12.9 dB, not the 12.1 that unclipped noise would have; the command `denoise` prints the same."""
    noise = NoiseStream((3, 16, 16), 7, "show", CPU)(0, 40)
    measures = [p.measure for p in panels_of({NOISY: None}, (0.25,), 40)]
    assert len({m.psnr for m in measures}) == 40, "every draw is another one"
    for measure, draw in zip(measures, noise, strict=True):
        noisy = PIXELS + 0.25 * draw
        assert measure.psnr == pytest.approx(float(psnr(noisy.double(), PIXELS.double())), abs=1e-4)
        assert measure.ssim == pytest.approx(ssim(noisy.double(), PIXELS.double()), abs=1e-4)
    assert np.mean([m.psnr for m in measures]) == pytest.approx(12.95, abs=0.1)


def test_summary_counts_classes_kept_and_spreads() -> None:
    def measure(draw: int, psnr: float, ssim: float, best: int) -> Measure:
        return Measure(0.25, draw, "d", psnr, ssim, ((best, 0.9), (2, 0.1)))

    (s,) = summarise_draws([measure(0, 10, 0.5, 1), measure(1, 12, 0.7, 1), measure(2, 17, 0.6, 0)], clean_class=1)
    assert (s.draws, s.kept, s.kept_share) == pytest.approx((3, 2, 2 / 3))
    assert (s.psnr, s.psnr_sd) == pytest.approx((13, math.sqrt(13)))
    assert (s.ssim, s.ssim_sd) == pytest.approx((0.6, 0.1))
    z, n, p = 1.959964, 3, 2 / 3
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert s.kept_low == pytest.approx((middle - half) / (1 + z * z / n), abs=1e-6)
    assert s.kept_high == pytest.approx((middle + half) / (1 + z * z / n), abs=1e-6)
    (one,) = summarise_draws([measure(0, 10, 0.5, 1)], clean_class=1)
    assert (one.psnr_sd, one.ssim_sd) == (0, 0)


def test_close_up_splits_the_noise_into_what_was_taken_and_what_is_wrong() -> None:
    panels = panels_of({NOISY: None, "half": Halve().eval()})
    noise = 0.4 * NoiseStream((3, 16, 16), 7, "show", CPU)(0, 3)
    noisy, half = close_up(PIXELS, panels, 0.4, draw=1)
    torch.testing.assert_close(noisy.wrong, noise[1].mean(dim=0))
    assert not noisy.taken.any()
    # noisy - denoised and denoised - clean add up to the noise, whatever the denoiser does.
    torch.testing.assert_close(half.taken + half.wrong, noise[1].mean(dim=0))
    torch.testing.assert_close(half.picture, (PIXELS + noise[1]) / 2)
    average = close_up(PIXELS, panels, 0.4, draw=None)[1]
    torch.testing.assert_close(average.wrong, ((PIXELS + noise.mean(dim=0)) / 2 - PIXELS).mean(dim=0))
    assert close_up(PIXELS, panels, 0.9, draw=0) == []


REQUEST = ComparisonRequest("python/Brightness", (NOISY, "half"), (0.1, 0.4), draws=3, seed=7)
DENOISERS = {NOISY: None, "half": Halve().eval()}


def test_a_run_reports_every_picture_and_a_sweep_sees_all_sigmas_first() -> None:
    snapshots: list[Comparison] = []
    whole = run_comparison(picture(), CLASSIFIER, DENOISERS, REQUEST, device=CPU, report=snapshots.append)
    assert [len(s.measures) for s in snapshots] == list(range(REQUEST.total + 1))
    assert whole.complete
    assert whole.seconds_left == 0
    assert whole.labels == Brightness.labels
    assert whole.clean_top[0][0] == 1
    sweep = run_comparison(picture(), CLASSIFIER, DENOISERS, REQUEST, device=CPU, keep_pixels=False)
    assert sweep.panels == ()
    early = sweep.measures[: FIRST_ROUND * 4]
    assert {(m.sigma, m.denoiser) for m in early} == {(s, d) for s in (0.1, 0.4) for d in (NOISY, "half")}

    def ordered(c: Comparison) -> list[Measure]:
        return sorted(c.measures, key=lambda m: (m.sigma, m.denoiser, m.draw))

    for a, b in zip(ordered(whole), ordered(sweep), strict=True):
        assert (a.sigma, a.denoiser, a.draw) == (b.sigma, b.denoiser, b.draw)
        assert (a.psnr, a.ssim) == pytest.approx((b.psnr, b.ssim), rel=1e-5)
    assert {(s.denoiser, s.kept) for s in sweep.summaries} == {(NOISY, 3), ("half", 0)}


def test_a_stop_keeps_what_is_there() -> None:
    snapshots: list[Comparison] = []
    part = run_comparison(
        picture(), CLASSIFIER, DENOISERS, REQUEST, device=CPU, report=snapshots.append, should_stop=lambda: len(snapshots) > 5
    )
    assert not part.complete
    assert len(part.measures) == len(part.panels) == 5
    assert part.summaries[-1].draws == 2


class Broken(nn.Module):
    """Returns NaN in one picture."""

    def forward(self, noisy: Tensor, sigma: float) -> Tensor:
        return noisy * math.nan


def test_faulty_networks_get_one_sentence() -> None:
    with pytest.raises(LabError, match=r"The denoiser bad returned NaN or infinite pixels at sigma 0\.1"):
        panels_of({"bad": Broken().eval()})
    with pytest.raises(LabError, match="expected the same shape"):
        panels_of({"bad": lambda noisy, sigma: noisy[:, :1]})
    with pytest.raises(LabError, match="training mode"):
        run_comparison(picture(), CLASSIFIER, {"half": Halve().train()}, REQUEST, device=CPU)

    def nan_logits(x: Tensor) -> Tensor:
        return torch.full((len(x), 3), math.nan)

    with pytest.raises(LabError, match="NaN or infinite"):
        run_comparison(picture(), nan_logits, DENOISERS, REQUEST, device=CPU)


def test_tables_hold_the_numbers() -> None:
    result = run_comparison(picture(), CLASSIFIER, DENOISERS, REQUEST, device=CPU)
    rows = list(csv.DictReader(io.StringIO(measures_csv(result.measures, result.labels))))
    assert len(rows) == REQUEST.total
    for row, m in zip(rows, result.measures, strict=True):
        assert (float(row["sigma"]), int(row["draw"]), row["denoiser"]) == (m.sigma, m.draw + 1, m.denoiser)
        assert (float(row["psnr_db"]), float(row["ssim"])) == (m.psnr, m.ssim)
        assert row["top1"] == Brightness.labels[m.top[0][0]]
        assert float(row["top2_share"]) == m.top[1][1]
        assert row["top4"] is None or row["top4"] == ""
    unnamed = list(csv.DictReader(io.StringIO(measures_csv(result.measures, None))))
    assert unnamed[0]["top1"] == str(result.measures[0].top[0][0])
    summaries = list(csv.DictReader(io.StringIO(summaries_csv(result.summaries))))
    assert [(float(r["psnr"]), int(r["kept"])) for r in summaries] == [(s.psnr, s.kept) for s in result.summaries]
