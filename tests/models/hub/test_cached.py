"""What the cache holds and how it is given back."""

from __future__ import annotations

import threading
import time

import pytest
from huggingface_hub import hf_hub_download
from loopback_hub import LoopbackHub

from core.errors import LabError
from core.models.hub.access import DownloadStoppedError, cache_folder, repository_folder
from core.models.hub.cached import cached, delete_cached
from core.models.hub.download import fetch_files
from core.models.hub.repository import look_up

WEIGHTS = b"w" * 900_000


def test_sizes_commits_and_branches(hub: LoopbackHub) -> None:
    assert cached() == []
    first = hub.add("lab/net", {"model.safetensors": WEIGHTS, "config.json": "{}"})
    fetch_files(look_up("lab/net"), ["model.safetensors"])
    second = hub.add("lab/net", {"model.safetensors": WEIGHTS, "config.json": '{"b": 1}'})
    fetch_files(look_up("lab/net"), ["model.safetensors", "config.json"])
    hub.add("lab/data", {"a.parquet": b"PAR1"}, kind="dataset")
    hf_hub_download("lab/data", "a.parquet", repo_type="dataset")
    (entry,) = cached()
    assert (entry.name, entry.kind, entry.incomplete_bytes) == ("lab/net", "model", 0)
    assert entry.bytes == len(WEIGHTS) + 8  # the weights lie there once, though two commits have them
    assert {revision.commit: revision.refs for revision in entry.revisions} == {first: (), second: ("main",)}
    assert entry.revisions[0].files == ("config.json", "model.safetensors")
    assert abs(entry.last_used - time.time()) < 60
    assert [data.name for data in cached("dataset")] == ["lab/data"]


def test_delete_gives_the_room_back(hub: LoopbackHub) -> None:
    hub.add("lab/net", {"model.safetensors": WEIGHTS})
    hub.add("lab/other", {"model.safetensors": WEIGHTS})
    for name in ("lab/net", "lab/other"):
        fetch_files(look_up(name), ["model.safetensors"])
    assert delete_cached("lab/net") == len(WEIGHTS)
    assert [entry.name for entry in cached()] == ["lab/other"]
    assert not repository_folder("lab/net").exists()
    with pytest.raises(LabError, match="'lab/net' is not in the cache"):
        delete_cached("lab/net")
    for name in ("../hub", "lab", "a/../b"):
        with pytest.raises(LabError, match="names no repository of the Hub"):
            delete_cached(name)
    assert cache_folder().is_dir()


def test_pieces_of_a_broken_download_are_shown_and_go_too(hub: LoopbackHub) -> None:
    hub.add("lab/net", {"model.safetensors": WEIGHTS})
    hub.stall_after, found = 300_000, look_up("lab/net")
    started = time.monotonic()
    with pytest.raises(DownloadStoppedError):
        fetch_files(found, ["model.safetensors"], should_stop=lambda: time.monotonic() - started > 0.4)
    (entry,) = cached()
    assert (entry.bytes, entry.incomplete_bytes, entry.revisions) == (300_000, 300_000, ())
    assert delete_cached("lab/net") == 300_000
    assert cached() == []


def test_delete_waits_for_a_download(hub: LoopbackHub) -> None:
    hub.add("lab/net", {"model.safetensors": WEIGHTS, "config.json": "{}"})
    found = look_up("lab/net")
    fetch_files(found, ["config.json"])
    hub.pace, order = 0.03, []

    def download() -> None:
        fetch_files(found, ["model.safetensors"])
        order.append("downloaded")

    thread = threading.Thread(target=download)
    thread.start()
    while not hub.asked("/storage/*"):
        time.sleep(0.01)
    delete_cached("lab/net")
    order.append("deleted")
    thread.join()
    assert order == ["downloaded", "deleted"]
    assert cached() == []
