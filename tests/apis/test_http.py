"""Endpoints described in TOML."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.apis.http import HttpEndpoint, described_endpoints, parse_endpoint, read_endpoint
from core.apis.provider import encode
from core.apis.providers import describe_provider, load_provider
from core.errors import LabError
from core.visitor import visitor_named
from tests.apis.conftest import Vendors


@pytest.mark.parametrize(
    "send",
    [
        '[send]\nhow = "body"',
        '[send]\nhow = "multipart"\nfield = "file"',
        '[send]\nhow = "json-base64"\nfield = "instances.b64"\n[send.json]\nversion = 2',
    ],
)
def test_each_way_of_sending_carries_the_picture(vendors: Vendors, picture: Image.Image, send: str) -> None:
    endpoint = parse_endpoint(f'url = "{vendors.url}/x"\n{send}\n', "test")
    provider = HttpEndpoint("api/http/test", endpoint, {})
    assert [label.name for label in provider.ask(encode(picture, provider.limits))] == ["Day", "Night"]
    assert np.array_equal(np.asarray(vendors.pictures[0]), np.asarray(picture))


def test_labels_without_scores_keep_their_order(vendors: Vendors, picture: Image.Image) -> None:
    endpoint = parse_endpoint(f'url = "{vendors.url}"\n[answer]\nlabels = "predictions[*].label"', "test")
    provider = HttpEndpoint("api/http/test", endpoint, {})
    assert [label.name for label in provider.ask(encode(picture, provider.limits))] == ["Day", "Night"]


def test_headers_are_filled_from_secrets(vendors: Vendors, picture: Image.Image) -> None:
    endpoint = parse_endpoint(f'url = "{vendors.url}"\n[send.headers]\nX-Key = "a ${{TOKEN}}"', "test")
    provider = HttpEndpoint("api/http/test", endpoint, {"TOKEN": "s3cret"})
    provider.ask(encode(picture, provider.limits))
    assert vendors.headers_seen[0]["X-Key"] == "a s3cret"
    with pytest.raises(LabError, match=r"\$\{TOKEN\}"):
        HttpEndpoint("api/http/test", endpoint, {})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("url = 3", "no usable url"),
        ('url = "file:///etc/passwd"', "no usable url"),
        ('url = "https://x"\nprise = 1', "unknown key 'prise'"),
        ('url = "https://x"\nprice = "1"', "price that is no number"),
        ('url = "https://x"\nrate = 0', "rate 0"),
        ('url = "https://x"\nsend = 1', "no table"),
        ('url = "https://x"\n[send]\nhow = "post"', "choose one of"),
        ('url = "https://x"\n[answer]\nlabels = "a["', "no JMESPath"),
        (f'url = "https://x"\n[answer]\nlabels = "a[{"9" * 5_000}]"', "no JMESPath"),
        (f'url = "https://x"\n[answer]\nlabels = "{"(" * 5_000}"', "no JMESPath"),
        ('url = "http://[::1"', "no usable url"),
        ('url = "http://host:port/x"', "no usable url"),
        (f'url = "http://{"a" * 300}"', "no usable url"),
        ("url =", "no TOML"),
        (f"price = {'9' * 5_000}", "no TOML"),
        (f'url = "https://x"\n{"key" * 9_000} = 1', "unknown key 'keykey.*…"),
    ],
)
def test_mistakes_are_told_in_one_sentence(text: str, word: str) -> None:
    with pytest.raises(LabError, match=word) as caught:
        parse_endpoint(text, "test")
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be read"):
        read_endpoint(tmp_path / "none.toml")


@pytest.mark.parametrize("reference", ["api/", "api/nobody", "api/http", "api/google/x", "bundled/cifar10"])
def test_unknown_providers_are_told(reference: str) -> None:
    for make in (load_provider, describe_provider):
        with pytest.raises(LabError, match="Unknown API"):
            make(reference)


def test_price_and_rate_can_be_put_right() -> None:
    assert describe_provider("api/google").limits.price == 0.0015
    assert describe_provider("api/google", price=0.002, rate=1).limits.price == 0.002
    with pytest.raises(LabError, match="price -1"):
        describe_provider("api/aws", price=-1)


def test_an_endpoint_may_be_open_to_some_visitors_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    (tmp_path / "endpoints").mkdir()
    lines = {
        "all": "",
        "school": 'visitors = ["@school.example", "passphrase:class"]',
        "none": "visitors = []",
        "odd": "visitors = 1",
    }
    for name, line in lines.items():
        (tmp_path / "endpoints" / f"{name}.toml").write_text(f'url = "http://127.0.0.1:9/"\n{line}\n')
    ada, eve, room = (
        visitor_named("x", address, "test", address) for address in ("ada@school.example", "", "passphrase:class")
    )
    assert set(described_endpoints()) == set(lines)
    assert set(described_endpoints(ada)) == set(described_endpoints(room)) == {"all", "school"}
    assert set(described_endpoints(eve)) == {"all"}
    with pytest.raises(LabError, match="visitors that are no list"):
        describe_provider(described_endpoints()["odd"])
