"""Training for so much time: the best is kept, stops are felt, a loss that is no number loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.errors import LabError
from core.models.networks import build
from core.training.augmentation import draw_sigmas
from core.training.denoiser import denoising_loss
from core.training.loop import BatchLoss, TrainingProgress
from core.training.objectives import mse
from core.training.recipe import Recipe
from core.training.timed import Phase, TimedResult, TimePlan, fit_for
from core.training.validation import Validation

CPU = torch.device("cpu")
IMAGES = torch.randint(0, 255, (40, 3, 1, 1), generator=torch.Generator().manual_seed(0)).expand(-1, -1, 8, 8).to(torch.uint8)


class Brightness(nn.Module):
    """Two classes: dark and bright."""

    def forward(self, pixels: Tensor) -> Tensor:
        mean = pixels.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1) * 20


def draw(count: int, generator: torch.Generator) -> Tensor:
    return IMAGES[torch.randint(len(IMAGES), (count,), generator=generator)]


def good_loss() -> BatchLoss:
    return denoising_loss(mse, lambda count, generator: draw_sigmas(count, (0.1, 0.5), 1.0, generator))


def validation() -> Validation:
    return Validation(IMAGES[:10], Brightness(), sigmas=[0.25], shown=0.25, seed=0, device=CPU)


def train(
    phases: list[Phase],
    seconds: float,
    report: Callable[[TrainingProgress], None] = lambda p: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TimedResult:
    torch.manual_seed(0)
    network = build("denoiser", "unet", {"widths": [8]})
    plan = TimePlan(phases, draw, seconds, validation())
    recipe = Recipe(batch_size=16, learning_rate=3e-3, ema=0.9)
    return fit_for(network, plan, recipe, CPU, report=report, should_stop=should_stop)


def test_it_learns_and_the_kept_network_is_the_best_one_seen() -> None:
    train([Phase("mse", good_loss(), 1.0)], 0.1)  # the first step of a process takes a second
    result = train([Phase("mse", good_loss(), 1.0)], 1.5)
    scores = [m.score for m in result.last.moments if m.step]
    assert result.best.score == max(scores)
    assert max(scores) > result.last.moments[0].score + 2
    measured = validation().measure(result.network)
    assert measured is not None
    assert measured.psnr[0.25] == pytest.approx(result.best.measured.psnr[0.25], abs=1e-4)
    assert not result.stopped
    assert result.trouble is None


def test_the_last_phase_decides_though_the_first_had_better_figures() -> None:
    def spoil(net: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        return -good_loss()(net, images, labels, generator)

    result = train([Phase("mse", good_loss(), 0.5), Phase("stab", spoil, 0.5)], 1.0)
    assert result.best.phase == "stab"
    stab = [m.score for m in result.last.moments if m.phase == "stab"]
    assert result.best.score == max(stab)


def test_a_stop_ends_it_at_the_next_step() -> None:
    seen: list[int] = []
    result = train([Phase("mse", good_loss(), 1.0)], 60, lambda p: seen.append(p.step), lambda: len(seen) > 5)
    assert result.stopped
    assert len(seen) < 10
    assert result.best.step > 0


def test_time_in_which_others_compute_does_not_count() -> None:
    waits = [1.5]

    def others(progress: TrainingProgress) -> None:
        if progress.step and waits:
            time.sleep(waits.pop())

    result = train([Phase("mse", good_loss(), 1.0)], 0.8, others)
    assert not waits
    assert result.last.moments[-1].seconds < 1.5
    assert result.last.step > 1  # the wait alone would have used the time up


def test_a_loss_that_is_no_number_falls_back_on_the_best_and_says_so() -> None:
    steps: list[int] = []

    def fails(net: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        steps.append(1)
        return good_loss()(net, images, labels, generator) * (float("nan") if time.monotonic() > end else 1.0)

    end = time.monotonic() + 1.2
    result = train([Phase("mse", fails, 1.0)], 30)
    assert result.trouble is not None
    assert "stopped being a number" in result.trouble
    assert "is kept" in result.trouble
    assert result.best.step > 0
    assert all(bool(torch.isfinite(value).all()) for value in result.network.state_dict().values())
    end = 0.0
    with pytest.raises(LabError, match="lower learning rate"):
        train([Phase("mse", fails, 1.0)], 5)


def test_long_steps_make_the_batch_smaller() -> None:
    def slow(net: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        time.sleep(0.03 * len(images))
        return good_loss()(net, images, labels, generator)

    result = train([Phase("mse", slow, 1.0)], 2.0)
    assert 4 <= result.batch_size < 16
