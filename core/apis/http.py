"""Any HTTP endpoint, described by a small TOML file: where it is, how a picture is sent, where labels and scores stand."""

import base64
import dataclasses
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.apis.provider import Answer, InDoubtError, Label, Limits, UnusableError, best_first, connection_failure, failure_of
from core.errors import LabError
from core.folders import home_folder
from core.visitor import OPERATOR, Visitor, is_admitted

WAYS = ("body", "multipart", "json-base64")
MAX_ANSWER_BYTES = 2 * 2**20


@dataclass(frozen=True)
class Endpoint:
    """A described endpoint.

    ``how``: ``body`` (the PNG is the body), ``multipart`` (a form with a file) or ``json-base64`` (in a field of a JSON body).
    ``labels`` and ``scores``: JMESPath expressions of two lists as long as each other; without ``scores`` the order counts.
    """

    url: str
    how: str = "body"
    place: str = "image"  # of the file or field; dots lead into nested objects
    headers: dict[str, str] = dataclasses.field(default_factory=dict)  # ``${NAME}`` stands for a secret
    body: dict[str, Any] = dataclasses.field(default_factory=dict)  # further fields of the JSON
    labels: str = "predictions[*].label"
    scores: str | None = "predictions[*].score"
    limits: Limits = dataclasses.field(default_factory=lambda: Limits(price=0.0, rate=20.0))
    model: str = "unknown"  # the version that a certificate names
    visitors: tuple[str, ...] | None = None  # who of a served app may spend on it; None: all


_TABLES = {
    "": {"url", "model", "price", "rate", "concurrency", "timeout", "visitors", "send", "answer", "picture"},
    "send": {"how", "field", "headers", "json"},
    "answer": {"labels", "scores"},
    "picture": {"min_side", "max_side", "max_bytes"},
}


def read_endpoint(path: Path) -> Endpoint:
    """Read the TOML description that docs/vision-apis.md explains. Raises LabError where a key or value is not usable."""
    try:
        return parse_endpoint(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise LabError(
            f"The endpoint {str(path)!r} cannot be read ({error.strerror}): api/http/PATH names a TOML file."
        ) from error
    except UnicodeDecodeError as error:
        raise LabError(f"The endpoint {str(path)!r} is no text file: api/http/PATH names a TOML file.") from error


def parse_endpoint(text: str, name: str) -> Endpoint:
    """As :func:`read_endpoint`, from the text itself."""
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists nested thousands deep
        raise LabError(f"The endpoint {name!r} is no TOML ({error}): write it as docs/vision-apis.md shows.") from error
    for table, known in _TABLES.items():
        part = raw if not table else raw.get(table, {})
        if not isinstance(part, dict):
            raise LabError(f"The endpoint {name!r} has a {table!r} that is no table: write [{table}].")
        odd = sorted(set(part) - known)
        if odd:
            raise LabError(f"The endpoint {name!r} has an unknown key {odd[0]!r}: expected {', '.join(sorted(known))}.")
    send, answer, picture = raw.get("send", {}), raw.get("answer", {}), raw.get("picture", {})
    url = raw.get("url")
    if not isinstance(url, str) or not _is_usable(url):
        raise LabError(f"The endpoint {name!r} has no usable url: expected url = 'https://...'.")
    how = send.get("how", "body")
    if how not in WAYS:
        raise LabError(f"The endpoint {name!r} has how = {how!r}: choose one of {', '.join(WAYS)}.")
    for key in ("labels", "scores"):
        _compile(answer.get(key, Endpoint.labels), f"{key} of {name!r}")
    given = {key: raw[key] for key in ("price", "rate", "concurrency", "timeout") if key in raw}
    numbers = {"price": 0.0, "rate": 20.0} | given | picture
    odd_numbers = [key for key, value in numbers.items() if isinstance(value, bool) or not isinstance(value, int | float)]
    if odd_numbers:
        raise LabError(f"The endpoint {name!r} has a {odd_numbers[0]} that is no number: write {odd_numbers[0]} = 1.")
    try:
        headers = {str(key): str(value) for key, value in send.get("headers", {}).items()}
        body = dict(send.get("json", {}))
    except (AttributeError, TypeError, ValueError) as error:
        raise LabError(f"The endpoint {name!r} has headers or json that are no tables: write [send.headers].") from error
    visitors = raw.get("visitors")
    if visitors is not None and not (isinstance(visitors, list) and all(isinstance(one, str) for one in visitors)):
        raise LabError(f"The endpoint {name!r} has visitors that are no list: write visitors = ['ada@example.org'].")
    return Endpoint(
        url,
        how=how,
        place=str(send.get("field", "image")),
        headers=headers,
        body=body,
        labels=answer.get("labels", Endpoint.labels),
        scores=answer.get("scores", None if "labels" in answer else Endpoint.scores),
        limits=Limits(**numbers),
        model=str(raw.get("model", "unknown")),
        visitors=None if visitors is None else tuple(visitors),
    )


def _is_usable(url: str) -> bool:
    """Whether an address is http or https and names a host, of the length that names of hosts may have, and a port if any."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and 0 < len(parts.hostname or "") < 254 and (parts.port or 1) > 0
    except ValueError:
        return False


def described_endpoints(visitor: Visitor = OPERATOR) -> dict[str, str]:
    """References ``api/http/PATH`` of the endpoints that a visitor may use, by the names of the files that describe them.

    They are the TOML files of ``endpoints`` in the Lab's own folder. Visitors cannot bring addresses of their own, since the
    machine that runs the Lab would send requests, and headers filled from its environment, wherever a stranger says.
    """
    folder = home_folder() / "endpoints"
    paths = sorted(folder.glob("*.toml")) if folder.is_dir() else []
    return {path.stem: f"api/http/{path}" for path in paths if visitor.operates or _is_open_to(path, visitor)}


def _is_open_to(path: Path, visitor: Visitor) -> bool:
    try:
        visitors = read_endpoint(path).visitors
    except LabError:
        return False  # the operator is told why
    return visitors is None or is_admitted(visitor.address, visitors)


def _compile(expression: object, what: str) -> Any:
    import jmespath

    try:
        return jmespath.compile(str(expression))
    except (jmespath.exceptions.JMESPathError, ValueError, RecursionError) as error:
        raise LabError(f"The {what} is no JMESPath expression: expected something like predictions[*].label.") from error


class HttpEndpoint:
    """``api/http/PATH``: an endpoint described in TOML."""

    def __init__(self, ref: str, endpoint: Endpoint, secrets: Mapping[str, str]) -> None:
        import requests

        self.ref, self.endpoint, self.limits, self.model = ref, endpoint, endpoint.limits, endpoint.model
        self.destination = urlsplit(endpoint.url).netloc.rpartition("@")[2]
        self._headers = {name: _filled(value, secrets) for name, value in endpoint.headers.items()}
        self._labels = _compile(endpoint.labels, "labels")
        self._scores = None if endpoint.scores is None else _compile(endpoint.scores, "scores")
        self._session = requests.Session()  # urllib3's pool is safe to share between threads
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=max(4, endpoint.limits.concurrency), max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def ask(self, png: bytes) -> Answer:
        """One POST request; redirects are not followed, since they would send the picture elsewhere."""
        import requests

        try:
            response = self._session.post(
                self.endpoint.url, timeout=(10, self.limits.timeout), allow_redirects=False, stream=True, **self._content(png)
            )
            with response:
                data = response.raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
        except requests.exceptions.RequestException as error:
            raise connection_failure(error) from error
        except Exception as error:  # urllib3's own, while the answer is read
            raise InDoubtError(f"The connection was cut before the API had answered ({type(error).__name__}).") from error
        if response.status_code != 200:
            raise failure_of(response.status_code, data[:500].decode("utf-8", "replace"), response.headers.get("Retry-After"))
        length = response.headers.get("Content-Length")
        if length and length.isdigit() and len(data) < int(length) and not response.headers.get("Content-Encoding"):
            raise InDoubtError("The connection was cut in the middle of the API's answer.")
        return self._read(data)

    def _content(self, png: bytes) -> dict[str, Any]:
        if self.endpoint.how == "body":
            return {"data": png, "headers": {"Content-Type": "image/png"} | self._headers}
        if self.endpoint.how == "multipart":
            return {"files": {self.endpoint.place: ("picture.png", png, "image/png")}, "headers": self._headers}
        body: dict[str, Any] = json.loads(json.dumps(self.endpoint.body, default=str))
        inner = body
        *parents, last = self.endpoint.place.split(".")
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = base64.b64encode(png).decode("ascii")
        return {"json": body, "headers": self._headers}

    def _read(self, data: bytes) -> Answer:
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise UnusableError("The API's answer is no JSON.") from error
        names = self._labels.search(document)
        if names is None or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UnusableError(f"The API's answer has no list of labels at {self.endpoint.labels!r}.")
        if self._scores is None:
            return tuple(Label(name, float(len(names) - place)) for place, name in enumerate(names))
        scores = self._scores.search(document)
        if not isinstance(scores, list) or len(scores) != len(names):
            raise UnusableError(f"The API's answer has no score for each label at {self.endpoint.scores!r}.")
        try:
            labels = [Label(name, float(score)) for name, score in zip(names, scores, strict=True)]
        except (TypeError, ValueError) as error:
            raise UnusableError("The API's answer has a score that is no number.") from error
        return best_first(labels)


def _filled(value: str, secrets: Mapping[str, str]) -> str:
    def one(match: re.Match[str]) -> str:
        name = match[1]
        if not secrets.get(name):
            raise LabError(f"The endpoint's headers need ${{{name}}}: set that environment variable.")
        return secrets[name]

    return re.sub(r"\$\{(\w+)\}", one, value)
