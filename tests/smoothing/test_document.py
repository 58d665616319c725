"""The document of a certificate: written, read back, described by its schema, refused where it is not one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from torch import Tensor, nn

from core.errors import LabError
from core.smoothing.certificate import CERTIFICATE_SCHEMA, Certificate
from core.smoothing.certify import certify
from core.smoothing.document import MAX_DOCUMENT_BYTES, MAX_SAMPLES, certificate_of, read_certificate, read_document
from core.smoothing.settings import MAX_N
from core.studies.records import STORED_FOLDER, parse_study

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "certificate.schema.json"
PICTURE = torch.full((3, 8, 8), 0.6)


class Brightness(nn.Module):
    """Class 0 where the mean is under one half, else class 1, by more or less."""

    labels = ("dark", "bright")

    def __init__(self, middle: float = 0.5) -> None:
        super().__init__()
        self.middle = middle

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([self.middle - mean, mean - self.middle], dim=1)


def made(kind: str) -> Certificate:
    numbers: dict[str, Any] = {"sigma": 0.5, "n": 300, "n0": 20, "device": "cpu"}
    match kind:
        case "certified":
            return certify(PICTURE, Brightness().eval(), **numbers)
        case "abstains":
            return certify(PICTURE, Brightness(0.6).eval(), **numbers, alpha=1e-6)
        case "anytime":
            return certify(PICTURE, Brightness().eval(), **numbers, method="anytime")
        case "stopped":
            asked: list[None] = []
            stop = {"should_stop": lambda: asked.append(None) or len(asked) > 4, "batch_size": 50}
            return certify(PICTURE, Brightness().eval(), **numbers | {"n": 5000}, **stop)
        case "stopped at once":
            return certify(PICTURE, Brightness().eval(), **numbers, batch_size=5, should_stop=lambda: True)
    raise AssertionError(kind)


KINDS = ("certified", "abstains", "anytime", "stopped", "stopped at once")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """A true one, as JSON gives it back."""
    return json.loads(json.dumps(made("certified").to_dict()))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """Of the published schema."""
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def refusal(data: object) -> str:
    with pytest.raises(LabError) as caught:
        read_certificate(data if isinstance(data, bytes) else json.dumps(data).encode(), "c.json")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_back_and_fits_the_schema(kind: str, validator: Draft202012Validator, tmp_path: Path) -> None:
    certificate = made(kind)
    assert (certificate.abstained, certificate.stopped) == (kind in ("abstains", "stopped at once"), "stopped" in kind)
    text = json.dumps(certificate.to_dict())
    validator.validate(json.loads(text))
    assert read_certificate(text.encode()) == certificate
    path = tmp_path / "c.json"
    path.write_text("\ufeff" + text, encoding="utf-8")  # as an editor on Windows may save it
    assert read_certificate(path) == certificate


def test_schema_and_certificate_have_the_same_keys(document: dict[str, Any], validator: Draft202012Validator) -> None:
    assert set(validator.schema["required"]) == {"schema", *KEYS}
    assert set(document) == {"schema", *KEYS, *LATER}
    assert set(validator.schema["properties"]) == {"schema", *KEYS, *LATER, "path", "api"}
    assert validator.schema["properties"]["schema"]["const"] == CERTIFICATE_SCHEMA
    assert MAX_SAMPLES == MAX_N


def test_what_the_command_line_puts_beside_it_is_ignored(document: dict[str, Any], validator: Draft202012Validator) -> None:
    beside = document | {"path": "cat.png", "api": {"spent": 1}}
    validator.validate(beside)
    assert read_certificate(json.dumps(beside).encode()) == read_certificate(json.dumps(document).encode())
    assert read_document(json.dumps(beside).encode())[1] == {"path": "cat.png", "api": {"spent": 1}}
    assert read_document(json.dumps(document).encode())[1] == {}


KEYS = (
    "prediction",
    "abstained",
    "counts",
    "n",
    "alpha",
    "sigma",
    "seed",
    "stopped",
    "image",
    "classifier",
    "denoiser",
    "labels",
    "device",
    "seconds",
    "samples_per_second",
    "versions",
    "candidate",
    "radius",
    "radius_ceiling",
    "p_lower",
    "n0",
    "n_planned",
    "norm",
    "noise",
    "method",
    "failure_probability",
)
LATER = {"sound", "two_sided", "runner_up", "p_upper", "radii", "until_radius", "settled", "within", "table_radii", "tries"}
LATER |= {"engine", "precision", "mixture", "lower_part", "method_planned"}
"""Keys that may be missing, since what their defaults say was so before they came."""


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(key: str, document: dict[str, Any], validator: Draft202012Validator) -> None:
    less = {name: value for name, value in document.items() if name != key}
    assert f"the key {key!r} is missing" in refusal(less)
    assert not validator.is_valid(less)


@pytest.mark.parametrize("key", [*KEYS, *sorted(LATER)])
@pytest.mark.parametrize("value", [[["x"]], {"x": {}}, -1, "\x00" * 2000, 10**400, True], ids=str)
def test_an_impossible_value_is_named(
    key: str, value: object, document: dict[str, Any], validator: Draft202012Validator
) -> None:
    if value is True and isinstance(document.get(key), bool):
        pytest.skip("a truth value may be true")
    if value == 10**400 and key == "seed":
        pytest.skip("any whole number is a seed")
    changed = document | {key: value}
    assert f"'{key}" in refusal(changed)
    if value != 10**400:  # the schema need not know how large a number a double holds
        assert not validator.is_valid(changed)


@pytest.mark.parametrize(
    ("key", "part", "value"),
    [
        ("image", "sha256", "A" * 64),
        ("image", "sha256", "a" * 63),
        ("image", "height", 0),
        ("image", "width", 10**9),
        ("image", "depth", 3),
        ("classifier", "ref", None),
        ("classifier", "weights", "none"),
        ("denoiser", "revision", 7),
        ("prediction", "index", "1"),
        ("prediction", "label", 3),
        ("versions", "torch", 2),
    ],
)
def test_an_impossible_part_is_named(
    key: str, part: str, value: object, document: dict[str, Any], validator: Draft202012Validator
) -> None:
    changed = copy.deepcopy(document)
    changed[key][part] = value
    assert f"'{key}" in refusal(changed)
    assert not validator.is_valid(changed)


def test_keys_that_came_later_may_be_missing(document: dict[str, Any], validator: Draft202012Validator) -> None:
    before = {key: value for key, value in document.items() if key not in LATER}
    validator.validate(before)
    read = read_certificate(json.dumps(before).encode())
    defaults = {name: validator.schema["properties"][name]["default"] for name in LATER}
    assert {name: getattr(read, name) for name in LATER} == defaults | {"table_radii": tuple(defaults["table_radii"])}


def test_a_picture_too_large_is_refused_before_anything_is_made_of_it(document: dict[str, Any]) -> None:
    assert "'image'" in refusal(document | {"image": document["image"] | {"height": 40_000, "width": 40_000}})


def test_unknown_and_repeated_keys_are_named(document: dict[str, Any], validator: Draft202012Validator) -> None:
    assert "'radios'" in refusal(document | {"radios": 1})
    assert not validator.is_valid(document | {"radios": 1})
    text = json.dumps(document)
    assert "the key 'radius' stands in it twice" in refusal((text[:-1] + ', "radius": 9}').encode())


def test_schema_of_another_version_or_of_nothing(document: dict[str, Any], validator: Draft202012Validator) -> None:
    words = refusal(document | {"schema": "denoised-smoothing-lab/certificate/2"})
    assert "version '2'" in words
    assert "reads version 1" in words
    assert not validator.is_valid(document | {"schema": "denoised-smoothing-lab/certificate/2"})
    assert "'schema' is missing" in refusal({key: value for key, value in document.items() if key != "schema"})
    assert "no certificate of the Lab" in refusal(document | {"schema": "other"})
    assert "no certificate of the Lab" in refusal(document | {"schema": ["denoised-smoothing-lab/certificate/1"] * 500})
    assert "list of 2 certificates" in refusal({"certificates": [document, document], "failed": []})


def test_wherever_it_is_cut_short_one_sentence_says_so(document: dict[str, Any]) -> None:
    data = json.dumps(document, indent=2).encode()
    for end in range(1, len(data) - 1, 37):
        assert "cut short or damaged" in refusal(data[:end])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut short"),
        (b"\xff\xfe\x00", "no text"),
        (b"[1, 2]", "JSON list"),
        (b"null", "JSON null"),
        (b"3", "JSON number"),
        (b"[" * 100_000, "no certificate holds"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no certificate holds"),
        (b'{"schema": NaN}', "NaN is no number"),
        (b" " * (MAX_DOCUMENT_BYTES + 1), "more than 4 MB"),
        (b"\x89PNG\r\n", "no text"),
    ],
    ids=["empty", "bytes", "list", "null", "number", "deep", "long number", "nan", "large", "picture"],
)
def test_what_is_no_document_is_told_in_a_sentence(data: bytes, words: str) -> None:
    assert words in refusal(data)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="There is no file"):
        read_certificate(tmp_path / "none.json")
    with pytest.raises(LabError, match="cannot be read"):
        read_certificate(tmp_path)


def test_stored_files_load(document: dict[str, Any]) -> None:
    for path in sorted(STORED_FOLDER.glob("*.json")):
        study, _ = parse_study(path.read_text())
        assert study.certificate.n == sum(study.certificate.counts)
    older = document | {"classifier": {"ref": "a", "revision": None}}
    assert certificate_of(older).classifier.weights is None
    with pytest.raises(LabError, match="'schema' is None"):
        certificate_of({key: older[key] for key in older if key != "schema"})
