"""Asking the Hub: where the environment says it is, and every refusal in one sentence."""

from __future__ import annotations

import pytest
from loopback_hub import LoopbackHub

from core.errors import LabError
from core.models.hub import repository
from core.models.hub.access import cache_folder, endpoint, is_offline, repository_folder, telling
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
def test_refusals(hub: LoopbackHub, status: int, headers: dict[str, str], words: str) -> None:
    hub.add("lab/net", FILES)
    hub.status, hub.headers = status, headers
    with pytest.raises(LabError, match=words) as told:
        look_up("lab/net")
    assert "\n" not in str(told.value)


def test_a_status_in_the_middle_of_a_download_is_told_at_once(hub: LoopbackHub) -> None:
    hub.add("lab/net", FILES)
    found = look_up("lab/net")
    hub.status, hub.headers, hub.status_on = 429, {"Retry-After": "5"}, "/storage/*"
    with pytest.raises(LabError, match="try again in 5 s"):
        fetch_files(found, ["model.safetensors"])
    assert len(hub.asked("/storage/*")) == 1


def test_no_network_and_no_answer(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/net", FILES)
    monkeypatch.setattr(repository, "TIMEOUT_SECONDS", 0.3)
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
