"""The Certify page, driven without a browser."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.folders import ASSETS
from core.models.formats.packaged import Packaged
from core.models.references import BUNDLED_FOLDER
from core.plain_text import plain

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes-stab").exists(), reason="the bundled shapes models are not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def page(**query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for name, value in ({"classifier": "bundled/shapes", "n": "200"} | query).items():
        at.query_params[name] = value
    return at.switch_page("pages/1_Certify.py").run()


def finish(at: AppTest, timeout: float = 60) -> AppTest:
    """Rerun, as the browser's polling does, until the result is drawn."""
    deadline = time.monotonic() + timeout
    while not any(s.value == "Take it with you" for s in at.subheader):
        assert time.monotonic() < deadline, "no result within the time"
        assert not at.error, [e.value for e in at.error]
        time.sleep(0.1)
        at.run()
    return at


def metrics(at: AppTest) -> dict[str, str]:
    return {m.label: m.value for m in at.metric}


def png(seed: int, side: int = 40) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)).save(data, "PNG")
    return data.getvalue()


def test_a_certified_class_that_is_not_the_clean_pictures_is_told() -> None:
    if not (ASSETS / "certificates" / "chelsea.json").exists():
        pytest.skip("the stored certificates are not there")
    at = finish(page(picture="chelsea", classifier="bundled/cifar10", n="1000"))
    assert any("alone calls the clean picture cat" in warning.value for warning in at.warning)
    at = finish(page(picture="frog", classifier="bundled/cifar10", n="1000"))
    assert not any("clean picture" in warning.value for warning in at.warning)


def test_a_sample_is_certified_without_a_click() -> None:
    at = finish(page())
    assert not at.exception
    shown = metrics(at)
    assert float(shown["Certified radius (l2)"]) > 0
    assert any("For every picture within l2 distance" in m.value for m in at.markdown)
    # Certificates always stand beside their four caveats.
    assert any("Robust is not the same as right" in m.value for m in at.markdown)


def test_sigma_changes_the_certificate_and_going_back_is_instant() -> None:
    at = finish(page())
    first = metrics(at)
    at.slider(key="sigma").set_value(0.5)
    at.run()
    second = metrics(finish(at))
    assert second != first
    at.slider(key="sigma").set_value(0.25)
    at.run()
    assert metrics(at) == first, "a finished result must come back without another run"


def test_link_restores_the_numbers_and_bad_values_fall_back() -> None:
    at = page(sigma="0.4", seed="5", alpha="0.01", compare="false")
    assert at.slider(key="sigma").value == 0.4
    assert at.number_input(key="seed").value == 5
    at = page(sigma="nan", seed="-1", alpha="7", bound="magic")
    assert not at.exception
    assert at.slider(key="sigma").value == 0.25
    assert at.number_input(key="seed").value is None


def test_a_seed_is_drawn_for_each_question_but_for_the_stored_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(range(100, 200))
    monkeypatch.setattr("core.smoothing.settings.SYSTEM", SimpleNamespace(getrandbits=lambda bits: next(drawn)))
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page("pages/1_Certify.py").run()
    assert any("comes with the Lab" in c.value for c in at.caption)
    assert "seed" not in at.query_params
    at.number_input(key="n").set_value(120)
    at = finish(at.run())
    first = at.query_params["seed"]
    assert 100 <= int(first) < 200
    at.slider(key="sigma").set_value(0.3)
    at = finish(at.run())
    assert at.query_params["seed"] != first
    at.slider(key="sigma").set_value(0.25)
    assert at.run().query_params["seed"] == first, "what was asked before is found again"
    followed = page(n="120", seed=first)
    assert followed.number_input(key="seed").value == int(first)
    assert finish(followed).query_params["seed"] == first


def test_several_uploads_make_a_table_and_bad_ones_a_sentence() -> None:
    at = page(compare="false")
    at.file_uploader(key="uploads").set_value(
        [("one.png", png(1), "image/png"), ("two.png", png(2), "image/png"), ("bad.png", b"no picture", "image/png")]
    )
    at.run()
    deadline = time.monotonic() + 60
    while not (at.dataframe and set(at.dataframe[0].value["state"]) == {"done"}):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        at.run()
    assert [e.value for e in at.error] == [plain("bad.png is a text file, not a picture: choose a PNG, JPEG or WebP picture.")]
    assert list(at.dataframe[0].value["picture"]) == ["one.png", "two.png"]


def test_uploads_of_more_pixels_than_a_page_holds_are_left_out_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.ui.pictures.MOST_PIXELS", 2 * 40 * 40)
    at = page(auto="false")
    at.file_uploader(key="uploads").set_value([(f"{name}.png", png(name), "image/png") for name in range(4)])
    at.run()
    said = "is left out: with it the pictures have over 0 million pixels together."
    assert [e.value for e in at.error] == [plain(f"{name}.png {said}") for name in (2, 3)]


def test_an_upload_goes_to_the_pair_of_its_size_until_another_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Packaged, "weights", lambda self: BUNDLED_FOLDER)
    photographs = "package/efficientnet-lite0"

    def upload(*sides: int) -> str:
        at.file_uploader(key="uploads").set_value([(f"{side}.png", png(1, side), "image/png") for side in sides])
        at.run()
        return at.selectbox(key="classifier").value

    at = page(classifier="bundled/cifar10", auto="false")
    assert upload(32) == "bundled/cifar10"
    assert upload(200) == photographs
    assert at.query_params["classifier"] == photographs
    assert upload() == "bundled/cifar10"
    assert upload(200, 32) == photographs
    at.selectbox(key="classifier").set_value("bundled/shapes").run()
    assert upload(32) == "bundled/shapes"
    assert upload(200) == "bundled/shapes"
    linked = page(classifier="bundled/shapes", auto="false")
    linked.file_uploader(key="uploads").set_value([("large.png", png(1, 200), "image/png")])
    assert linked.run().selectbox(key="classifier").value == "bundled/shapes"


def test_where_the_package_is_missing_a_large_upload_stays_with_the_usual_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Packaged, "weights", lambda self: None)
    at = page(classifier="bundled/cifar10", auto="false")
    at.file_uploader(key="uploads").set_value([("large.png", png(1, 200), "image/png")])
    assert at.run().selectbox(key="classifier").value == "bundled/cifar10"


def test_without_automatic_computing_a_click_starts_it() -> None:
    at = page(auto="false", seed="11")
    (start,) = [b for b in at.button if b.label == "Start"]
    assert not at.metric
    start.click()
    at.run()
    finish(at)
