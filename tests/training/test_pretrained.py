"""Denoisers to go on from, and what a classifier must give before one may train through it."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from core.errors import LabError
from core.models.networks import ConvClassifier, UNetDenoiser, build
from core.models.storage import ModelConfig, save_model
from core.training import pretrained
from core.training.pretrained import check_gradients, read_pretrained

CPU = torch.device("cpu")
CONFIG = ModelConfig("denoiser", "unet", {"widths": [4, 8]}, (32, 32), None, (0.0, 0.5))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path / "mse", UNetDenoiser((4, 8)), CONFIG, {})
    return tmp_path / "mse"


def test_a_folder_and_the_hub_give_the_same(hub, folder):
    hub.add("me/mse", folder)
    here, config = read_pretrained(f"local/{folder}")
    there, same = read_pretrained("hub/me/mse")
    assert config == same
    assert config.options == {"widths": [4, 8]}
    assert all(torch.equal(value, there.state_dict()[name]) for name, value in here.state_dict().items())


def test_deepinvs_drunet_comes_with_its_weights(monkeypatch):
    options = {"widths": [4, 4, 4, 4], "blocks": 1}
    torch.manual_seed(1)
    published = build("denoiser", "drunet", options)
    loaded = type("Loaded", (), {"architecture": "DRUNet", "network": published})()  # .network.network, as load_denoiser has it
    monkeypatch.setattr(pretrained, "load_denoiser", lambda *args, **kwargs: loaded)
    monkeypatch.setattr(pretrained, "_is_lab_folder", lambda folder: False)
    monkeypatch.setattr(pretrained, "model_folder", lambda parsed: None)
    monkeypatch.setattr(pretrained, "build", lambda kind, name, given: build(kind, name, options))
    network, config = read_pretrained("local/drunet")
    assert (config.kind, config.architecture, config.options) == ("denoiser", "drunet", {})
    noisy = torch.rand(1, 3, 32, 32)
    assert torch.equal(network.eval()(noisy, 0.1), published.eval()(noisy, 0.1))
    monkeypatch.setattr(pretrained, "build", lambda kind, name, given: build(kind, name, {"widths": [4, 4, 4, 8], "blocks": 1}))
    with pytest.raises(LabError, match="a DRUNet of another size"):
        read_pretrained("local/drunet")


def test_what_cannot_be_trained_on_is_told(folder, tmp_path, monkeypatch):
    config = ModelConfig("classifier", "conv", {"num_classes": 3, "widths": [4]}, (32, 32), ("a", "b", "c"))
    save_model(tmp_path / "c", ConvClassifier(3, (4,)), config, {})
    with pytest.raises(LabError, match="is a classifier, but a denoiser is needed to start from"):
        read_pretrained(f"local/{tmp_path / 'c'}")
    for reference in ("none", "classical/tv", "torchvision/resnet18"):
        with pytest.raises(LabError, match="expected bundled/NAME or local/PATH, or hub/OWNER/NAME of a denoiser"):
            read_pretrained(reference)
    with pytest.raises(LabError, match="There is no folder or file"):
        read_pretrained("local/nowhere-at-all")
    monkeypatch.setattr(pretrained, "load_denoiser", lambda *args, **kwargs: type("Loaded", (), {"architecture": "SCUNet"})())
    (tmp_path / "foreign").mkdir()
    with pytest.raises(LabError, match="start from a denoiser that the Lab trained, or from deepinv's DRUNet"):
        read_pretrained(f"local/{tmp_path / 'foreign'}")


class Quantised(nn.Module):
    """Looks at rounded pixels: gradients are zero."""

    def forward(self, pixels):
        return (pixels * 255).round().flatten(1)[:, :3]


class Labels(nn.Module):
    """Answers as a vision API does, with a label alone."""

    def forward(self, pixels):
        return nn.functional.one_hot(pixels.detach().mean(dim=(1, 2, 3)).gt(0.5).long(), 3).float()


class NotANumber(nn.Module):
    def forward(self, pixels):
        return (pixels.flatten(1)[:, :3] - 5).sqrt()


def test_gradients_that_are_there():
    check_gradients(ConvClassifier(3, (4,)).eval().requires_grad_(False), "local/c", (16, 16), CPU)


@pytest.mark.parametrize("network", [Quantised(), Labels(), NotANumber()])
def test_no_gradients(network):
    with pytest.raises(LabError, match=re.escape("local/c gives no gradients, which training through it (white-box) needs")):
        check_gradients(network, "local/c", (16, 16), CPU)


def test_pictures_that_are_too_small():
    with pytest.raises(LabError, match="cannot be trained through with pictures of 2 x 2 pixels"):
        check_gradients(ConvClassifier(3, (4, 4, 4)).eval(), "local/c", (2, 2), CPU)
