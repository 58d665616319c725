"""Small models of the Lab on the loopback Hub."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from loopback_hub import LoopbackHub

from core.models.networks import ConvClassifier, UNetDenoiser
from core.models.storage import ModelConfig, save_model


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a classifier of about 1 MB in ``pets`` and a denoiser in ``broom``."""
    folder = tmp_path_factory.mktemp("saved")
    torch.manual_seed(0)
    options = {"num_classes": 3, "widths": [32, 64, 128], "mean": [0.4, 0.5, 0.6]}
    classifier = ConvClassifier(3, (32, 64, 128), mean=(0.4, 0.5, 0.6))
    save_model(folder / "pets", classifier, ModelConfig("classifier", "conv", options, (16, 20), ("a", "b", "c")), {})
    denoiser = ModelConfig("denoiser", "unet", {"widths": [8, 8]}, sigma_range=(0.1, 0.5))
    save_model(folder / "broom", UNetDenoiser((8, 8)), denoiser, {})
    return folder


@pytest.fixture
def pets(hub: LoopbackHub, saved: Path) -> str:
    """``lab/pets`` on the Hub; gives the commit."""
    return hub.add("lab/pets", saved / "pets", license="mit", library_name="denoised-smoothing-lab", downloads=7, likes=2)
