"""Downloads: only what is asked for, resumed, stoppable, checked, and never half a file."""

from __future__ import annotations

import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download, try_to_load_from_cache
from loopback_hub import LoopbackHub

from core.errors import LabError
from core.models.hub import download, repository
from core.models.hub.access import DownloadStoppedError, repository_folder
from core.models.hub.download import DownloadProgress, fetch_files
from core.models.hub.repository import look_up

BUSY = 1.0
"""Seconds that a machine with other things to do may add to what is promised."""

WEIGHTS = bytes(range(256)) * 4096  # 1 MiB
FILES = {"config.json": '{"a": 1}', "unet/model.safetensors": WEIGHTS, "README.md": "# read", "other.bin": b"x" * 5000}


@pytest.fixture
def thing(hub: LoopbackHub) -> str:
    return hub.add("lab/thing", FILES)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken transfers are taken up at once instead of after a pause."""
    from core.models.hub.access import Abandon

    monkeypatch.setattr(Abandon, "wait", lambda self, seconds: self.asked)


def blobs() -> dict[str, int]:
    return {p.name: p.stat().st_size for p in (repository_folder("lab/thing") / "blobs").iterdir()}


def fetch(*names: str, **options: object) -> Path:
    return fetch_files(look_up("lab/thing"), names, **options)


def test_only_what_is_asked_for_comes_and_the_library_finds_it(hub: LoopbackHub, thing: str) -> None:
    folder = fetch("config.json", "unet/model.safetensors")
    assert folder.name == thing
    assert (folder / "unet/model.safetensors").read_bytes() == WEIGHTS
    assert not (folder / "README.md").exists()
    assert try_to_load_from_cache("lab/thing", "unet/model.safetensors", revision="main") == str(
        folder / "unet/model.safetensors"
    )
    before = len(hub.asked("*", "GET"))
    assert hf_hub_download("lab/thing", "config.json") == str(folder / "config.json")
    assert len(hub.asked("*", "GET")) == before  # the library takes it for its own
    fetch("config.json", "unet/model.safetensors")
    assert len(hub.asked("/storage/*", "GET")) == 1  # and nothing comes twice


def test_what_the_library_fetched_is_not_fetched_again(hub: LoopbackHub, thing: str) -> None:
    hf_hub_download("lab/thing", "unet/model.safetensors")
    fetch("unet/model.safetensors")
    assert len(hub.asked("/storage/*", "GET")) == 1


def test_progress_counts_bytes_and_ends_at_the_total(hub: LoopbackHub, thing: str) -> None:
    told: list[DownloadProgress] = []
    hub.pace = 0.05
    fetch("config.json", "unet/model.safetensors", on_progress=told.append)
    total = len(WEIGHTS) + 8
    assert {step.total for step in told} == {total}
    assert [step.done for step in told] == sorted(step.done for step in told)
    assert told[-1].done == total
    assert told[-1].seconds_left == 0
    middle = next(step for step in told if 0 < step.done < total)
    assert middle.file == "unet/model.safetensors"
    assert 0 < middle.seconds_left < 30
    again: list[DownloadProgress] = []
    fetch("config.json", "unet/model.safetensors", on_progress=again.append)
    assert again == []


@pytest.mark.parametrize("fault", ["pace", "stall_after", "delay"])
def test_a_stop_is_obeyed_within_half_a_second_and_the_rest_comes_later(hub: LoopbackHub, thing: str, fault: str) -> None:
    found = look_up("lab/thing")
    setattr(hub, fault, {"pace": 0.1, "stall_after": 300_000, "delay": 30}[fault])
    started = time.monotonic()
    asked: list[float] = []

    def stop() -> bool:
        if time.monotonic() - started > 0.5:
            asked.append(time.monotonic())
        return bool(asked)

    with pytest.raises(DownloadStoppedError, match="was stopped; what has arrived is kept"):
        fetch_files(found, ["unet/model.safetensors"], should_stop=stop)
    assert time.monotonic() - asked[0] < 0.5 + BUSY
    assert try_to_load_from_cache("lab/thing", "unet/model.safetensors") is None
    hub.clear_faults()
    kept = sum(blobs().values()) if fault != "delay" else 0
    assert kept < len(WEIGHTS)
    folder = fetch_files(found, ["unet/model.safetensors"])
    assert (folder / "unet/model.safetensors").read_bytes() == WEIGHTS
    if fault != "delay":
        assert kept > 0
        assert hub.asked("/storage/*", "GET")[-1].headers["Range"] == f"bytes={kept}-"
        assert list(blobs().values()) == [len(WEIGHTS)]


def test_a_stop_is_obeyed_while_the_hub_is_asked(hub: LoopbackHub, thing: str) -> None:
    hub.delay = 30
    started = time.monotonic()
    with pytest.raises(DownloadStoppedError):
        look_up("lab/thing", should_stop=lambda: True)
    assert time.monotonic() - started < 0.5 + BUSY


def test_a_cut_connection_is_taken_up_where_it_broke(hub: LoopbackHub, thing: str) -> None:
    hub.cut_after, hub.cut_times = 400_000, 2
    folder = fetch("unet/model.safetensors")
    assert (folder / "unet/model.safetensors").read_bytes() == WEIGHTS
    ranges = [request.headers.get("Range") for request in hub.asked("/storage/*", "GET")]
    assert ranges == [None, "bytes=400000-", "bytes=800000-"]


def test_a_connection_that_keeps_breaking_is_told_and_half_a_file_never_loads(hub: LoopbackHub, thing: str) -> None:
    hub.cut_after = 100_000
    with pytest.raises(LabError, match="connection to the Hub broke off while 'lab/thing' was on its way: try again"):
        fetch("unet/model.safetensors")
    assert try_to_load_from_cache("lab/thing", "unet/model.safetensors") is None
    assert [name.endswith(".incomplete") for name in blobs()] == [True]
    hub.clear_faults()
    assert (fetch("unet/model.safetensors") / "unet/model.safetensors").read_bytes() == WEIGHTS
    assert hub.asked("/storage/*", "GET")[-1].headers["Range"] == "bytes=400000-"


def test_a_server_without_ranges_sends_everything_again(hub: LoopbackHub, thing: str) -> None:
    hub.cut_after, hub.cut_times, hub.ranges = 400_000, 1, False
    assert (fetch("unet/model.safetensors") / "unet/model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["unet/model.safetensors", "config.json"])
def test_bytes_with_a_wrong_hash_are_thrown_away(hub: LoopbackHub, thing: str, name: str) -> None:
    hub.corrupt = {name}
    with pytest.raises(LabError, match=rf"'{name}' of 'lab/thing' arrived, but not with the hash .* thrown away; try again"):
        fetch(name)
    assert blobs() == {}
    hub.clear_faults()
    content = FILES[name]
    assert (fetch(name) / name).read_bytes() == (content if isinstance(content, bytes) else content.encode())


def test_a_kept_piece_that_is_wrong_is_fetched_anew(hub: LoopbackHub, thing: str) -> None:
    found = look_up("lab/thing")
    part = repository_folder("lab/thing") / "blobs" / (found.file("unet/model.safetensors").sha256 + ".incomplete")
    part.parent.mkdir(parents=True)
    for wrong in (b"\xff" * 70_000, b"\xff" * len(WEIGHTS), b"\xff" * (len(WEIGHTS) + 5)):
        part.write_bytes(wrong)
        folder = fetch("unet/model.safetensors")
        assert (folder / "unet/model.safetensors").read_bytes() == WEIGHTS
        shutil.rmtree(folder)
        (part.parent / part.name.removesuffix(".incomplete")).unlink()


def test_more_bytes_than_listed_are_refused(hub: LoopbackHub, thing: str) -> None:
    hub.size_lie = {"unet/model.safetensors": 1000}
    with pytest.raises(LabError, match="sends more bytes than it lists"):
        fetch("unet/model.safetensors")


def test_ten_at_once_fetch_once(hub: LoopbackHub, thing: str) -> None:
    hub.pace, found, got = 0.01, look_up("lab/thing"), []
    threads = [threading.Thread(target=lambda: got.append(fetch_files(found, ["unet/model.safetensors"]))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 10
    assert len(hub.asked("/storage/*", "GET")) == 1


def test_limits_are_told_before_the_first_byte(hub: LoopbackHub, thing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_FILE_BYTES", 1_000_000)
    with pytest.raises(LabError, match=r"'unet/model.safetensors' of 'lab/thing' has 1\.0 MB, more than the 1\.0 MB"):
        fetch("unet/model.safetensors")
    monkeypatch.setattr(download, "MAX_FILE_BYTES", 10**9)
    monkeypatch.setattr(download, "MAX_TOTAL_BYTES", 1_050_000)
    with pytest.raises(LabError, match=r"The files needed of 'lab/thing' have 1\.1 MB"):
        fetch("unet/model.safetensors", "other.bin")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage(10, 9, 200_900_000))
    with pytest.raises(LabError, match=r"The disk has 200\.9 MB left and 'lab/thing' needs 1\.0 MB: make room"):
        fetch("unet/model.safetensors")
    assert hub.asked("/storage/*") == []


def test_a_disk_that_fills_up_is_told(hub: LoopbackHub, thing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download._Transfer, "_write", full)
    with pytest.raises(LabError, match="The disk is full: make room for 'lab/thing', or move the cache with HF_HOME"):
        fetch("unet/model.safetensors")


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", "C:x", ""])
def test_names_that_lead_out_of_the_folder_are_refused(hub: LoopbackHub, name: str) -> None:
    with pytest.raises(LabError, match="leads out of its folder"):
        repository.check_file_name(name)
    if name:
        hub.add("lab/thing", {name: "boo", "config.json": "{}"})
        with pytest.raises(LabError, match="leads out of its folder"):
            look_up("lab/thing")


def test_a_token_opens_gated_repositories_and_does_not_travel_on(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/thing", FILES, gated="manual", readers={"hf_good"})
    with pytest.raises(LabError, match=r"'lab/thing' is gated: ask for access on https://\S+/lab/thing, then set HF_TOKEN"):
        fetch("unet/model.safetensors")
    monkeypatch.setenv("HF_TOKEN", "hf_stranger")
    with pytest.raises(LabError, match="is gated and your token has no access yet"):
        fetch("unet/model.safetensors")
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert (fetch("unet/model.safetensors") / "unet/model.safetensors").read_bytes() == WEIGHTS
    assert hub.asked("/storage/*")
    assert not any("authorization" in {h.lower() for h in request.headers} for request in hub.asked("/storage/*"))


def test_data_sets_come_the_same_way(hub: LoopbackHub) -> None:
    commit = hub.add("lab/pictures", {"plain_text/test.parquet": b"PAR1"}, kind="dataset")
    found = look_up("lab/pictures", kind="dataset")
    folder = fetch_files(found, ["plain_text/test.parquet"])
    assert folder == repository_folder("lab/pictures", "dataset") / "snapshots" / commit
    assert (folder / "plain_text/test.parquet").read_bytes() == b"PAR1"
