"""A model as a folder: written, read back, and refused where it is damaged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from core.errors import LabError
from core.models.formats.weights import weights_digest
from core.models.load import load_classifier, load_denoiser, sigma_warning
from core.models.networks import ConvClassifier, UNetDenoiser, build
from core.models.storage import WEIGHTS, ModelConfig, read_config, read_model, round_to_half, save_model

OPTIONS = {"num_classes": 3, "widths": [4, 8], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2]}
CONFIG = ModelConfig("classifier", "conv", OPTIONS, (16, 20), ("a", "b", "c"))


@pytest.fixture
def network():
    torch.manual_seed(1)
    network = build("classifier", "conv", OPTIONS)
    network(torch.rand(8, 3, 16, 20))  # so that running means are not those of a fresh network
    return network.eval()


@pytest.fixture
def folder(tmp_path, network):
    save_model(tmp_path / "model", network, CONFIG, {"data": "none"})
    return tmp_path / "model"


def test_what_is_read_is_what_was_written(folder, network):
    again, config = read_model(folder)
    assert config == CONFIG
    assert not again.training
    x = torch.rand(5, 3, 16, 20)
    assert torch.equal(again(x), network(x))
    assert json.loads((folder / "card.json").read_text()) == {"data": "none"}
    assert sorted(p.name for p in folder.iterdir()) == ["card.json", "config.json", "model.safetensors"]


def test_half_weights_take_half_the_room_and_are_what_was_measured(tmp_path, folder, network):
    with torch.no_grad():
        network.head.weight[0, 0] = 1 / 3
    round_to_half(network)
    assert network.head.weight.dtype == torch.float32
    assert network.head.weight[0, 0].item() == float(np.float16(1 / 3))
    save_model(tmp_path / "half", network, CONFIG, {}, half=True)
    again, _ = read_model(tmp_path / "half")
    x = torch.rand(5, 3, 16, 20)
    assert torch.equal(again(x), network(x))
    assert {value.dtype for value in again.parameters()} == {torch.float32}
    sizes = [sum(v.nbytes for v in load_file(f / "model.safetensors").values()) for f in (folder, tmp_path / "half")]
    assert sizes[1] < 0.55 * sizes[0]  # counters stay whole numbers


def test_what_float16_cannot_hold_is_told_and_nothing_is_rounded(network):
    with torch.no_grad():
        network.head.weight[0, 0], network.head.weight[0, 1] = 1 / 3, 70_000.0
    with pytest.raises(LabError, match="too large for float16, or not finite: leave --half-weights out"):
        round_to_half(network)
    assert network.head.weight[0, 0].item() == float(np.float32(1 / 3))


def test_classifier_by_reference(folder, network):
    classifier = load_classifier(f"local/{folder}")
    assert classifier.labels == ("a", "b", "c")
    assert classifier.input_size == (16, 20)
    assert classifier.ref == f"local/{folder}"
    assert classifier.revision == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert not classifier.training
    assert not any(p.requires_grad for p in classifier.parameters())
    x = torch.rand(2, 3, 16, 20)
    assert torch.allclose(classifier(x), network(x), atol=1e-6)  # the sum is that of another layout in memory


def test_denoiser_by_reference_and_its_range(tmp_path):
    torch.manual_seed(0)
    network = UNetDenoiser((8, 8)).eval()
    save_model(tmp_path / "d", network, ModelConfig("denoiser", "unet", {"widths": [8, 8]}, sigma_range=(0.1, 0.5)), {})
    denoiser = load_denoiser(f"local/{tmp_path}/d")
    x = torch.rand(2, 3, 16, 16)
    assert torch.equal(denoiser(x, 0.25), network(x, 0.25))
    assert denoiser.sigma_range == (0.1, 0.5)
    assert sigma_warning(denoiser, 0.1) is None
    assert sigma_warning(denoiser, 0.5) is None
    assert "was trained for sigma 0.1 to 0.5: at 0.75" in sigma_warning(denoiser, 0.75)
    assert sigma_warning(denoiser, 0.05) is not None
    assert sigma_warning(None, 9) is None


def test_a_classifier_trained_with_noise_meets_that_noise_where_there_is_no_denoiser(tmp_path, network):
    save_model(tmp_path / "c", network, replace(CONFIG, sigma_range=(0.5, 0.5)), {})
    classifier = load_classifier(f"local/{tmp_path}/c")
    told = f"local/{tmp_path}/c was trained for sigma 0.5: at 0.25 it may answer worse."
    assert sigma_warning(None, 0.25, classifier) == told
    assert sigma_warning(None, 0.5, classifier) is None
    assert sigma_warning(lambda noisy, sigma: noisy, 0.25, classifier) is None


def test_the_hash_names_the_weights(folder, network):
    before = weights_digest(folder, (WEIGHTS,))
    save_model(folder, network, CONFIG, {"data": "another card"})
    assert weights_digest(folder, (WEIGHTS,)) == before
    with torch.no_grad():
        next(network.parameters()).add_(1e-6)
    save_model(folder, network, CONFIG, {})
    assert weights_digest(folder, (WEIGHTS,)) != before


def test_a_model_of_the_other_kind_is_refused(folder, tmp_path):
    with pytest.raises(LabError, match="cannot be loaded as a denoiser: it is a classifier of the Lab"):
        load_denoiser(f"local/{folder}")
    save_model(tmp_path / "d", UNetDenoiser((8,)), ModelConfig("denoiser", "unet", {"widths": [8]}), {})
    with pytest.raises(LabError, match="cannot be loaded as a classifier: it is a denoiser of the Lab"):
        load_classifier(f"local/{tmp_path}/d")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        "3",
        "null",
        '{"kind": "classifier"}',
        '{"kind": "classifier", "architecture": "conv", "colour": 1}',
    ],
)
def test_a_damaged_config_is_told(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(LabError, match="does not describe a model of the Lab"):
        read_model(folder)


def test_a_missing_config_is_told(tmp_path):
    with pytest.raises(LabError, match=r"is no model of the Lab: config\.json cannot be read"):
        read_config(tmp_path)


def test_missing_damaged_and_foreign_weights_are_told(folder):
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LabError, match="cannot be loaded into 'conv'"):
        read_model(folder)
    weights.unlink()
    with pytest.raises(LabError, match=r"has no model\.safetensors: train the model"):
        read_model(folder)
    save_model(folder, ConvClassifier(5, (4, 8)), CONFIG, {})  # five classes where the config says three
    with pytest.raises(LabError, match="cannot be loaded into 'conv'"):
        read_model(folder)


def test_an_unknown_architecture_is_told(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architecture": "vgg"}))
    with pytest.raises(LabError, match="Unknown classifier architecture 'vgg': choose one of conv"):
        read_model(folder)
