"""What a training leaves: README.md; denoisers trained here: saving, listing, loading, taking along, deleting."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from torch import nn

from core.errors import LabError
from core.models.load import load_denoiser
from core.models.networks import build
from core.models.storage import ModelConfig
from core.training import trained
from core.training.trained import (
    FILES,
    MOST_KEPT_BY_ONE,
    check_name,
    check_room,
    delete_trained,
    figures,
    full_name,
    readme,
    save_trained,
    share_trained,
    trained_models,
    write_readme,
    zip_trained,
    zip_unsaved,
)
from core.visitor import visitor_named

CONFIG = ModelConfig("denoiser", "unet", {"widths": [4, 8]}, (32, 32), None, (0.0, 0.5))
CARD = {"objective": "mse", "data": "shapes", "test": {"psnr_0.25": 20.0}, "test_images": 3, "measured_on": "held-out pictures"}


ADA, BOB = (visitor_named(name, "", "passphrase", name) for name in ("ada", "bob"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build("denoiser", "unet", {"widths": [4, 8]}).eval()


def test_what_is_kept_is_loaded_by_its_name_and_without_a_path(home: Path) -> None:
    net = network()
    model = save_trained(net, CONFIG, CARD, full_name("mine", net))
    assert trained_models() == [model]
    loaded: Any = load_denoiser(model.ref)
    assert loaded.ref == f"trained/{model.name}"
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(loaded(x, 0.2), net(x, 0.2))
    readme = (home / "models" / model.name / "README.md").read_text()
    assert f'load_denoiser("trained/{model.name}")' in readme
    assert "On held-out pictures, 3 pictures." in readme
    assert str(home) not in readme


def test_other_weights_have_another_name_and_the_same_ones_the_same() -> None:
    assert full_name("a", network(0)) == full_name("a", network(0)) != full_name("a", network(1))
    for _ in range(2):
        save_trained(network(), CONFIG, CARD, full_name("a", network()))
    assert len(trained_models()) == 1


def test_the_zip_holds_the_four_files_from_disk_and_from_memory_alike(tmp_path: Path) -> None:
    net = network()
    model = save_trained(net, CONFIG, CARD, full_name("mine", net))
    for content in (zip_trained(model.name), zip_unsaved(net, CONFIG, CARD, model.name)):
        with zipfile.ZipFile(io.BytesIO(content)) as zipped:
            assert sorted(zipped.namelist()) == sorted(f"{model.name}/{name}" for name in FILES)
            zipped.extractall(tmp_path / "out")
        loaded: Any = load_denoiser(f"local/{tmp_path / 'out' / model.name}")
        x = torch.rand(1, 3, 32, 32)
        assert torch.equal(loaded(x, 0.2), net(x, 0.2))


def test_deleted_is_gone_and_told() -> None:
    model = save_trained(network(), CONFIG, CARD, "mine-1")
    delete_trained(model.name)
    assert not trained_models()
    for action in (lambda: delete_trained(model.name), lambda: zip_trained(model.name), lambda: load_denoiser(model.ref)):
        with pytest.raises(LabError, match="There is no"):
            action()


def test_folders_of_the_operator_are_not_touched(home: Path) -> None:
    own = home / "models" / "operators"
    own.mkdir(parents=True)
    (own / "model.safetensors").write_bytes(b"x")
    (own / "card.json").write_text("{}")
    assert not trained_models()
    with pytest.raises(LabError, match="There is no"):
        delete_trained("operators")
    with pytest.raises(LabError):
        delete_trained("../models/operators")
    assert own.is_dir()


def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    check_room()
    save_trained(network(), CONFIG, CARD, "mine-1")
    monkeypatch.setattr(trained, "MOST_KEPT_BYTES", 100)
    with pytest.raises(LabError, match="over the limit"):
        check_room()
    monkeypatch.setattr(trained, "MOST_KEPT", 1)
    with pytest.raises(LabError, match="kept already"):
        check_room()


def test_a_denoiser_belongs_to_who_trained_it(home: Path) -> None:
    net = network()
    model = save_trained(net, CONFIG, CARD, full_name("mine", net), visitor=ADA)
    assert (model.owner, model.shared) == (ADA.key, False)
    assert trained_models(ADA) == trained_models() == [model]
    assert not trained_models(BOB)
    changes = (lambda: delete_trained(model.name, BOB), lambda: share_trained(model.name, True, BOB))
    for action in (*changes, lambda: zip_trained(model.name, BOB)):
        with pytest.raises(LabError, match="There is no trained denoiser"):
            action()
    share_trained(model.name, True, ADA)
    assert [found.shared for found in trained_models(BOB)] == [True]
    assert zip_trained(model.name, BOB) == zip_trained(model.name, ADA)
    for action in (*changes, lambda: save_trained(net, CONFIG, CARD, model.name, visitor=BOB)):
        with pytest.raises(LabError, match="belongs to another visitor"):
            action()
    again = save_trained(net, CONFIG, CARD, model.name, visitor=ADA)  # as after it was certified
    assert (again.owner, again.shared) == (ADA.key, True)
    with zipfile.ZipFile(io.BytesIO(zip_trained(model.name, ADA))) as zipped:
        assert all(ADA.key.encode() not in zipped.read(name) for name in zipped.namelist())
    delete_trained(model.name, ADA)
    assert not list((home / "models").iterdir())


def test_an_owner_that_cannot_be_read_shows_it_to_nobody(home: Path) -> None:
    model = save_trained(network(), CONFIG, CARD, "mine-1", visitor=ADA)
    (home / "models" / model.name / "owner.json").write_text("{")
    assert not trained_models(BOB)


def test_a_visitor_keeps_a_few_and_the_operator_more() -> None:
    for number in range(MOST_KEPT_BY_ONE):
        check_room(ADA)
        save_trained(network(number), CONFIG, CARD, f"mine-{number}", visitor=ADA)
    with pytest.raises(LabError, match="denoisers of yours are kept already"):
        check_room(ADA)
    check_room(BOB)
    check_room()


def test_a_full_disk_leaves_nothing_half_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trained, "save_model", full)
    with pytest.raises(LabError, match=r"No space left on device.*download it now"):
        save_trained(network(), CONFIG, CARD, "mine-1")
    assert not list((home / "models").glob("*")) if (home / "models").exists() else True


@pytest.mark.parametrize("name", ["", "../x", "a b", "a--b", "-a", "a" * 41, "a/b", ".hidden"])
def test_bad_names(name: str) -> None:
    with pytest.raises(LabError, match="letters, digits"):
        check_name(name)
    with pytest.raises(LabError):
        load_denoiser(f"trained/{name}")


FULL_CARD = {
    "test": {"psnr_0.25": 21.53, "one_shot_accuracy_0.25": 0.6123},
    "test_images": 4989,
    "objective": "stab",
    "data": "parquet/cifar10/plain_text, split train, 49,918 pictures",
    "classifier": "bundled/cifar10",
    "trained_through": ["local/a|b", "hub/x/y"],
    "start": None,
    "recipe": {"epochs": 20, "seed": 1},
    "parameters": 2260940,
    "history": [{"epoch": 1}, {"epoch": 2}],
    "device": "CPU, 2 threads",
    "minutes": 3.5,
    "command": "python -m core train-denoiser --out 'runs/mine'",
}
WIDE = ModelConfig("denoiser", "unet", {}, (32, 48), None, (0.0, 1.0))


def test_the_head_is_what_the_hub_reads():
    text = readme(WIDE, FULL_CARD, "someone/mine", "hub/someone/mine")
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["library_name"] == "denoised-smoothing-lab"
    assert head["pipeline_tag"] == "image-to-image"
    parsed = ModelCard(text).data
    assert {(r.metric_type, r.metric_value) for r in parsed.eval_results} == {("psnr", 21.53), ("one_shot_accuracy", 0.6123)}
    assert {r.dataset_name for r in parsed.eval_results} == {"parquet/cifar10/plain_text"}


def test_the_text_says_what_it_is_worth_and_how_it_was_made():
    text = readme(WIDE, FULL_CARD, "someone/mine", "hub/someone/mine")
    assert "| PSNR, dB | 0.25 | 21.53 |" in text
    assert "| accuracy of the classifier after one draw of noise | 0.25 | 0.6123 |" in text
    assert "| trained through | local/a\\|b, hub/x/y |" in text
    assert "| architecture | unet, 2,260,940 parameters |" in text
    assert "| sigma, in [0, 1] pixel units | 0 to 1 |" in text
    assert "| pictures | 48 x 32 pixels |" in text
    assert "| epochs finished | 2 |" in text
    assert "started from" not in text
    assert FULL_CARD["command"] in text
    assert 'denoiser = load_denoiser("hub/someone/mine")' in text


def test_a_classifier_trained_with_noise(tmp_path):
    card = {
        "test_accuracy": 0.8,
        "test_accuracy_0.5": 0.4,
        "test_images": 9,
        "noise_sigma": 0.5,
        "trouble": "The loss became nan",
    }
    config = ModelConfig("classifier", "conv", {}, (32, 32), ("cat", "dog"))
    assert figures(card) == [("test_accuracy", "", 0.8), ("test_accuracy", "0.5", 0.4)]
    write_readme(tmp_path, config, card)
    text = (tmp_path / "README.md").read_text()
    assert "| accuracy | none | 0.8 |" in text
    assert "| accuracy | 0.5 | 0.4 |" in text
    assert "| classes | cat, dog |" in text
    assert "| ended | The loss became nan |" in text
    assert 'load_classifier("local/PATH")' in text
