"""Denoisers to go on from."""

from __future__ import annotations

import pytest
import torch

from core.errors import LabError
from core.models.networks import ConvClassifier, UNetDenoiser, build
from core.models.storage import ModelConfig, save_model
from core.training import start
from core.training.start import read_start

CONFIG = ModelConfig("denoiser", "unet", {"widths": [4, 8]}, (32, 32), None, (0.0, 0.5))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "mse", UNetDenoiser((4, 8)), CONFIG, {})
    return tmp_path / "mse"


def test_a_folder_and_the_hub_give_the_same(hub, folder):
    hub.add("me/mse", folder)
    here, config = read_start(f"local/{folder}")
    there, same = read_start("hub/me/mse")
    assert config == same
    assert config.options == {"widths": [4, 8]}
    assert all(torch.equal(value, there.state_dict()[name]) for name, value in here.state_dict().items())


def test_deepinvs_drunet_comes_with_its_weights(monkeypatch):
    options = {"widths": [4, 4, 4, 4], "blocks": 1}
    torch.manual_seed(1)
    published = build("denoiser", "drunet", options)
    loaded = type("Loaded", (), {"architecture": "DRUNet", "network": published})()  # .network.network, as load_denoiser has it
    monkeypatch.setattr(start, "load_denoiser", lambda *args, **kwargs: loaded)
    monkeypatch.setattr(start, "_is_lab_folder", lambda folder: False)
    monkeypatch.setattr(start, "model_folder", lambda parsed: None)
    monkeypatch.setattr(start, "build", lambda kind, name, given: build(kind, name, options))
    network, config = read_start("local/drunet")
    assert (config.kind, config.architecture, config.options) == ("denoiser", "drunet", {})
    noisy = torch.rand(1, 3, 32, 32)
    assert torch.equal(network.eval()(noisy, 0.1), published.eval()(noisy, 0.1))
    monkeypatch.setattr(start, "build", lambda kind, name, given: build(kind, name, {"widths": [4, 4, 4, 8], "blocks": 1}))
    with pytest.raises(LabError, match="a DRUNet of another size"):
        read_start("local/drunet")


def test_what_cannot_be_trained_on_is_told(folder, tmp_path, monkeypatch):
    config = ModelConfig("classifier", "conv", {"num_classes": 3, "widths": [4]}, (32, 32), ("a", "b", "c"))
    save_model(tmp_path / "c", ConvClassifier(3, (4,)), config, {})
    with pytest.raises(LabError, match="is a classifier, but a denoiser is needed to start from"):
        read_start(f"local/{tmp_path / 'c'}")
    for reference in ("none", "classical/tv", "torchvision/resnet18"):
        with pytest.raises(LabError, match="expected bundled/NAME or local/PATH, or hub/OWNER/NAME of a denoiser"):
            read_start(reference)
    with pytest.raises(LabError, match="There is no folder or file"):
        read_start("local/nowhere-at-all")
    monkeypatch.setattr(start, "load_denoiser", lambda *args, **kwargs: type("Loaded", (), {"architecture": "SCUNet"})())
    (tmp_path / "foreign").mkdir()
    with pytest.raises(LabError, match="start from a denoiser that the Lab trained, or from deepinv's DRUNet"):
        read_start(f"local/{tmp_path / 'foreign'}")
