"""Training for so much time: the best is kept, stops are felt, a loss that is no number loses nothing."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.errors import LabError
from core.models.networks import build
from core.training import timed
from core.training.augmentation import draw_sigmas
from core.training.denoiser import denoising_loss
from core.training.loop import BatchLoss, TrainingProgress
from core.training.objectives import mse
from core.training.recipe import Recipe
from core.training.timed import Phase, TimedCheckpoint, TimedResult, TimePlan, fit_for
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
    checkpoint: TimedCheckpoint | None = None,
) -> TimedResult:
    torch.manual_seed(0)
    network = build("denoiser", "unet", {"widths": [8]})
    plan = TimePlan(phases, draw, seconds, validation())
    recipe = Recipe(batch_size=16, learning_rate=3e-3, ema=0.9)
    return fit_for(network, plan, recipe, CPU, checkpoint=checkpoint, report=report, should_stop=should_stop)


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


class _KilledError(Exception):
    pass


def _cut_short(phases: list[Phase], checkpoint: TimedCheckpoint, when: Callable[[TrainingProgress], bool]) -> TrainingProgress:
    """A training that ends without a word; returns the last that was heard of it."""
    last: list[TrainingProgress] = []

    def report(progress: TrainingProgress) -> None:
        last.append(progress)
        if checkpoint.path.exists() and when(progress):
            raise _KilledError

    with pytest.raises(_KilledError):
        train(phases, 3.0, report, checkpoint=checkpoint)
    return last[-1]


@pytest.mark.parametrize("phase", [0, 1])
def test_cut_short_it_goes_on_where_the_checkpoint_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: int) -> None:
    monkeypatch.setattr(timed, "CHECKPOINT_SECONDS", 0.0)
    phases = [Phase("mse", good_loss(), 0.5), Phase("stab", good_loss(), 0.5, 0.25)]
    checkpoint = TimedCheckpoint(tmp_path / "checkpoint.pt", {"network": "unet"}, {"before": [1, 2]})
    cut = _cut_short(phases, checkpoint, lambda now: now.phase == phases[phase].name and now.seconds > 0.5 + 1.5 * phase)
    saved = checkpoint.read(CPU)
    assert saved is not None
    assert saved["more"] == {"before": [1, 2]}
    heard: list[TrainingProgress] = []
    result = train(phases, 3.0, heard.append, checkpoint=checkpoint)
    first = heard[0]
    assert 0 < first.step == saved["steps"] <= cut.step
    assert first.seconds == pytest.approx(saved["seconds"], abs=0.2)
    assert first.moments[1:] == cut.moments[1 : len(first.moments)]  # the first has no loss yet, and NaN is like nothing
    assert (first.phase, first.best) == (phases[saved["number"]].name, first.moments[saved["best"]])
    assert [one.phase for one in heard] == sorted((one.phase for one in heard), key=["mse", "stab"].index)
    assert heard[-1].seconds == pytest.approx(3.0, abs=0.5)
    assert result.last.moments[-1].step > saved["steps"]
    assert result.best.phase == "stab"


def test_weights_and_optimiser_go_on_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed, "CHECKPOINT_SECONDS", 0.0)
    checkpoint = TimedCheckpoint(tmp_path / "checkpoint.pt", {})
    _cut_short([Phase("mse", good_loss(), 1.0)], checkpoint, lambda now: now.step > 20)
    saved = checkpoint.read(CPU)
    assert saved is not None
    seen: list[dict[str, Any]] = []

    def note(progress: TrainingProgress) -> None:
        assert course
        seen.append({name: part.state_dict() for name, part in course[0].learner.parts().items()})
        raise _KilledError

    course: list[Any] = []
    restore = timed._Timed._restore

    def spy(self: Any, saved: Any) -> None:
        course.append(self)
        restore(self, saved)

    monkeypatch.setattr(timed._Timed, "_restore", spy)
    with pytest.raises(_KilledError):
        train([Phase("mse", good_loss(), 1.0)], 3.0, note, checkpoint=checkpoint)
    pictures = {tuple(IMAGES.shape[1:]), (6, *IMAGES.shape[1:])}
    assert not [name for name, value in saved.items() if isinstance(value, torch.Tensor) and tuple(value.shape) in pictures]
    assert not {"strip", "strips"} & saved.keys()
    for part in ("network", "average"):
        assert seen[0][part].keys() == saved[part].keys()
        assert all(torch.equal(seen[0][part][name], saved[part][name]) for name in saved[part])
    assert seen[0]["optimizer"]["state"].keys() == saved["optimizer"]["state"].keys() != set()


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed, "CHECKPOINT_SECONDS", 0.0)
    phases, path = [Phase("mse", good_loss(), 1.0)], tmp_path / "checkpoint.pt"
    _cut_short(phases, TimedCheckpoint(path, {"seed": 0}), lambda now: True)
    with pytest.raises(LabError, match=r"another seed \(0, now 1\)"):
        train(phases, 0.5, checkpoint=TimedCheckpoint(path, {"seed": 1}))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(LabError, match="is damaged"):
        train(phases, 0.5, checkpoint=TimedCheckpoint(path, {"seed": 0}))


def test_a_full_disk_is_a_remark_and_ends_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(timed, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(torch, "save", full)
    heard: list[TrainingProgress] = []
    path = tmp_path / "checkpoint.pt"
    result = train([Phase("mse", good_loss(), 1.0)], 1.0, heard.append, checkpoint=TimedCheckpoint(path, {}))
    assert "No space left on device" in heard[-1].remark
    assert "Training goes on" in heard[-1].remark
    assert not result.stopped
    assert not list(tmp_path.iterdir())
