"""The login in a real browser: by a provider of OpenID Connect on loopback, and by a passphrase."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_report import AxeReport
from joserfc.jwk import RSAKey
from page_state import settled
from playwright.sync_api import Browser, Locator, Page, expect

from core.runs.store import RunStore
from core.visitor import TRIES, hashed_passphrase, visitor_named
from tests.app_process import COMMAND, free_port, running_app
from tests.openid_provider import OpenIdProvider
from tests.runs.store_writers import image

HEADING = "A certified prediction"
Served = tuple[str, OpenIdProvider, Path]
PASSPHRASE = "nine small grey elephants"


@pytest.fixture(scope="module")
def with_login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An app with both ways in, its provider, and where it keeps things."""
    home, port = tmp_path_factory.mktemp("lab-home"), free_port()
    provider = OpenIdProvider(f"http://127.0.0.1:{port}/oauth2callback")
    secrets = home / "secrets.toml"
    lab = f'[lab]\nvisitors = ["@example.org"]\npassphrases = {{ class = "{hashed_passphrase(PASSPHRASE)}" }}\n'
    secrets.write_text(provider.secrets_toml + lab)
    command = (*COMMAND, "--server.address=127.0.0.1", f"--secrets.files={secrets}")
    with running_app(home, command, port=port, output=home / "app.log") as address:
        yield address, provider, home
    provider.close()


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Iterator[None]:
    """The first page of a server imports for seconds, and other tests may keep the machine busy."""
    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


class Forwarding(socketserver.ThreadingTCPServer):
    """A proxy on loopback that says of every connection that it comes from an address."""

    daemon_threads = True

    def __init__(self, port: int, address: str) -> None:
        self.port, self.address = port, address
        super().__init__(("127.0.0.1", 0), _Forwarded)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *raised: object) -> None:
        self.shutdown()
        self.server_close()


class _Forwarded(socketserver.StreamRequestHandler):
    server: Forwarding

    def handle(self) -> None:
        """One request a connection, so that each has the header; a WebSocket goes on in both directions."""
        lines = list(iter(self.rfile.readline, b"\r\n"))
        upgraded = any(line.lower().startswith(b"upgrade:") for line in lines)
        if not upgraded:
            lines = [line for line in lines if not line.lower().startswith(b"connection:")] + [b"Connection: close\r\n"]
        with socket.create_connection(("127.0.0.1", self.server.port)) as there, suppress(OSError):
            there.sendall(b"".join(lines) + f"X-Forwarded-For: {self.server.address}\r\n\r\n".encode())
            threading.Thread(target=self._send_on, args=(there,), daemon=True).start()
            while data := there.recv(65536):
                self.connection.sendall(data)
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send_on(self, there: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while data := self.rfile.read1(65536):
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)


def sign_in(page: Page, address: str, person: str) -> None:
    page.goto(f"{address}/Train")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=f"I am {person}").click()


def known(page: Page, person: str) -> Locator:
    """The side bar's word for somebody; a sign without a shape keeps it from becoming a link."""
    return page.get_by_text(re.compile(f"{person}.?@example.org"))


def test_a_provider_signs_in_and_a_page_opened_later_knows_it(browser: Browser, with_login: Served) -> None:
    address, *_ = with_login
    context = browser.new_context()
    page = context.new_page()
    for path in ("", "/Certify", "/Trade-offs", "/Vision_APIs", "/Train"):
        page.goto(f"{address}{path}")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        settled(page)
        assert page.locator("[data-testid=stPlotlyChart]").count() == 0
    sign_in(page, address, "ada")
    expect(page.get_by_role("heading", name=HEADING)).to_be_visible()
    expect(known(page, "ada")).to_be_visible()
    page.goto(f"{address}/Learn")
    expect(known(page, "ada")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(address)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_sign_in(browser: Browser, with_login: Served, axe: AxeReport, shots: Path, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(with_login[0])
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    settled(page)
    page.screenshot(path=shots / f"login-phone-{scheme}.png")
    assert axe.look(page, f"Login, phone, {scheme}") == []
    page.get_by_label("Passphrase").press_sequentially(PASSPHRASE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=HEADING)).to_be_visible()
    context.close()


def test_whoever_is_not_on_the_list_is_told_and_stays_outside(browser: Browser, with_login: Served) -> None:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, with_login[0], "eve")
    expect(page.get_by_text("not among this Lab's visitors")).to_be_visible()
    assert page.get_by_role("heading", name=HEADING).count() == 0
    context.close()


def test_a_token_signed_by_somebody_else_opens_nothing(browser: Browser, with_login: Served) -> None:
    address, provider, _ = with_login
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


def test_what_one_visitor_keeps_another_does_not_see(browser: Browser, with_login: Served) -> None:
    address, provider, home = with_login
    store = RunStore(f"sqlite:///{home / 'runs.sqlite'}")
    store.used_by(visitor_named("ada", "", "oidc", provider.url, "subject-of-ada")).take("made by Ada", {}, [image(0)])
    store.close()
    for person, sees in (("ada", 1), ("bob", 0)):
        context = browser.new_context()
        page = context.new_page()
        sign_in(page, address, person)
        expect(known(page, person)).to_be_visible()
        page.goto(f"{address}/Trade-offs?view=runs")
        expect(page.get_by_text("Bring logs into the store")).to_be_visible()
        settled(page)
        assert page.get_by_role("heading", name="made by Ada").count() == sees
        context.close()


def test_behind_a_proxy_each_address_has_its_own_tries(browser: Browser, with_login: Served) -> None:
    """A wrong passphrase said over and over from one address keeps that one out, and nobody else."""
    port = urlsplit(with_login[0]).port
    assert port is not None
    with Forwarding(port, "203.0.113.9") as theirs, Forwarding(port, "203.0.113.10") as ours:
        page = browser.new_context().new_page()
        page.goto(theirs.url)
        kept_out = page.get_by_text("Too many wrong passphrases")
        for number in range(3 * TRIES):  # a click that a busy machine's page missed as it was drawn anew is no try
            page.get_by_label("Passphrase").fill(f"a guess with the number {number}")
            page.get_by_role("button", name="Enter").click()
            settled(page)
            expect(page.get_by_text("This is not the passphrase.").or_(kept_out)).to_be_visible()
            if kept_out.is_visible():
                break
        assert number >= TRIES
        page.get_by_label("Passphrase").fill(PASSPHRASE)
        page.get_by_role("button", name="Enter").click()
        settled(page)
        expect(kept_out).to_be_visible()
        page.goto(ours.url)
        page.get_by_label("Passphrase").fill(PASSPHRASE)
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_role("heading", name=HEADING)).to_be_visible()
        page.context.close()


def test_a_passphrase_opens_one_tab(page: Page, with_login: Served) -> None:
    address, *_ = with_login
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
