"""A provider of OpenID Connect on loopback, for tests and to try the login: it asks who you are and believes it.

``python -m tests.openid_provider`` serves it for an app on port 8501 and prints what belongs into ``.streamlit/secrets.toml``.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import html
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "the-lab"
PEOPLE = {"ada": "ada@example.org", "bob": "bob@example.org", "eve": "eve@elsewhere.example"}


class OpenIdProvider(ThreadingHTTPServer):
    """The authorization code flow with PKCE: discovery, keys, login page, tokens.

    Attributes:
        claims: changes the claims of a token before it is signed.
        key: signs; another one than is published makes tokens that nobody may believe.
    """

    daemon_threads = True

    def __init__(self, redirect_uri: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.redirect_uri, self.client_secret = redirect_uri, secrets.token_urlsafe(16)
        self.published = self.key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "one"})
        self.claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.codes: dict[str, dict[str, str]] = {}
        self.refused: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def secrets_toml(self) -> str:
        """What the app's secrets say of it."""
        return f"""[auth]
redirect_uri = "{self.redirect_uri}"
cookie_secret = "{secrets.token_urlsafe(32)}"
client_id = "{CLIENT_ID}"
client_secret = "{self.client_secret}"
server_metadata_url = "{self.url}/.well-known/openid-configuration"
"""

    def close(self) -> None:
        """Serve no more."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: OpenIdProvider

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        """Discovery, keys, the login page, and what follows on it."""
        parts, url = urlsplit(self.path), self.server.url
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self._json(
                {
                    "issuer": url,
                    "authorization_endpoint": f"{url}/authorize",
                    "token_endpoint": f"{url}/token",
                    "jwks_uri": f"{url}/keys",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        elif parts.path == "/keys":
            self._json({"keys": [self.server.published.as_dict(private=False)]})
        elif parts.path == "/authorize" and self._may_ask(asked):
            names = "".join(
                f'<p><a href="/as?{html.escape(urlencode({**asked, "person": name}))}">I am {name}</a></p>' for name in PEOPLE
            )
            self._send(200, "text/html", f"<h1>Who are you?</h1>{names}".encode())
        elif parts.path == "/as" and asked.get("person") in PEOPLE and self._may_ask(asked):
            code = secrets.token_urlsafe(16)
            self.server.codes[code] = asked
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")
            self.end_headers()
        else:
            self._send(400, "text/plain", b"no such request")

    def do_POST(self) -> None:
        """A code for a token, once, and for the client that asked for it alone."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self.server.codes.pop(sent.get("code", ""), None)
        basic = self.headers.get("Authorization", "").removeprefix("Basic ")
        client = f"{CLIENT_ID}:{self.server.client_secret}".encode()
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        )
        wrong = [
            name
            for name, right in {
                "path": self.path == "/token",
                "code": asked is not None,
                "client": hmac.compare_digest(base64.b64decode(basic or ""), client),
                "verifier": asked is not None and challenge == asked.get("code_challenge"),
                "redirect_uri": sent.get("redirect_uri") == self.server.redirect_uri,
            }.items()
            if not right
        ]
        if wrong or asked is None:
            self.server.refused += wrong
            self._json({"error": "invalid_grant"}, 400)
            return
        person, now = asked["person"], int(time.time())
        claims = {
            "iss": self.server.url,
            "sub": f"subject-of-{person}",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce"),
            "name": person.title(),
            "email": PEOPLE[person],
            "email_verified": True,
        }
        token = jwt.encode({"alg": "RS256", "kid": "one"}, self.server.claims(claims), self.server.key)
        self._json({"access_token": secrets.token_urlsafe(8), "token_type": "Bearer", "expires_in": 300, "id_token": token})

    def _may_ask(self, asked: dict[str, str]) -> bool:
        return (
            asked.get("client_id") == CLIENT_ID
            and asked.get("redirect_uri") == self.server.redirect_uri
            and asked.get("response_type") == "code"
            and asked.get("code_challenge_method") == "S256"
        )

    def _json(self, document: dict[str, Any], status: int = 200) -> None:
        self._send(status, "application/json", json.dumps(document).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", default="http://localhost:8501", help="where the app is (%(default)s)")
    parser.add_argument("--port", type=int, default=8610)
    args = parser.parse_args()
    provider = OpenIdProvider(f"{args.app}/oauth2callback", args.port)
    print(provider.secrets_toml, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        provider.close()


if __name__ == "__main__":
    main()
