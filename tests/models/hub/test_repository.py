"""Repositories of the Hub: commits, names, the cache when there is no network; and making one, to load from."""

from __future__ import annotations

import json

import huggingface_hub
import pytest
import torch
from loopback_hub import LoopbackHub

from core.errors import LabError
from core.models.hub.download import fetch_files
from core.models.hub.repository import check_upload, look_up, upload_model
from core.models.load import load_denoiser
from core.models.networks import UNetDenoiser
from core.models.storage import ModelConfig, save_model
from core.training.trained import write_readme

# The client library's own call of the HTTP library beneath it.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

FILES = {"config.json": "{}", "model.safetensors": b"12345678"}


def test_what_the_hub_says_of_a_repository(hub: LoopbackHub) -> None:
    first = hub.add(
        "lab/net", FILES, license="mit", likes=4, downloads=9, library_name="timm", pipeline_tag="image-classification"
    )
    found = look_up("lab/net")
    assert (found.commit, found.license, found.likes, found.downloads) == (first, "mit", 4, 9)
    assert (found.library, found.task, found.gated, found.private) == ("timm", "image-classification", False, False)
    assert {file.name: file.size for file in found.files} == {"config.json": 2, "model.safetensors": 8}
    assert found.notes == ()


def test_a_revision_becomes_a_commit_and_stays_it(hub: LoopbackHub) -> None:
    first = hub.add("lab/net", FILES)
    hub.add("lab/net", FILES | {"README.md": "v1"}, branch="v1.0")
    second = hub.add("lab/net", FILES | {"README.md": "new"})
    assert look_up("lab/net").commit == second
    assert look_up("lab/net", first).commit == first
    assert look_up("lab/net", "v1.0").commit not in (first, second)
    with pytest.raises(LabError, match="'lab/net' has no revision 'v9': name a branch, a tag or a commit hash"):
        look_up("lab/net", "v9")


def test_a_renamed_repository_is_followed_and_said(hub: LoopbackHub) -> None:
    commit = hub.add("lab/new", FILES)
    hub.renamed["lab/old"] = "lab/new"
    found = look_up("lab/old")
    assert (found.name, found.commit) == ("lab/new", commit)
    assert found.notes == ("lab/old was renamed: it is called lab/new now.",)
    assert (fetch_files(found, ["model.safetensors"]) / "model.safetensors").read_bytes() == b"12345678"


def test_not_there_private_and_disabled(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/secret", FILES, private=True, readers={"hf_good"})
    hub.add("lab/banned", FILES, disabled=True)
    for name in ("lab/nothing", "lab/secret"):
        with pytest.raises(LabError, match=f"no public repository '{name}' on the Hub: check the spelling, or set HF_TOKEN"):
            look_up(name)
    with pytest.raises(LabError, match="The Hub has disabled 'lab/banned'"):
        look_up("lab/banned")
    monkeypatch.setenv("HF_TOKEN", "hf_stranger")
    with pytest.raises(LabError, match="no repository 'lab/secret' that your token can see"):
        look_up("lab/secret")
    hub.status = 401
    with pytest.raises(LabError, match="does not accept your token for 'lab/secret': renew HF_TOKEN"):
        look_up("lab/secret")
    hub.status = None
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert look_up("lab/secret").private


def test_where_the_hub_is_out_of_reach_the_cache_answers(hub: LoopbackHub) -> None:
    commit = hub.add("lab/net", FILES)
    fetch_files(look_up("lab/net"), ["model.safetensors"])
    hub.status = 503
    found = look_up("lab/net")
    assert (found.commit, found.from_cache, found.file_names) == (commit, True, ["model.safetensors"])
    assert "(503)" in found.notes[0]
    assert found.notes[0].endswith(f"Until then this is the cached commit {commit[:12]}.")


def test_offline_the_cache_answers_and_nobody_is_asked(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hub.add("lab/net", FILES)
    hub.add("lab/other", FILES)
    fetch_files(look_up("lab/net", "main"), ["model.safetensors"])
    hub.add("lab/net", FILES | {"README.md": "newer"})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = len(hub.requests)
    for revision in (None, "main", first):
        assert look_up("lab/net", revision).commit == first
    for name, revision in (("lab/other", None), ("lab/net", "v2"), ("lab/net", "0" * 40)):
        with pytest.raises(LabError, match="is not in the cache, and HF_HUB_OFFLINE=1 forbids the network"):
            look_up(name, revision)
    with pytest.raises(LabError, match=r"The cache holds no file 'config\.json' of 'lab/net'"):
        fetch_files(look_up("lab/net"), ["config.json"])
    assert len(hub.requests) == asked


def test_offline_a_commit_that_was_asked_for_by_hash_is_found_without_it(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.add("lab/net", FILES)
    fetch_files(look_up("lab/net", commit), ["model.safetensors"])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert look_up("lab/net").commit == commit


def test_names_are_checked_before_anyone_is_asked(hub: LoopbackHub) -> None:
    for name, revision in (("../../etc", None), ("a/b/c", None), ("lab/net", "../x"), ("lab/net", "a b")):
        with pytest.raises(LabError):
            look_up(name, revision)
    assert hub.requests == []


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
