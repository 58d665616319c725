"""Who may see the pages, driven without a browser: the configuration's logins, and the banner where there is none."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.ui import login
from core.visitor import hashed_passphrase

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["app.py", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "pages").glob("*.py"))]
PASSPHRASE = "nine small grey elephants"
HASH = hashed_passphrase(PASSPHRASE)
OIDC = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "0123456789abcdef",
    "client_id": "lab",
    "client_secret": "secret",
    "server_metadata_url": "http://127.0.0.1:9/none",
}
ADA = {"is_logged_in": True, "iss": "https://id.example", "sub": "1", "email": "ada@example.org"}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.delenv("LAB_PASSPHRASE", raising=False)
    login._door.clear()


def page(secrets: dict[str, Any] | None = None, user: dict[str, Any] | None = None, path: str = "app.py") -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    if path != "app.py":
        at.switch_page(path)
    at.secrets.update(secrets or {})
    at.user.update(user or {})
    at.run()
    assert not at.exception, [e.value for e in at.exception]
    return at


def inside(at: AppTest) -> bool:
    return any(caption.value.startswith(":material/memory:") for caption in at.caption)


def say(at: AppTest, passphrase: str) -> None:
    at.text_input[0].set_value(passphrase)
    at.button[0].click().run()
    assert not at.exception, [e.value for e in at.exception]


def errors(at: AppTest) -> str:
    return " ".join(str(e.value) for e in at.error).replace("\\", "")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_closed_to_whoever_has_not_signed_in(path: str) -> None:
    at = page({"auth": OIDC, "lab": {"passphrases": {"class": HASH}}}, path=path)
    assert not inside(at)
    assert [b.label for b in at.button] == ["Sign in", "Enter"]
    assert not at.get("plotly_chart")
    assert not at.get("imgs")


def test_a_passphrase_opens_and_signing_out_closes() -> None:
    at = page({"lab": {"passphrases": {"class": HASH}}})
    say(at, "guessed")
    assert "not the passphrase" in errors(at)
    say(at, PASSPHRASE)
    assert inside(at)
    assert ":material/person: class" in [c.value for c in at.caption]
    at.button(key="sign-out").click().run()
    assert not inside(at)
    assert at.text_input[0].label == "Passphrase"


def test_a_passphrase_that_the_operator_takes_away_closes() -> None:
    at = page({"lab": {"passphrases": {"class": HASH}}})
    say(at, PASSPHRASE)
    assert inside(at)
    at.secrets = {"lab": {"passphrases": {"class": hashed_passphrase("another one altogether")}}}
    assert not inside(at.run())


def test_the_environment_may_hold_the_one_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PASSPHRASE", HASH)
    at = page()
    say(at, PASSPHRASE)
    assert inside(at)


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        ({"lab": {"passphrases": {"class": PASSPHRASE}}}, "is no hash"),
        ({"lab": {"passphrases": "open"}}, "passphrases of [lab] is to be a table"),
        ({"lab": {"passphrases": {"class": HASH}, "visitors": "@example.org"}}, "is to be a list"),
        ({"auth": {"redirect_uri": "x", "cookie_secret": "y"}}, "names no provider"),
        ({"auth": "yes"}, "[auth] is to be a table"),
        ({"lab": {"visitors": ["@example.org"]}}, "is for a login, and there is none"),
        ({"lab": {"passphrases": {}}}, "is for a login, and there is none"),
    ],
)
def test_a_login_that_is_configured_wrongly_opens_nothing(secrets: dict[str, Any], told: str) -> None:
    at = page(secrets)
    assert not inside(at)
    if at.text_input:  # what the passphrases are is known once one is said
        say(at, PASSPHRASE)
    assert told in errors(at)
    assert not inside(at)
    assert PASSPHRASE not in errors(at)


def test_secrets_that_cannot_be_read_let_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets.toml").write_text("[lab\n")
    get = st.get_option
    monkeypatch.setattr(
        st, "get_option", lambda name: [str(tmp_path / "secrets.toml")] if name == "secrets.files" else get(name)
    )
    at = page()
    assert not inside(at)
    assert "nobody can sign in" in errors(at)


@pytest.mark.parametrize(
    ("user", "admitted", "told"),
    [
        (ADA, [], ""),
        (ADA, ["@example.org"], ""),
        (ADA, ["bob@example.org"], "not among this Lab's visitors"),
        (ADA | {"email_verified": False}, ["@example.org"], "not among this Lab's visitors"),
        ({**ADA, "email": None}, ["@example.org"], "not among this Lab's visitors"),
        ({**ADA, "sub": None}, [], "does not say who you are"),
    ],
)
def test_whom_a_provider_signs_in_is_let_in_if_listed(user: dict[str, Any], admitted: list[str], told: str) -> None:
    at = page({"auth": OIDC, "lab": {"visitors": admitted}}, user)
    assert inside(at) is not bool(told)
    assert told in errors(at)


def test_a_user_whom_no_provider_of_the_configuration_signed_in_is_nobody() -> None:
    assert not inside(page({"lab": {"passphrases": {"class": HASH}}}, ADA))


def test_an_empty_passphrase_of_the_environment_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PASSPHRASE", "")
    at = page()
    assert not inside(at)
    say(at, "anything at all")
    assert "is no hash" in errors(at)


def test_a_provider_that_was_taken_away_signs_nobody_in() -> None:
    named = {"redirect_uri": OIDC["redirect_uri"], "cookie_secret": OIDC["cookie_secret"], "school": OIDC}
    assert inside(page({"auth": named}, ADA | {"provider": "school"}))
    assert not inside(page({"auth": OIDC}, ADA | {"provider": "school"}))
    assert not inside(page({"auth": named}, ADA | {"provider": "default"}))


@pytest.mark.parametrize(
    ("address", "url", "shared"),
    [
        ("localhost", None, False),
        ("127.0.0.1", "http://localhost:8501", False),
        ("::1", "http://[::1]:8501/Train", False),
        ("0.0.0.0", "http://localhost:8501", True),
        (None, None, True),
        ("127.0.0.1", "https://lab.example.org", True),
    ],
)
def test_without_a_login_a_banner_says_that_all_share(
    address: str | None, url: str | None, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: address if name == "server.address" else get(name))
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    if url:
        at.context["url"] = url
    at.run()
    assert inside(at)
    assert (login.OPEN in [w.value for w in at.warning]) is shared
    assert not any(b.key == "sign-out" for b in at.button)


def test_the_provider_to_try_prints_what_the_app_needs() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.openid_provider", "--port", "0", "--app", "http://localhost:8600"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as provider:
        assert provider.stdout is not None
        auth = tomllib.loads("".join(iter(provider.stdout.readline, "\n")))["auth"]
        assert set(auth) == set(OIDC)
        assert auth["redirect_uri"] == "http://localhost:8600/oauth2callback"
        with urllib.request.urlopen(auth["server_metadata_url"]) as answer:
            assert json.load(answer)["issuer"] in auth["server_metadata_url"]
        provider.terminate()
