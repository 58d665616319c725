"""Each vendor's official client against a server that speaks its wire format, faults included."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.apis.provider import InDoubtError, Limits, NotSentError, RefusedError, TurnedAwayError, UnusableError, encode
from core.apis.providers import VENDORS, load_provider
from core.errors import LabError
from tests.apis.conftest import ClarifaiServer, Fault

MODULES = {
    "google": "google.cloud.vision",
    "aws": "boto3",
    "azure": "azure.ai.vision.imageanalysis",
    "clarifai": "clarifai_grpc",
    "huggingface": "huggingface_hub",
}


@pytest.fixture(params=["google", "aws", "azure", "clarifai", "huggingface", "http"])
def vendor(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name in MODULES:
        pytest.importorskip(MODULES[name], reason="the client is not installed: pip install -r requirements-apis.txt")
    return name


@pytest.fixture
def serving(vendor: str, request: pytest.FixtureRequest) -> Any:
    """The vendor's server."""
    return request.getfixturevalue("clarifai_server" if vendor == "clarifai" else "vendors")


def secrets_for(vendor: str, where: str) -> dict[str, str]:
    """Credentials and the address of a server at ``where`` (host:port)."""
    return {
        "google": {"GOOGLE_API_KEY": "key-1", "GOOGLE_VISION_ENDPOINT": f"http://{where}"},
        "aws": {
            "AWS_ACCESS_KEY_ID": "id-1",
            "AWS_SECRET_ACCESS_KEY": "key-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_REKOGNITION": f"http://{where}",
        },
        "azure": {"VISION_ENDPOINT": f"http://{where}", "VISION_KEY": "key-1"},
        "clarifai": {"CLARIFAI_PAT": "key-1", "CLARIFAI_GRPC_BASE": where},
        "huggingface": {"HF_TOKEN": "hf_key1", "HF_INFERENCE_URL": f"http://{where}/hf"},
        "http": {"KEY": "key-1"},
    }[vendor]


@pytest.fixture
def make(vendor: str, serving: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes the provider, pointed at the server or at another address, with a short timeout."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def maker(where: str | None = None) -> Any:
        place = where or (serving.address if isinstance(serving, ClarifaiServer) else serving.url.removeprefix("http://"))
        reference = f"api/{vendor}"
        if vendor == "http":
            described = tmp_path / "endpoint.toml"
            described.write_text(
                f'url = "http://{place}/classify"\ntimeout = 1.0\n[send.headers]\nAuthorization = "Bearer ${{KEY}}"\n'
            )
            reference = f"api/http/{described}"
            return load_provider(reference, secrets=secrets_for(vendor, place))
        module, name = VENDORS[vendor].module, VENDORS[vendor].name
        limits = replace(VENDORS[vendor].limits, timeout=1.0)
        monkeypatch.setattr(f"{module}.LIMITS", limits)
        assert name
        return load_provider(reference, secrets=secrets_for(vendor, place))

    return maker


def ask(provider: Any, picture: Image.Image) -> Any:
    return provider.ask(encode(picture, provider.limits))


def test_an_answer_is_read_and_the_picture_arrives_unchanged(make: Any, serving: Any, picture: Image.Image) -> None:
    answer = ask(make(), picture)
    assert [label.name for label in answer] == ["Day", "Night"]
    assert answer[0].score > answer[1].score
    assert np.array_equal(np.asarray(serving.pictures[0]), np.asarray(picture))


def test_an_answer_without_labels_is_an_empty_one(make: Any, serving: Any, picture: Image.Image) -> None:
    serving.label = lambda picture: []
    assert ask(make(), picture) == ()


def test_labels_are_put_in_the_order_of_their_scores(make: Any, serving: Any, picture: Image.Image) -> None:
    serving.label = lambda picture: [("low", 0.2), ("high", 0.7), ("middle", 0.5)]
    assert [label.name for label in ask(make(), picture)] == ["high", "middle", "low"]


def test_credentials_travel_in_the_header_alone(make: Any, serving: Any, vendor: str, picture: Image.Image) -> None:
    provider = make()
    ask(provider, picture)
    seen = serving.metadata[0] if isinstance(serving, ClarifaiServer) else serving.headers_seen[0]
    assert any("key-1" in value or "hf_key1" in value or "id-1" in value for value in seen.values())
    assert "key-1" not in repr(provider) + repr(vars(provider).get("limits"))


BUSY = {"aws": Fault(400, code="ThrottlingException"), "clarifai": Fault(code="11005")}
DENIED = {"aws": Fault(400, code="ExpiredTokenException"), "clarifai": Fault(code="11001")}
BROKEN = {"aws": Fault(500, code="InternalServerError"), "clarifai": Fault(code="99009")}


def test_429_is_turned_away_and_sent_once(make: Any, serving: Any, vendor: str, picture: Image.Image) -> None:
    serving.faults.append(BUSY.get(vendor, Fault(429)))
    with pytest.raises(TurnedAwayError) as caught:
        ask(make(), picture)
    assert caught.value.retry_after is None
    assert len(serving.received) == 1, "the client tried again by itself"


def test_429_with_retry_after_says_how_long(make: Any, serving: Any, vendor: str, picture: Image.Image) -> None:
    if vendor == "clarifai":
        pytest.skip("gRPC has no Retry-After")
    fault = BUSY.get(vendor, Fault(429))
    serving.faults.append(replace(fault, headers={"Retry-After": "7"}))
    with pytest.raises(TurnedAwayError) as caught:
        ask(make(), picture)
    assert caught.value.retry_after == 7


def test_a_fault_of_the_api_is_turned_away_and_sent_once(make: Any, serving: Any, vendor: str, picture: Image.Image) -> None:
    serving.faults.append(BROKEN.get(vendor, Fault(500)))
    with pytest.raises(TurnedAwayError):
        ask(make(), picture)
    assert len(serving.received) == 1, "the client tried again by itself"


def test_expired_credentials_are_refused_in_a_sentence_without_them(
    make: Any, serving: Any, vendor: str, picture: Image.Image
) -> None:
    serving.faults.extend([DENIED.get(vendor, Fault(401))] * 3)  # Google's client tries new tokens first
    with pytest.raises(RefusedError, match="credentials") as caught:
        ask(make(), picture)
    assert "key-1" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_timeout_is_in_doubt(make: Any, serving: Any, picture: Image.Image) -> None:
    serving.faults.append(Fault(hang=2.5))
    with pytest.raises(InDoubtError):
        ask(make(), picture)
    assert len(serving.received) == 1, "the client tried again by itself"


def test_a_cut_connection_is_in_doubt(make: Any, serving: Any, picture: Image.Image) -> None:
    serving.faults.append(Fault(cut=True))
    with pytest.raises(InDoubtError):
        ask(make(), picture)
    assert len(serving.received) == 1, "the client tried again by itself"


def test_a_connection_cut_in_the_middle_of_the_answer_is_never_an_answer(
    make: Any, serving: Any, vendor: str, picture: Image.Image
) -> None:
    if vendor == "clarifai":
        pytest.skip("gRPC frames its messages")
    serving.faults.append(Fault(half=True))
    with pytest.raises((InDoubtError, UnusableError)):
        ask(make(), picture)


@pytest.mark.parametrize(
    "garbage", [b"<html>no</html>", b"{}", b'{"predictions": 3, "Labels": 3, "responses": [{"labelAnnotations": 3}]}']
)
def test_a_malformed_answer_is_unusable(make: Any, serving: Any, picture: Image.Image, garbage: bytes) -> None:
    serving.faults.append(Fault(garbage=garbage))
    with pytest.raises(UnusableError) as caught:
        ask(make(), picture)
    assert "\n" not in str(caught.value)


def test_an_api_that_is_not_there_is_not_sent(make: Any, vendor: str, picture: Image.Image) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NotSentError):
        ask(make(where), picture)


@pytest.mark.parametrize("name", ["azure", "clarifai", "huggingface"])
def test_missing_credentials_are_told(name: str) -> None:
    pytest.importorskip(MODULES[name], reason="the client is not installed")
    with pytest.raises(LabError, match="There are no credentials"):
        load_provider(f"api/{name}", secrets={})


def test_missing_google_credentials_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    pytest.importorskip("google.cloud.vision", reason="the client is not installed")
    for name, value in (("HOME", str(tmp_path)), ("NO_GCE_CHECK", "true"), ("CLOUDSDK_CONFIG", str(tmp_path))):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(LabError, match="There are no credentials"):
        load_provider("api/google", secrets={})


@pytest.mark.parametrize(
    ("secrets", "sentence"),
    [
        ({}, "There are no credentials"),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "No region"),
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_DEFAULT_REGION": "eu-west-1"}, "incomplete"),
    ],
)
def test_missing_aws_settings_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, secrets: dict[str, str], sentence: str
) -> None:
    pytest.importorskip("boto3", reason="the client is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(LabError, match=sentence):
        load_provider("api/aws", secrets=secrets)


def test_rekognition_against_moto(picture: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    moto_server = pytest.importorskip("moto.server", reason="moto is not installed: pip install -r requirements-dev.txt")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        provider = load_provider("api/aws", secrets=secrets_for("aws", f"{host}:{port}"))
        answer = ask(provider, picture)
    finally:
        server.stop()
    assert answer[0].name == "Mobile Phone"  # what moto always sees
    assert provider.model == "detect-labels/3.0"


def test_too_small_pictures_are_enlarged_by_whole_pixels() -> None:
    small = Image.fromarray(np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3))
    import io

    sent = Image.open(io.BytesIO(encode(small, Limits(price=0, rate=1, min_side=80))))
    assert sent.size == (96, 96)
    assert np.array_equal(np.asarray(sent)[1::3, 1::3], np.asarray(small))


@pytest.mark.parametrize(("limits", "word"), [({"max_side": 31}, "side"), ({"max_bytes": 100}, "MB")])
def test_too_large_pictures_are_told(limits: dict[str, int], word: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    with pytest.raises(LabError, match=word):
        encode(noise, Limits(price=0, rate=1, **limits))
