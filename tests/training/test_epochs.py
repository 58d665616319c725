"""Training for so many epochs: it learns, it resumes exactly, it says what went wrong."""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.training.epochs import Trainer
from core.training.loop import TrainingProgress
from core.training.recipe import Recipe, learning_rate_factor

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=4, batch_size=32, learning_rate=0.01, ema=0.9, seed=3)


def task() -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures that are brighter on the left or on the right; which of both is to be learnt."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 200, (160, 3, 8, 8), generator=generator)
    labels = torch.arange(160) % 2
    images[labels == 0, :, :, :4] += 55
    images[labels == 1, :, :, 4:] += 55
    return images.byte(), labels


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 2))


def noisy_cross_entropy(net, images, labels, generator):
    """With randomness of its own, which a resumed run must draw again."""
    return F.cross_entropy(net(images + 0.1 * torch.randn(images.shape, generator=generator)), labels)


def fit(network, loss, images, labels, recipe, *, made_for=None, measure=None, **trainer):
    return Trainer(CPU, **trainer).fit(
        network=network,
        batch_loss=loss,
        data=LabelledImages(images, labels, torch.arange(len(images)), None),
        recipe=recipe,
        made_for=made_for,
        measure=measure,
    )


def train(recipe=RECIPE, loss=noisy_cross_entropy, **options):
    images, labels = task()
    return fit(network(), loss, images, labels, recipe, **options)


def test_the_loss_falls_and_the_average_has_learnt():
    average, history = train(dataclasses.replace(RECIPE, epochs=8))
    images, labels = task()
    assert [row["epoch"] for row in history] == list(range(1, 9))
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert not average.training
    assert (average(images.float() / 255).argmax(1) == labels).float().mean() > 0.95


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_a_resumed_run_ends_as_an_unbroken_one_bit_for_bit(tmp_path, optimizer):
    recipe = dataclasses.replace(RECIPE, optimizer=optimizer)
    unbroken, history = train(recipe)

    steps = 0

    def stop_in_the_third_epoch() -> bool:
        nonlocal steps
        steps += 1
        return steps == 2 * 5 + 3

    checkpoint = tmp_path / "runs" / "checkpoint.pt"
    stopped, partial = train(recipe, checkpoint=checkpoint, should_stop=stop_in_the_third_epoch)
    assert partial == history[:2]
    resumed, whole = train(recipe, checkpoint=checkpoint, resume=True)
    assert whole == history
    for name, value in unbroken.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
    assert not torch.equal(stopped[0].weight, unbroken[0].weight)
    assert [p.name for p in checkpoint.parent.iterdir()] == ["checkpoint.pt"]


class Killed(BaseException):
    """What no handler catches: the end of a process, as far as files can tell."""


def forgetful() -> nn.Module:
    """A network that draws from the global generator in training."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.3), nn.Flatten(), nn.Linear(8 * 36, 2))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
@pytest.mark.parametrize("step", [2, 5, 13])
def test_a_killed_run_goes_on_from_the_middle_of_an_epoch_bit_for_bit(tmp_path, optimizer, step):
    recipe, saved = dataclasses.replace(RECIPE, optimizer=optimizer), tmp_path / "c.pt"
    images, labels = task()

    def run(**options):
        return fit(forgetful(), noisy_cross_entropy, images, labels, recipe, **options)

    def kill(progress: TrainingProgress) -> None:
        if progress.step == step:
            raise Killed

    unbroken, history = run()
    with pytest.raises(Killed):
        run(checkpoint=saved, checkpoint_seconds=0, on_progress=kill)
    torch.manual_seed(99)  # another process starts from another state
    told: list[int] = []
    resumed, whole = run(checkpoint=saved, resume=True, on_progress=lambda p: told.append(p.step))
    assert told == list(range(step, 21))
    assert whole == history
    for name, value in unbroken.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path):
    saved = tmp_path / "c.pt"
    asked = iter(range(100))
    train(checkpoint=saved, should_stop=lambda: next(asked) == 7)
    told: list[TrainingProgress] = []
    resumed, _ = train(checkpoint=saved, resume=True, on_progress=told.append)
    assert told[0].step == 9
    unbroken, _ = train()
    assert all(torch.equal(value, unbroken.state_dict()[name]) for name, value in resumed.state_dict().items())


def test_a_stop_within_the_first_epoch_spares_the_checkpoint_of_an_earlier_run(tmp_path):
    saved = tmp_path / "c.pt"
    train(checkpoint=saved)
    before = saved.read_bytes()
    train(dataclasses.replace(RECIPE, seed=8), checkpoint=saved, should_stop=lambda: True)
    assert saved.read_bytes() == before


def test_a_loss_that_is_no_number_after_a_resume_within_an_epoch_falls_back_on_the_finished_one(tmp_path):
    saved = tmp_path / "c.pt"

    def kill(progress: TrainingProgress) -> None:
        if progress.step == 8:
            raise Killed

    ends: list[dict[str, torch.Tensor]] = []
    with pytest.raises(Killed):
        train(
            checkpoint=saved,
            checkpoint_seconds=0,
            on_progress=kill,
            measure=lambda net: ends.append(copy.deepcopy(net.state_dict())) or {},
        )
    told: list[str] = []
    average, history = train(loss=failing_at(1, math.nan), checkpoint=saved, resume=True, on_trouble=told.append)
    assert "what epoch 1 left is kept" in told[0]
    assert len(history) == len(ends) == 1
    assert all(torch.equal(value, ends[0][name]) for name, value in average.state_dict().items())


def test_a_full_disk_is_told_and_training_goes_on(tmp_path, monkeypatch):
    saved, real, written = tmp_path / "c.pt", torch.save, []

    def save(contents, part):
        written.append(contents["epoch"])
        if len(written) in (2, 3):
            raise OSError(28, "No space left on device")
        real(contents, part)

    monkeypatch.setattr(torch, "save", save)
    told: list[str] = []
    _, history = train(checkpoint=saved, on_remark=told.append)
    assert written == [1, 2, 3, 4]
    assert len(history) == 4
    assert len(told) == 2
    assert told[0] == (
        f"The checkpoint '{saved}' cannot be written (No space left on device), and the one before it is kept:"
        " is the disk full? Training goes on."
    )
    assert torch.load(saved, weights_only=True)["epoch"] == 4
    written.clear()
    with pytest.raises(LabError, match="cannot be written"):  # with nobody to tell
        train(checkpoint=saved)
    assert torch.load(saved, weights_only=True)["epoch"] == 1


def test_a_finished_run_is_not_run_again(tmp_path):
    first, history = train(checkpoint=tmp_path / "c.pt")
    again, same = train(checkpoint=tmp_path / "c.pt", resume=True, on_progress=lambda p: pytest.fail("trained on"))
    assert same == history
    assert torch.equal(again[0].weight, first[0].weight)


def test_without_resume_a_checkpoint_is_overwritten(tmp_path):
    train(checkpoint=tmp_path / "c.pt")
    told: list[TrainingProgress] = []
    train(checkpoint=tmp_path / "c.pt", on_progress=told.append)
    assert len(told) == 20


def test_same_seed_same_network_other_seed_another():
    weights = [train(dataclasses.replace(RECIPE, seed=seed, epochs=1))[0][0].weight for seed in (3, 3, 4)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    "change", [{"learning_rate": 0.02}, {"epochs": 5}, {"batch_size": 16}, {"seed": 4}, {"optimizer": "sgd"}]
)
def test_the_checkpoint_of_another_recipe_is_refused(tmp_path, change):
    train(dataclasses.replace(RECIPE, epochs=4), checkpoint=tmp_path / "c.pt")
    with pytest.raises(LabError, match=rf"was made with another {next(iter(change))} \(.*\): use the same, or start anew"):
        train(dataclasses.replace(RECIPE, **change), checkpoint=tmp_path / "c.pt", resume=True)


MADE_FOR = {"objective": "mse", "sigma": 0.25, "mirror": True, "classifier": None}


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"objective": "stab"}, "another objective (mse, now stab): use"),
        ({"sigma": 0.5}, "another sigma (0.25, now 0.5): use"),
        ({"mirror": False, "classifier": "ab12"}, "another mirror (True, now False), classifier (none, now ab12): use"),
        ({"data": "cd34"}, "another data (none, now cd34): use"),
    ],
)
def test_a_checkpoint_made_for_something_else_is_refused_and_what_differs_is_named(tmp_path, now, says):
    train(checkpoint=tmp_path / "c.pt", made_for=MADE_FOR)
    with pytest.raises(LabError, match=re.escape(says)):
        train(checkpoint=tmp_path / "c.pt", resume=True, made_for=MADE_FOR | now)
    with pytest.raises(LabError, match=re.escape("another objective (mse, now none), sigma (0.25, now none)")):
        train(checkpoint=tmp_path / "c.pt", resume=True)
    _, history = train(checkpoint=tmp_path / "c.pt", resume=True, made_for=MADE_FOR)
    assert len(history) == 4


def test_the_checkpoint_of_another_network_or_a_damaged_one_is_refused(tmp_path):
    images, labels = task()
    other = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    fit(other, noisy_cross_entropy, images, labels, RECIPE, checkpoint=tmp_path / "c.pt")
    with pytest.raises(LabError, match="is damaged, or of another network or version: begin anew without it"):
        train(checkpoint=tmp_path / "c.pt", resume=True)
    torch.save({"network": network().state_dict(), "recipe": dataclasses.asdict(RECIPE)}, tmp_path / "c.pt")
    with pytest.raises(LabError, match="is damaged, or of another network or version: begin anew without it"):
        train(checkpoint=tmp_path / "c.pt", resume=True)
    (tmp_path / "c.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(LabError, match="is damaged, or of another network or version: begin anew without it"):
        train(checkpoint=tmp_path / "c.pt", resume=True)


def failing_at(step: int, value: float):
    """The loss of the other tests, which is ``value`` times as much at one step."""
    steps = 0

    def loss(net, images, labels, generator):
        nonlocal steps
        steps += 1
        return noisy_cross_entropy(net, images, labels, generator) * (value if steps == step else 1)

    return loss


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_where_the_loss_is_no_number_what_the_last_finished_epoch_left_is_kept_and_that_is_said(value):
    told: list[str] = []
    average, history = train(loss=failing_at(13, value), on_trouble=told.append)
    assert told == [
        f"The loss became {value} in epoch 3: training ended there and what epoch 2 left is kept;"
        " a lower learning rate may get further."
    ]
    after_epochs: list[dict[str, torch.Tensor]] = []
    _, unbroken = train(measure=lambda net: after_epochs.append(copy.deepcopy(net.state_dict())) or {})
    assert history == unbroken[:2]
    assert all(torch.equal(kept, after_epochs[1][name]) for name, kept in average.state_dict().items())


def test_a_loss_that_is_no_number_after_a_resume_falls_back_on_the_checkpoint(tmp_path):
    saved = tmp_path / "c.pt"
    train(loss=failing_at(8, math.nan), checkpoint=saved, on_trouble=lambda sentence: None)
    told: list[str] = []
    average, history = train(loss=failing_at(1, math.nan), checkpoint=saved, resume=True, on_trouble=told.append)
    assert told[0].startswith("The loss became nan in epoch 2: training ended there and what epoch 1 left is kept")
    assert [row["epoch"] for row in history] == [1]
    expected = torch.load(saved, weights_only=True)["average"]
    assert all(torch.equal(value, expected[name]) for name, value in average.state_dict().items())


@pytest.mark.parametrize(("step", "listener"), [(3, lambda sentence: pytest.fail("nothing was kept")), (13, None)])
def test_a_loss_that_is_no_number_with_nothing_to_keep_or_nobody_to_tell_is_an_error(step, listener):
    with pytest.raises(LabError, match=rf"The loss became nan in epoch {1 + step // 5}: start anew with a lower learning rate"):
        train(loss=failing_at(step, math.nan), on_trouble=listener)


def test_a_learning_rate_far_too_high_ends_in_that_sentence():
    recipe = dataclasses.replace(RECIPE, optimizer="sgd", learning_rate=1e18, clip=0.0, warmup=0.0)
    with pytest.raises(LabError, match="The loss became"):
        train(recipe)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"precision": "float8"}, "Unknown precision 'float8': choose float32, bf16 or fp16"),
        ({"optimizer": "lion"}, "Unknown optimizer 'lion': choose sgd, adamw or muon"),
    ],
)
def test_unknown_choices_are_told(change, says):
    with pytest.raises(LabError, match=says):
        train(dataclasses.replace(RECIPE, **change))


def test_the_layout_in_memory_changes_no_more_than_rounding():
    _, planes = train(dataclasses.replace(RECIPE, channels_last=False, epochs=1))
    _, pixels = train(dataclasses.replace(RECIPE, epochs=1))
    assert planes[0]["loss"] == pytest.approx(pixels[0]["loss"], rel=1e-3)


def test_half_precision_learns_too():
    _, history = train(dataclasses.replace(RECIPE, precision="bf16", epochs=6))
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]


def test_progress_counts_every_step():
    told: list[TrainingProgress] = []
    _, history = train(on_progress=told.append, measure=lambda net: {"answer": 42.0})
    assert [p.step for p in told] == list(range(1, 21))
    assert {p.steps for p in told} == {20}
    assert [p.epoch for p in told] == [1] * 5 + [2] * 5 + [3] * 5 + [4] * 5
    assert told[-1].seconds_left == 0
    assert told[0].measured == {}
    assert told[7].measured == history[0]
    assert all(row["answer"] == 42 for row in history)


def test_a_stop_keeps_what_was_learnt_so_far():
    average, history = train(should_stop=lambda: True)
    assert history == []
    assert not torch.equal(average[0].weight, network()[0].weight)


def test_the_average_follows_the_network_as_stated():
    # One step: the average moves by 1 - min(ema, 1/10) of the way.
    live = network()
    start = copy.deepcopy(live.state_dict())
    images, labels = task()
    recipe = dataclasses.replace(RECIPE, epochs=1, batch_size=160)
    average, _ = fit(live, noisy_cross_entropy, images, labels, recipe)
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            expected = start[name] + (live.state_dict()[name] - start[name]) * 0.9
            assert torch.allclose(value, expected, atol=1e-6), name
    assert int(average[1].num_batches_tracked) == 1


def test_frozen_parameters_stay():
    live = network()
    live[0].weight.requires_grad_(False)
    before = live[0].weight.clone()
    images, labels = task()
    average, _ = fit(live, noisy_cross_entropy, images, labels, RECIPE)
    assert torch.equal(average[0].weight, before)
    assert torch.equal(live[0].weight, before)


def test_fewer_pictures_than_a_batch():
    images, labels = task()
    _, history = fit(network(), noisy_cross_entropy, images[:10], labels[:10], RECIPE)
    assert len(history) == 4


def test_schedule_warms_up_and_falls():
    rates = [learning_rate_factor(step / 100, 0.1) for step in range(100)]
    assert rates[0] < 0.02
    assert all(a < b for a, b in pairwise(rates[:11]))
    assert rates[10] == pytest.approx(1)
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[-1] == pytest.approx(0.02, abs=0.001)
    assert learning_rate_factor(0, 0.0) == 1
