"""Curves for TensorBoard."""

from __future__ import annotations

import sys

import pytest

from core.errors import LabError
from core.training.loop import TrainingProgress
from core.training.tensorboard import TensorBoardLog


def progress(step: int, measured: dict[str, float]) -> TrainingProgress:
    return TrainingProgress(1 + step // 5, 2, step, 10, 1 / step, 100.0, 1.0, measured, 0.01)


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
