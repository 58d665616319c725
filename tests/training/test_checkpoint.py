"""Checkpoints: whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from core.training import checkpoint
from core.training.checkpoint import CheckpointWriteError, read_checkpoint, write_checkpoint

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
