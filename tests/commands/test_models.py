"""`models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loopback_hub import LoopbackHub

from core.models import catalogue as catalogue_module
from core.models import references
from core.models.catalogue import catalogue
from core.models.networks import ConvClassifier, UNetDenoiser
from core.models.storage import ModelConfig, save_model


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """A folder of bundled models with one classifier and one denoiser in it."""
    save_model(
        tmp_path / "pets",
        ConvClassifier(2, (4,)),
        ModelConfig("classifier", "conv", {}, (32, 32), ("cat", "dog")),
        {"test_accuracy": 0.913, "test_images": 500, "title": "Pets"},
    )
    save_model(
        tmp_path / "pets-stab",
        UNetDenoiser((4, 8)),
        ModelConfig("denoiser", "unet", {}, (32, 32), None, (0.0, 1.0)),
        {"objective": "stab", "classifier": "bundled/pets", "test": {"one_shot_accuracy_0.25": 0.71}},
    )
    for module in (references, catalogue_module):
        monkeypatch.setattr(module, "BUNDLED_FOLDER", tmp_path)
    catalogue.cache_clear()
    yield tmp_path
    catalogue.cache_clear()


def test_lists_what_the_cards_say(run, bundled: Path):
    document = run("models", "--json").document
    assert [entry["ref"] for entry in document["classifiers"]] == ["bundled/pets", "package/efficientnet-lite0"]
    pets = document["classifiers"][0]
    assert pets["labels"] == ["cat", "dog"]
    assert pets["card"]["test_accuracy"] == 0.913
    assert pets["bytes"] == (bundled / "pets" / "model.safetensors").stat().st_size
    refs = {entry["ref"]: entry for entry in document["denoisers"]}
    classical = {f"classical/{name}" for name in ("median", "wavelet", "tv", "nlm")}
    assert set(refs) == {"bundled/pets-stab", "package/ffdnet-color", "none"} | classical
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


@pytest.fixture
def net(hub: LoopbackHub, bundled: Path) -> str:
    """A classifier of the Lab on the Hub; gives the commit."""
    about = {"license": "mit", "downloads": 1234, "likes": 5, "pipeline_tag": "image-classification"}
    return hub.add("lab/pets", bundled / "pets", library_name="denoised-smoothing-lab", **about)


def test_search_on_the_hub(run, net):
    document = run("models", "--search", "pets", "--json").document
    assert document["task"] == "image-classification"
    (found,) = document["found"]
    assert (found["ref"], found["downloads"], found["license"], found["loadable"]) == ("hub/lab/pets", 1234, "mit", None)
    assert "hub/lab/pets" in run("models", "--search", "pets").out
    assert "1,234 downloads, 5 likes, mit" in run("models", "--search", "pets").out
    assert "nothing on the Hub fits 'dogs'" in run("models", "--search", "dogs").out


def test_details_cached_and_delete(run, net, hub):
    document = run("models", "--details", "hub/lab/pets", "--json").document
    assert document["ref"] == f"hub/lab/pets@{net}"
    assert document["labels"] == ["cat", "dog"]
    assert "model.safetensors" in document["needed"]
    out = run("models", "--details", "hub/lab/pets").out
    assert "licence mit, public, made with denoised-smoothing-lab" in out
    assert "2 classes: cat, dog" in out
    wrong = run("models", "--details", "hub/lab/pets", "--task", "denoiser", "--json").document
    assert "it is a classifier of the Lab" in wrong["problem"]
    entries = run("models", "--cached", "--json").document["cached"]
    assert [entry["name"] for entry in entries] == ["lab/pets"]
    assert f"commit {net[:12]} main" in run("models", "--cached").out
    assert run("models", "--delete", "lab/pets", "--json").document["deleted"] == "lab/pets"
    assert run("models", "--cached").out.strip() == "nothing of the Hub is cached"
    assert "is not in the cache" in run("models", "--delete", "hub/lab/pets").one_line()


def test_mistakes_on_the_hub_are_one_line(run, hub):
    assert "no public repository 'lab/none'" in run("models", "--details", "hub/lab/none").one_line()
    assert "names no repository" in run("models", "--delete", "../x").one_line()
    assert "not allowed with" in run("models", "--cached", "--search", "x").one_line()
    hub.status = 500
    assert "has a problem of its own (500)" in run("models", "--search", "x").one_line()
