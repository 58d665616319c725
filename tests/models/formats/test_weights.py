"""Weights files from strangers: what is in them is read, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from core.errors import LabError
from core.models.formats.weights import load_into, read_weights


def test_a_pickle_that_holds_itself_ends(tmp_path: Path) -> None:
    endless: dict[str, Any] = {}
    endless["model"] = endless
    torch.save(endless, tmp_path / "model.pth")
    with pytest.raises(LabError, match="no tensors by name"):
        read_weights(tmp_path / "model.pth")


def test_a_checkpoint_of_training_is_unwrapped(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "model": {"state_dict": {"module.weight": torch.ones(2, 2)}}}, tmp_path / "model.pt")
    assert list(read_weights(tmp_path / "model.pt")) == ["weight"]


def test_half_precision_becomes_single_and_the_first_misfit_is_named() -> None:
    network = load_into(nn.Linear(2, 3), {"weight": torch.ones(3, 2).half(), "bias": torch.zeros(3).bfloat16()}, "it")
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    assert not network.training
    with pytest.raises(LabError, match=r"'weight' is \(2, 2\) instead of \(3, 2\)"):
        load_into(nn.Linear(2, 3), {"weight": torch.ones(2, 2), "bias": torch.zeros(3)}, "it")
