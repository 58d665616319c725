"""`models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.models import catalogue as catalogue_module
from core.models import references
from core.models.catalogue import catalogue
from core.models.networks import ConvClassifier, UNetDenoiser
from core.models.storage import ModelConfig, save_model


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """A folder of bundled models with one classifier and one denoiser in it."""
    save_model(
        tmp_path / "pets", ConvClassifier(2, (4,)), ModelConfig("classifier", "conv", {}, (32, 32), ("cat", "dog")),
        {"test_accuracy": 0.913, "test_images": 500, "title": "Pets"},
    )  # fmt: skip
    save_model(
        tmp_path / "pets-stab", UNetDenoiser((4, 8)), ModelConfig("denoiser", "unet", {}, (32, 32), None, (0.0, 1.0)),
        {"objective": "stab", "classifier": "bundled/pets", "test": {"one_shot_accuracy_0.25": 0.71}},
    )  # fmt: skip
    for module in (references, catalogue_module):
        monkeypatch.setattr(module, "BUNDLED_FOLDER", tmp_path)
    catalogue.cache_clear()
    yield tmp_path
    catalogue.cache_clear()


def test_lists_what_the_cards_say(run, bundled: Path):
    document = run("models", "--json").document
    assert [entry["ref"] for entry in document["classifiers"]] == ["bundled/pets"]
    pets = document["classifiers"][0]
    assert pets["labels"] == ["cat", "dog"]
    assert pets["card"]["test_accuracy"] == 0.913
    assert pets["bytes"] == (bundled / "pets" / "model.safetensors").stat().st_size
    refs = {entry["ref"]: entry for entry in document["denoisers"]}
    assert set(refs) == {"bundled/pets-stab", "none", "classical/median", "classical/wavelet", "classical/tv", "classical/nlm"}
    assert refs["bundled/pets-stab"]["sigma_range"] == [0.0, 1.0]


def test_text(run, bundled):
    out = run("models").out
    assert "91.3% right on 500 test pictures" in out
    assert "71.0% right after one draw at sigma 0.25" in out
    assert "stab for bundled/pets" in out


def test_a_damaged_card_is_one_line(run, bundled: Path):
    (bundled / "pets" / "card.json").write_text("{")
    assert "cannot be listed" in run("models").one_line()
    (bundled / "pets" / "card.json").write_text(json.dumps({}))
    catalogue.cache_clear()
    assert run("models").code == 0
