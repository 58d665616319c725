"""The login in a real browser: by a provider of OpenID Connect on loopback, and by a passphrase."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from joserfc.jwk import RSAKey
from page_state import settled
from playwright.sync_api import Browser, Page, expect

from core.visitor import hashed_passphrase
from tests.app_process import COMMAND, free_port, running_app
from tests.openid_provider import OpenIdProvider

HEADING = "A prediction that provably holds"
PASSPHRASE = "nine small grey elephants"


@pytest.fixture(scope="module")
def with_login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, OpenIdProvider]]:
    """An app with both ways in, and its provider."""
    home, port = tmp_path_factory.mktemp("lab-home"), free_port()
    provider = OpenIdProvider(f"http://127.0.0.1:{port}/oauth2callback")
    secrets = home / "secrets.toml"
    lab = f'[lab]\nvisitors = ["@example.org"]\npassphrases = {{ class = "{hashed_passphrase(PASSPHRASE)}" }}\n'
    secrets.write_text(provider.secrets_toml + lab)
    command = (*COMMAND, "--server.address=127.0.0.1", f"--secrets.files={secrets}")
    with running_app(home, command, port=port, output=home / "app.log") as address:
        yield address, provider
    provider.close()


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Iterator[None]:
    """The first page of a server imports for seconds, and other tests may keep the machine busy."""
    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


def sign_in(page: Page, address: str, person: str) -> None:
    page.goto(f"{address}/Train")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=f"I am {person}").click()


def test_a_provider_signs_in_and_a_page_opened_later_knows_it(browser: Browser, with_login: tuple[str, OpenIdProvider]) -> None:
    address, _ = with_login
    context = browser.new_context()
    page = context.new_page()
    for path in ("", "/Certify", "/Trade-offs", "/Vision_APIs", "/Train"):
        page.goto(f"{address}{path}")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        settled(page)
        assert page.locator("[data-testid=stPlotlyChart]").count() == 0
    sign_in(page, address, "ada")
    expect(page.get_by_role("heading", name=HEADING)).to_be_visible()
    expect(page.get_by_text("ada@example.org")).to_be_visible()
    page.goto(f"{address}/Learn")
    expect(page.get_by_text("ada@example.org")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(address)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    context.close()


def test_whoever_is_not_on_the_list_is_told_and_stays_outside(browser: Browser, with_login: tuple[str, OpenIdProvider]) -> None:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, with_login[0], "eve")
    expect(page.get_by_text("not among this Lab's visitors")).to_be_visible()
    assert page.get_by_role("heading", name=HEADING).count() == 0
    context.close()


def test_a_token_signed_by_somebody_else_opens_nothing(browser: Browser, with_login: tuple[str, OpenIdProvider]) -> None:
    address, provider = with_login
    context, own = browser.new_context(), provider.key
    provider.key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "one"})
    try:
        page = context.new_page()
        sign_in(page, address, "ada")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        page.goto(address)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    finally:
        provider.key = own
        context.close()


def test_a_passphrase_opens_one_tab(page: Page, with_login: tuple[str, OpenIdProvider]) -> None:
    address, _ = with_login
    page.goto(address)
    page.get_by_label("Passphrase").fill("nine small grey elephant")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_text("This is not the passphrase.")).to_be_visible()
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", name=HEADING)).to_be_visible()
    page.get_by_role("link", name="Denoise", exact=True).first.click()
    expect(page.get_by_role("heading", name="Denoise")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Passphrase")).to_be_visible()
