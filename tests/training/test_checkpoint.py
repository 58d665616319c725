"""What a training writes on its way: checkpoints, whole or not at all; names of what they are of; curves."""

from __future__ import annotations

import copy
import errno
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import LabError
from core.training import checkpoint
from core.training.checkpoint import (
    CheckpointWriteError,
    TensorBoardLog,
    fingerprint,
    read_checkpoint,
    weights_fingerprint,
    write_checkpoint,
)
from core.training.loop import TrainingProgress

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (
            RuntimeError("PytorchStreamWriter failed writing file data/3\nmore"),
            "PytorchStreamWriter failed writing file data/3",
        ),
    ],
)
def test_a_full_disk_leaves_the_one_before(tmp_path, monkeypatch, error, words):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"stated": {}, "epoch": 3})

    def full(contents, part):
        Path(part).write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(CheckpointWriteError) as told:
        write_checkpoint(path, {"stated": {}, "epoch": 4})
    assert words in str(told.value)
    assert "and the one before it is kept: is the disk full?" in str(told.value)
    assert "\n" not in str(told.value)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert read_checkpoint(path, CPU, {})["epoch"] == 3
    path.unlink()
    with pytest.raises(CheckpointWriteError, match="there is none yet"):
        write_checkpoint(path, {"stated": {}})


def test_a_kill_while_it_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"stated": {}, "epoch": 3})

    def killed(contents, part):
        Path(part).write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(path, {"stated": {}, "epoch": 4})
    assert read_checkpoint(path, CPU, {})["epoch"] == 3


def test_the_same_values_have_the_same_name_in_every_layout():
    values = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    name = fingerprint(values)
    assert len(name) == 12
    assert fingerprint(values.clone().contiguous(memory_format=torch.channels_last)) == name
    assert fingerprint(torch.stack([values, values])[1]) == name
    assert fingerprint(values.requires_grad_()) == name


def test_other_values_types_shapes_or_orders_have_another_name():
    zeros = torch.zeros(4, 2)
    changed = zeros.clone()
    changed[3, 1] = 1e-30
    others = [zeros, changed, zeros.view(2, 4), zeros.double(), zeros.bfloat16(), zeros.byte()]
    names = [fingerprint(other) for other in others] + [fingerprint(zeros, changed), fingerprint(changed, zeros), fingerprint()]
    assert len(set(names)) == len(names)


def test_weights_and_buffers_count():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    name = weights_fingerprint(network)
    assert weights_fingerprint(copy.deepcopy(network).to(memory_format=torch.channels_last)) == name
    network(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))  # moves the running mean
    assert weights_fingerprint(network) != name


def progress(step: int, measured: dict[str, float]) -> TrainingProgress:
    return TrainingProgress(
        step=step,
        loss=1 / step,
        learning_rate=0.01,
        seconds=step / 100,
        seconds_left=1.0,
        images_per_second=100.0,
        epoch=1 + step // 5,
        epochs=2,
        steps=10,
        measured=measured,
    )


def test_what_is_written_can_be_read(tmp_path):
    pytest.importorskip("tensorboard", reason="the optional package tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoardLog(tmp_path / "curves", every=2)
    first, second = {"epoch": 1, "loss": 0.3, "psnr_0.25": 20.0}, {"epoch": 2, "loss": 0.2, "psnr_0.25": 22.0}
    for step in range(1, 11):
        log(progress(step, {} if step <= 5 else first))
    log.close([first, second], 10)
    found = EventAccumulator(str(tmp_path / "curves"))
    found.Reload()
    assert [(e.step, round(e.value, 4)) for e in found.Scalars("loss")] == [(s, round(1 / s, 4)) for s in (2, 4, 6, 8, 10)]
    assert [(e.step, e.value) for e in found.Scalars("held out/psnr_0.25")] == [(5, 20.0), (10, 22.0)]
    assert set(found.Tags()["scalars"]) == {"loss", "learning rate", "images per second", "held out/psnr_0.25"}


def test_without_the_package_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(LabError, match="pip install tensorboard', or leave out --tensorboard"):
        TensorBoardLog(tmp_path)
