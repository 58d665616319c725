"""Uploading a trained model to a Hub, and loading it from there."""

from __future__ import annotations

import json

import huggingface_hub
import pytest
import torch

from core.errors import LabError
from core.models.hub.repository import look_up
from core.models.hub.upload import check_upload, upload_model
from core.models.load import load_denoiser
from core.models.networks import UNetDenoiser
from core.models.storage import ModelConfig, save_model
from core.training.model_card import write_readme

# The client library's own call of the HTTP library beneath it.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def folder(tmp_path):
    """A saved denoiser with its card, a checkpoint and a log beside it."""
    torch.manual_seed(3)
    config = ModelConfig("denoiser", "unet", {"widths": [4, 8]}, (32, 32), None, (0.0, 1.0))
    card = {"objective": "mse", "data": "shapes, split train", "test": {"psnr_0.25": 21.5}, "test_images": 100}
    path = tmp_path / "runs" / "mine"
    save_model(path, UNetDenoiser((4, 8)), config, card)
    write_readme(path, config, card, "someone/mine")
    (path / "checkpoint.pt").write_bytes(b"not for others")
    (path / "events.log").write_text("not for others")
    return path


@pytest.fixture
def token(hub, monkeypatch):
    hub.writers.add("hf_write")
    monkeypatch.setenv("HF_TOKEN", "hf_write")


def test_what_is_uploaded_loads_as_the_same_denoiser(hub, token, folder):
    commit = upload_model(folder, "someone/mine")
    repository = look_up("someone/mine")
    assert repository.commit == commit
    assert set(repository.file_names) == {".gitattributes", "README.md", "card.json", "config.json", "model.safetensors"}
    assert (repository.library, repository.task) == ("denoised-smoothing-lab", "image-to-image")
    here, there = load_denoiser(f"local/{folder}"), load_denoiser("hub/someone/mine")
    assert (there.revision, there.weights_sha256) == (commit, here.weights_sha256)
    assert there.sigma_range == (0.0, 1.0)
    noisy = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(here(noisy, 0.25), there(noisy, 0.25))


def test_the_token_does_not_travel_to_the_storage(hub, token, folder):
    upload_model(folder, "someone/mine")
    sent = hub.asked("/upload/*", "PUT")
    assert len(sent) == 1
    assert not any(name.lower() == "authorization" for name in sent[0].headers)


def test_a_second_upload_is_a_second_commit_and_only_what_changed_is_sent(hub, token, folder):
    first = upload_model(folder, "someone/mine")
    card = json.loads((folder / "card.json").read_text()) | {"minutes": 5}
    (folder / "card.json").write_text(json.dumps(card))
    second = upload_model(folder, "someone/mine")
    assert first != second
    assert len(hub.asked("/upload/*", "PUT")) == 1
    assert load_denoiser(f"hub/someone/mine@{first}").revision == first
    assert load_denoiser("hub/someone/mine").revision == second


def test_private_repositories(hub, token, folder, monkeypatch):
    upload_model(folder, "someone/mine", private=True)
    assert hub.repositories["model", "someone/mine"].private
    assert load_denoiser("hub/someone/mine").sigma_range == (0.0, 1.0)


def test_the_hub_is_not_asked_without_a_token_a_name_or_the_network(hub, folder, monkeypatch):
    with pytest.raises(LabError, match="wants a token that may write: set HF_TOKEN"):
        upload_model(folder, "someone/mine")
    monkeypatch.setenv("HF_TOKEN", "hf_write")
    with pytest.raises(LabError, match="names no repository of the Hub: expected OWNER/NAME"):
        check_upload("mine")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LabError, match="forbids the network"):
        check_upload("someone/mine")
    assert hub.requests == []


def test_a_token_that_may_only_read(hub, token, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_read")
    with pytest.raises(LabError, match="does not let your token write to 'someone/mine': give HF_TOKEN one with write access"):
        upload_model(folder, "someone/mine")
    assert hub.repositories == {}


def test_a_hub_in_trouble(hub, token, folder):
    hub.status, hub.status_on = 500, "/api/repos/create"
    with pytest.raises(LabError, match="has a problem of its own"):
        upload_model(folder, "someone/mine")
    hub.clear_faults()
    hub.status, hub.status_on = 400, "/upload/*"
    with pytest.raises(LabError, match="refused"):
        upload_model(folder, "someone/mine")
    assert set(look_up("someone/mine").file_names) == {".gitattributes"}  # nothing by halves
    hub.clear_faults()
    hub.close()
    huggingface_hub.close_session()  # a connection that is open would still be answered
    with pytest.raises(LabError, match="cannot be reached"):
        upload_model(folder, "someone/mine")
