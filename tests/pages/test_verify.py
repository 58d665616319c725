"""The place on the Certify page where a certificate is checked, driven without a browser."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.data.samples import sample_picture
from core.models.load import load_classifier, load_denoiser
from core.models.references import BUNDLED_FOLDER
from core.report.export import to_json
from core.smoothing.certificate import Certificate, ModelRecord
from core.smoothing.certify import certify
from core.smoothing.document import MAX_DOCUMENT_BYTES
from core.verification.resampling import usual_fresh_n

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes-stab").exists(), reason="the bundled shapes models are not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    """Of a bundled sample by bundled models."""
    models = load_classifier("bundled/shapes"), load_denoiser("bundled/shapes-stab")
    return certify(sample_picture("shape-star").image, *models, sigma=0.45, n0=20, n=200, seed=3, method="anytime")


def png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def page(document: str | bytes, picture: Image.Image | None = None) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for name, value in {"classifier": "bundled/shapes", "n": "100", "auto": "false", "seed": "17"}.items():
        at.query_params[name] = value
    at.switch_page("pages/1_Certify.py").run()
    data = document if isinstance(document, bytes) else document.encode()
    at.file_uploader(key="verify-document").set_value(("c.json", data, "application/json"))
    if picture is not None:
        at.file_uploader(key="verify-picture").set_value(("star.png", png(picture), "image/png"))
    at.run()
    assert not at.exception
    return at


def checks(at: AppTest) -> dict[str, str]:
    (table,) = [frame.value for frame in at.dataframe if "checked" in frame.value]
    return dict(zip(table["checked"], table["result"], strict=True))


def outcome(at: AppTest, words: str, timeout: float = 90) -> str:
    """Rerun, as the browser's polling does, until a box says so."""
    deadline = time.monotonic() + timeout
    while True:
        for box in (*at.info, *at.warning):
            if words in box.value:
                return str(box.value)
        assert time.monotonic() < deadline, [box.value for box in (*at.info, *at.warning, *at.error)]
        time.sleep(0.2)
        at.run()


def number(at: AppTest, label: str) -> Any:
    (field,) = [field for field in at.number_input if field.label == label]
    return field


def press(at: AppTest, label: str) -> None:
    next(button for button in at.button if button.label == label).click()
    at.run()


def test_arithmetic_and_models_at_once_and_sampling_on_request(certificate: Certificate) -> None:
    at = page(to_json(certificate), sample_picture("shape-star").image)
    found = checks(at)
    assert found.pop("as stated") == "– not checked"
    assert set(found.values()) == {"✓ same"}
    assert {"radius", "picture", "classifier.weights", "denoiser.weights", "labels"} <= found.keys()
    press(at, "Sample again with its seed")
    assert "vote for vote" in outcome(at, "counts, same seed: same")
    samples = number(at, "Fresh samples")
    assert samples.value == usual_fresh_n(certificate) > certificate.n
    samples.set_value(400)
    assert number(at, "Fresh seed").value == 0, "drawn from the system, which the tests hold at 0"
    press(at, "Sample with a fresh seed")
    assert "consistent" in outcome(at, "counts, fresh seed: same")
    radius = outcome(at, "radius, fresh seed: same")
    assert "The 400 fresh votes by themselves certify l2 radius" in radius
    assert not at.error
    number(at, "Fresh seed").set_value(certificate.seed)
    press(at, "Sample with a fresh seed")
    assert any("is not fresh" in error.value for error in at.error)


def test_a_forged_one_is_caught(certificate: Certificate) -> None:
    altered = to_json(dataclasses.replace(certificate, radius=1.0))
    at = page(altered)
    assert any("1 of" in w.value and "radius" in w.value for w in at.warning)
    assert checks(at)["radius"] == "✗ differs"
    assert checks(at)["picture"] == "– not checked"
    assert not [b for b in at.button if b.label == "Sample again with its seed"], "there is no picture to sample"
    at = page(to_json(dataclasses.replace(certificate, seed=4)), sample_picture("shape-star").image)
    press(at, "Sample again with its seed")
    assert "where none should" in outcome(at, "counts, same seed: differs")


def test_another_picture_is_not_sampled(certificate: Certificate) -> None:
    at = page(to_json(certificate), sample_picture("shape-ring").image)
    assert checks(at)["picture"] == "✗ differs"
    assert not [b for b in at.button if b.label == "Sample again with its seed"]


def test_a_strangers_paths_are_not_followed(certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    touched: list[Path] = []
    read = Path.read_text

    def reading(self: Path, *args: Any, **options: Any) -> str:
        touched.append(self)
        return read(self, *args, **options)

    monkeypatch.setattr(Path, "read_text", reading)
    stranger = dataclasses.replace(certificate, classifier=ModelRecord(f"local/{tmp_path}", None))
    at = page(to_json(stranger), sample_picture("shape-star").image)
    assert checks(at)["models"] == "– not checked"
    assert not [b for b in at.button if b.label == "Sample again with its seed"]
    assert any("menus" in caption.value for caption in at.caption)
    assert not [path for path in touched if tmp_path in path.parents]


def test_a_strangers_words_are_no_markdown(certificate: Certificate) -> None:
    sign = "![spy](http://127.0.0.1:9/pixel.png)"
    at = page(to_json(dataclasses.replace(certificate, classifier=ModelRecord(sign, None))), sample_picture("shape-star").image)
    assert any("spy" in caption.value for caption in at.caption)
    at = page(to_json(certificate).replace("gaussian", sign))
    assert any("spy" in error.value for error in at.error)
    elsewhere = dataclasses.replace(certificate, versions=certificate.versions | {"numpy": sign}, seed=4)
    at = page(to_json(elsewhere), sample_picture("shape-star").image)
    press(at, "Sample again with its seed")
    assert "spy" in outcome(at, "counts, same seed: same")
    for box in (*at.caption, *at.error, *at.info, *at.warning, *at.markdown):
        assert "![" not in box.value
        assert not re.search(r"(?<!\\)\]\(", box.value)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"no json", "cut short or damaged"),
        (b"{}", "'schema' is missing"),
        (b"\x89PNG\xff", "no text"),
        (json.dumps({"schema": "denoised-smoothing-lab/certificate/9"}).encode(), "version '9'"),
        (b" " * (MAX_DOCUMENT_BYTES + 1), "more than 4 MB"),
    ],
    ids=["text", "empty", "picture", "version", "large"],
)
def test_what_is_no_certificate_is_told_in_a_sentence(document: bytes, words: str) -> None:
    at = page(document)
    (error,) = at.error
    assert words in error.value
    assert "\n" not in error.value


def test_a_sampling_can_be_stopped(certificate: Certificate) -> None:
    long = dataclasses.replace(certificate, n=50_000, n_planned=50_000, counts=(0, 0, 0, 50_000, *[0] * 6))
    at = page(to_json(long), sample_picture("shape-star").image)
    press(at, "Sample again with its seed")
    press(at, "Stop")
    assert "stopped after" in outcome(at, "counts, same seed: not checked")


def test_the_report_is_offered_beside_the_document() -> None:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    at.query_params["classifier"] = "bundled/shapes"
    at.switch_page("pages/1_Certify.py").run()
    deadline = time.monotonic() + 60
    while not any(s.value == "Take it with you" for s in at.subheader):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        at.run()
    labels = [button.label for button in at.get("download_button") if "nteractive HTML" not in button.label]  # of figures
    assert labels[:2] == ["Report (HTML)", "JSON"]
