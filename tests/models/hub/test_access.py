"""Asking the Hub: where the environment says it is, and every refusal in one sentence."""

from __future__ import annotations

import socket
import time

import pytest
from loopback_hub import LoopbackHub

from core.errors import LabError
from core.models.hub import access, download
from core.models.hub.access import DownloadStoppedError, cache_folder, endpoint, is_offline, repository_folder, telling
from core.models.hub.download import fetch_files
from core.models.hub.repository import look_up

FILES = {"config.json": "{}", "model.safetensors": b"12345678"}


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (403, {}, r"denies access to 'lab/net' \(403\): give HF_TOKEN"),
        (429, {"Retry-After": "17"}, r"asks for patience \(429, too many requests\): try again in 17 s"),
        (429, {"Retry-After": "600"}, "try again in 10 minutes"),
        (429, {}, "try again in a few minutes"),
        (500, {}, r"has a problem of its own \(500\) with 'lab/net': try again in a few minutes"),
        (503, {}, r"has a problem of its own \(503\)"),
        (400, {}, r"refused the request for 'lab/net' \(400\)"),
    ],
)
def test_refusals(hub: LoopbackHub, status: int, headers: dict[str, str], words: str, monkeypatch) -> None:
    monkeypatch.setattr(access, "PATIENCE_SECONDS", 10)
    hub.add("lab/net", FILES)
    hub.status, hub.headers = status, headers
    with pytest.raises(LabError, match=words) as told:
        look_up("lab/net")
    assert "\n" not in str(told.value)


def test_a_status_in_the_middle_of_a_download_is_told_at_once(hub: LoopbackHub) -> None:
    hub.add("lab/net", FILES)
    found = look_up("lab/net")
    hub.status, hub.headers, hub.status_on = 429, {"Retry-After": "600"}, "/storage/*"
    with pytest.raises(LabError, match="try again in 10 minutes"):
        fetch_files(found, ["model.safetensors"])
    assert len(hub.asked("/storage/*")) == 1


@pytest.mark.parametrize("where", ["/api/*", "*/resolve/*", "/storage/*"])
def test_patience_is_had_for_as_long_as_the_hub_says(hub: LoopbackHub, where: str) -> None:
    hub.add("lab/net", FILES)
    hub.status, hub.headers, hub.status_on, hub.status_times = 429, {"Retry-After": "1"}, where, 2
    began = time.monotonic()
    folder = fetch_files(look_up("lab/net"), ["model.safetensors"])
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert time.monotonic() - began > 1.9


def test_patience_ends_with_the_wish(hub: LoopbackHub) -> None:
    hub.add("lab/net", FILES)
    hub.status, hub.headers = 429, {"Retry-After": "25"}
    began = time.monotonic()
    with pytest.raises(DownloadStoppedError):
        look_up("lab/net", should_stop=lambda: time.monotonic() - began > 0.3)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:{port}/api/models/lab/net",
        "https://evil.example/huggingface.co",
        "http://127.0.0.1.evil.example/",
        "//evil.example/x",
        "ftp://127.0.0.1/x",
    ],
)
@pytest.mark.parametrize("where", ["/api/models/*", "*/resolve/*", "/storage/*"])
def test_nobody_is_sent_on_to_another_host(hub: LoopbackHub, where: str, location: str) -> None:
    hub.add("lab/net", FILES)
    port = hub.url.rpartition(":")[2]
    hub.status, hub.status_on, hub.headers = 307, where, {"Location": location.format(port=port)}
    with pytest.raises(LabError, match=r"sends the request on to .*, which is none of its hosts: nothing was asked there"):
        fetch_files(look_up("lab/net"), ["model.safetensors"])
    assert len(hub.asked("/api/models/lab/net*")) <= 2


def test_hosts_of_a_mirror_are_named_by_the_operator(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/net", FILES)
    found = look_up("lab/net")
    address = hub.storage_url.replace("127.0.0.1", "localhost")
    hub.status, hub.status_on, hub.status_times = 302, "*/resolve/*", 1
    hub.headers = {"Location": f"{address}/storage/{found.file('model.safetensors').sha256}"}
    monkeypatch.setenv("LAB_HUB_HOSTS", "files.example, localhost")
    assert (fetch_files(found, ["model.safetensors"]) / "model.safetensors").is_file()


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254"])
@pytest.mark.parametrize("host", ["files.example", "cdn.hf.co"])
def test_a_host_of_the_hubs_whose_name_leads_to_a_link_local_address_is_not_asked(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, host: str, address: str
) -> None:
    hub.add("lab/net", FILES)
    found, looked_up = look_up("lab/net"), socket.getaddrinfo
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    elsewhere = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda name, *rest, **more: elsewhere if name == host else looked_up(name, *rest, **more)
    )
    monkeypatch.setenv("LAB_HUB_HOSTS", "files.example")
    hub.status, hub.status_on, hub.headers = 302, "*/resolve/*", {"Location": f"https://{host}/x"}
    with pytest.raises(
        LabError, match=rf"sends the request on to {host}, whose address is this network's own .*: nothing was asked"
    ):
        fetch_files(found, ["model.safetensors"])


@pytest.mark.parametrize("where", ["/api/models/*", "*/resolve/*"])
def test_a_circle_of_redirects_is_told(hub: LoopbackHub, where: str) -> None:
    hub.add("lab/net", FILES)
    hub.status, hub.status_on, hub.headers = 302, where, {"Location": f"{hub.url}/lab/net/resolve/main/x"}
    if where.startswith("/api"):
        hub.status_on = "*"
    with pytest.raises(LabError, match="sends requests for 'lab/net' in a circle"):
        fetch_files(look_up("lab/net"), ["model.safetensors"])


def test_what_drips_in_is_given_up(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/net", {"config.json": "{}", "model.safetensors": bytes(400_000)})
    found = look_up("lab/net")
    hub.pace = 0.3
    monkeypatch.setattr(download, "SLOW_SECONDS", 0.5)
    monkeypatch.setattr(download, "SLOWEST", 1_000_000)
    with pytest.raises(LabError, match=r"sends less than 1\.0 MB a second of 'lab/net': try again later"):
        fetch_files(found, ["model.safetensors"])
    hub.pace = 0
    hub.requests.clear()
    assert (fetch_files(found, ["model.safetensors"]) / "model.safetensors").stat().st_size == 400_000
    assert "Range" in hub.asked("*/resolve/*")[0].headers


def test_an_answer_has_a_minute(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/net", FILES)
    monkeypatch.setattr(access, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(access, "PATIENCE_SECONDS", 0.1)
    hub.delay = 2
    with pytest.raises(LabError, match=r"did not answer in full within 0\.3 s: try again"):
        look_up("lab/net")


@pytest.mark.parametrize("where", ["/api/*", "/storage/*"])
def test_what_is_packed_is_not_unpacked(hub: LoopbackHub, where: str) -> None:
    """Half a megabyte of gzip cost 2.9 GB."""
    hub.add("lab/net", FILES)
    hub.status, hub.status_on, hub.headers = 200, where, {"Content-Encoding": "gzip"}
    with pytest.raises(LabError, match="answers packed, though it is asked not to: check HF_ENDPOINT"):
        fetch_files(look_up("lab/net"), ["model.safetensors"])
    assert {request.headers["Accept-Encoding"] for request in hub.asked("*")} == {"identity"}


def test_an_answer_that_does_not_end_is_given_up(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/net", {**FILES, **{f"{number}.txt": "x" for number in range(20_000)}})
    monkeypatch.setattr(access, "ANSWER_BYTES", 2**20)
    with pytest.raises(LabError, match="sends more than 1 MB: check HF_ENDPOINT"):
        look_up("lab/net")


def test_files_may_be_larger_than_answers(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/net", {**FILES, "model.safetensors": bytes(100_000)})
    found = look_up("lab/net")
    monkeypatch.setattr(access, "ANSWER_BYTES", 10)
    assert (fetch_files(found, ["model.safetensors"]) / "model.safetensors").stat().st_size == 100_000


def test_a_name_that_no_server_knows(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    with pytest.raises(LabError, match=r"The Hub at http://hub\.invalid cannot be reached: check the network and HF_ENDPOINT"):
        look_up("lab/net")


def test_no_network_and_no_answer(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/net", FILES)
    monkeypatch.setattr(access, "TIMEOUT_SECONDS", 0.3)
    hub.delay = 3
    with pytest.raises(LabError, match="did not answer in time: check the connection"):
        look_up("lab/net")
    hub.delay = 0
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(
        LabError, match=r"The Hub at http://127\.0\.0\.1:1 cannot be reached: check the network and HF_ENDPOINT"
    ):
        look_up("lab/net")


def test_what_is_no_hub_is_told(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/net", FILES)
    monkeypatch.setenv("HF_ENDPOINT", hub.url + "/somewhere/else")
    with pytest.raises(LabError, match="no public repository"):
        look_up("lab/net")


def test_faults_of_the_program_keep_their_traceback() -> None:
    with pytest.raises(KeyError), telling("lab/net"):
        raise KeyError("x")


def test_settings_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror/")
    assert endpoint() == "http://mirror"
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "c"))
    assert repository_folder("a/b") == tmp_path / "c" / "models--a--b"
    for value, expected in (("1", True), ("true", True), ("0", False), ("", False)):
        monkeypatch.setenv("HF_HUB_OFFLINE", value)
        assert is_offline() is expected
