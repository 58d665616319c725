"""The Hub of the tests, asked by the client library itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from loopback_hub import LoopbackHub

FILES = {"config.json": "{}", "unet/model.safetensors": bytes(range(256)) * 1000, "README.md": "# hello"}


def test_information_files_and_older_commits(hub: LoopbackHub) -> None:
    first = hub.add("someone/thing", FILES, license="mit", likes=3, pipeline_tag="image-classification")
    second = hub.add("someone/thing", FILES | {"config.json": '{"a": 1}'})
    api = HfApi()
    about = api.model_info("someone/thing", files_metadata=True)
    assert about.sha == second != first
    assert {s.rfilename: s.size for s in about.siblings} == {k: len(v) for k, v in FILES.items()} | {"config.json": 8}
    assert about.card_data.license == "mit"
    assert api.model_info("someone/thing", revision=first).sha == first
    folder = Path(snapshot_download("someone/thing", revision=first))
    assert folder.name == first
    for name, content in FILES.items():
        assert (folder / name).read_bytes() == (content if isinstance(content, bytes) else content.encode())
    paths = [entry.path for entry in api.list_repo_tree("someone/thing", recursive=True)]
    assert sorted(paths) == ["README.md", "config.json", "unet", "unet/model.safetensors"]


def test_search_has_pages_filters_and_an_order(hub: LoopbackHub) -> None:
    hub.page = 2
    for number in range(5):
        hub.add(f"lab/net-{number}", {"config.json": "{}"}, downloads=number, pipeline_tag="image-classification")
    hub.add("lab/net-text", {"config.json": "{}"}, pipeline_tag="text-generation")
    found = HfApi().list_models(search="net", filter="image-classification", sort="downloads")
    assert [model.id for model in found] == [f"lab/net-{number}" for number in (4, 3, 2, 1, 0)]


def test_data_sets(hub: LoopbackHub) -> None:
    commit = hub.add("lab/pictures", {"plain_text/test.parquet": b"PAR1"}, kind="dataset")
    assert HfApi().dataset_info("lab/pictures").sha == commit
    path = hf_hub_download("lab/pictures", "plain_text/test.parquet", repo_type="dataset")
    assert Path(path).read_bytes() == b"PAR1"
    with pytest.raises(RepositoryNotFoundError):
        HfApi().dataset_info("lab/nothing")


def test_who_may_not_come_in(hub: LoopbackHub) -> None:
    hub.add("lab/closed", FILES, gated="manual", readers={"hf_good"})
    hub.add("lab/secret", FILES, private=True, readers={"hf_good"})
    hub.renamed["lab/old"] = "lab/new"
    hub.add("lab/new", FILES)
    with pytest.raises(GatedRepoError):
        hf_hub_download("lab/closed", "config.json")
    with pytest.raises(HfHubHTTPError):
        HfApi().model_info("lab/secret")
    assert HfApi().model_info("lab/secret", token="hf_good").private
    weights = hf_hub_download("lab/closed", "unet/model.safetensors", token="hf_good")
    assert Path(weights).read_bytes() == FILES["unet/model.safetensors"]
    assert not any("authorization" in {h.lower() for h in r.headers} for r in hub.asked("/storage/*"))
    assert HfApi().model_info("lab/old").id == "lab/new"
    assert Path(hf_hub_download("lab/old", "README.md")).read_text() == "# hello"
    with pytest.raises(RevisionNotFoundError):
        HfApi().model_info("lab/new", revision="v9")


def test_faults(hub: LoopbackHub) -> None:
    hub.add("lab/thing", FILES)
    hub.status, hub.status_times, hub.headers = 429, 1, {"Retry-After": "17"}
    with pytest.raises(HfHubHTTPError) as told:
        HfApi().model_info("lab/thing")
    assert told.value.response.headers["Retry-After"] == "17"
    assert HfApi().model_info("lab/thing").id == "lab/thing"
    hub.cut_after, hub.cut_times = 100_000, 1
    weights = hf_hub_download("lab/thing", "unet/model.safetensors")  # the client asks again
    assert Path(weights).read_bytes() == FILES["unet/model.safetensors"]
    assert len(hub.asked("/storage/*", "GET")) == 2


def test_other_processes_use_it_through_the_environment(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.add("lab/thing", FILES)
    code = "from huggingface_hub import hf_hub_download; print(hf_hub_download('lab/thing', 'README.md'))"
    done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path))
    assert hub.url == huggingface_hub.constants.ENDPOINT
