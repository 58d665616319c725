"""Looking repositories up: commits, names, the cache when there is no network, and every refusal in one sentence."""

from __future__ import annotations

import pytest
from loopback_hub import LoopbackHub

from core.errors import LabError
from core.models.hub import mistakes, repository, settings
from core.models.hub.download import fetch_files
from core.models.hub.repository import look_up

FILES = {"config.json": "{}", "model.safetensors": b"12345678"}


def test_what_the_hub_says_of_a_repository(hub: LoopbackHub) -> None:
    first = hub.add(
        "lab/net", FILES, license="mit", likes=4, downloads=9, library_name="timm", pipeline_tag="image-classification"
    )
    found = look_up("lab/net")
    assert (found.commit, found.license, found.likes, found.downloads) == (first, "mit", 4, 9)
    assert (found.library, found.task, found.gated, found.private) == ("timm", "image-classification", False, False)
    assert {file.name: file.size for file in found.files} == {"config.json": 2, "model.safetensors": 8}
    assert found.bytes == 10
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


def test_what_is_no_hub_is_told(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/net", FILES)
    monkeypatch.setenv("HF_ENDPOINT", hub.url + "/somewhere/else")
    with pytest.raises(LabError, match="no public repository"):
        look_up("lab/net")


def test_faults_of_the_program_keep_their_traceback() -> None:
    with pytest.raises(KeyError), mistakes.telling("lab/net"):
        raise KeyError("x")


def test_settings_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror/")
    assert settings.endpoint() == "http://mirror"
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert settings.cache_folder() == tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "c"))
    assert settings.repository_folder("a/b") == tmp_path / "c" / "models--a--b"
    for value, expected in (("1", True), ("true", True), ("0", False), ("", False)):
        monkeypatch.setenv("HF_HUB_OFFLINE", value)
        assert settings.is_offline() is expected
