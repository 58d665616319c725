"""The Train page, driven without a browser through the real queue, with a few seconds of training."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.data.shapes import SHAPES_LABELS as SHAPES
from core.data.shapes import make_shapes
from core.models.load import load_denoiser
from core.models.references import BUNDLED_FOLDER
from core.training.trained import trained_models

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes").exists(), reason="the bundled classifier is not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"train-minutes": "0.1", "train-checked": "2", "train-n": "20", "train-batch": "16"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.setattr("core.training.pictures.SHAPES_AT_FIRST", 200)
    monkeypatch.setattr("core.data.datasets.SHAPES_SIZES", {"train": 200, "test": 100})
    return tmp_path


def page(path: str = "pages/6_Train.py", **query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page(path)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def press(at: AppTest, label: str) -> AppTest:
    return next(b for b in at.button if b.label == label).click().run()


def until(at: AppTest, there: Callable[[AppTest], bool], timeout: float = 120) -> AppTest:
    deadline = time.monotonic() + timeout
    while not there(at):
        assert time.monotonic() < deadline, "no result within the time"
        assert not at.exception, [e.value for e in at.exception]
        time.sleep(0.2)
        at.run()
    return at


def kept(at: AppTest) -> bool:
    return any("Kept as" in s.value for s in at.success)


def test_nothing_is_trained_before_it_is_asked_for() -> None:
    at = page()
    assert not at.exception
    assert not at.metric
    assert [b.label for b in at.button if b.label == "Train"]


def test_a_training_is_kept_certified_chosen_elsewhere_and_deleted(home: Path) -> None:
    at = until(press(page(**QUICK, **{"train-closeness": "3", "train-features": "0"}), "Train"), kept)
    assert not at.error
    assert {m.label for m in at.metric} == {"Without a denoiser", "With the new one"}
    (model,) = trained_models()
    assert str(home) not in str([s.value for s in at.success])
    assert model.card["objective"] == "mse-stab"
    assert (model.card["closeness"], model.card["features"]) == (3, 0)
    certify = page("pages/1_Certify.py", classifier="bundled/shapes", auto="false", **{"denoiser-shapes": model.ref})
    assert certify.selectbox(key="denoiser-shapes").value == model.ref
    assert f"{model.name} (trained here)" in certify.selectbox(key="denoiser-shapes").options
    press(at, "Delete for good")
    assert not trained_models()
    assert not kept(at)
    assert [c for c in at.caption if "was deleted" in c.value]
    assert not at.exception
    gone = page("pages/1_Certify.py", classifier="bundled/shapes", auto="false", **{"denoiser-shapes": model.ref})
    assert gone.selectbox(key="denoiser-shapes").value == "bundled/shapes-stab"


def test_a_stop_keeps_the_best_so_far_and_is_felt_at_once() -> None:
    at = press(page(**QUICK | {"train-minutes": "5", "objective": "mse", "train-checked": "0"}), "Train")
    until(at, lambda at: any(e.type == "plotly_chart" for e in at.get("plotly_chart")))
    time.sleep(1)
    started = time.monotonic()
    press(at, "Stop")
    until(at, kept, 20)
    assert time.monotonic() - started < 10
    (model,) = trained_models()
    assert model.card["stopped_early"]
    denoiser = load_denoiser(model.ref)
    assert denoiser is not None
    assert denoiser(torch.rand(1, 3, 32, 32), 0.25).shape == (1, 3, 32, 32)


def test_what_stands_beside_stab_is_asked_only_where_there_is_stab_and_is_in_the_link() -> None:
    at = page(**{"train-closeness": "3", "train-features": "0"})
    assert at.number_input(key="train-closeness").value == 3
    assert at.number_input(key="train-features").value == 0
    assert not {"train-closeness", "train-features"} & {n.key for n in page(objective="mse").number_input}


def test_pictures_of_ones_own_are_asked_for() -> None:
    at = press(page(**QUICK, **{"train-data": "upload"}), "Train")
    assert "Upload pictures first" in at.error[0].value


def test_a_zip_with_a_folder_a_class_is_learnt_from_and_what_is_no_picture_is_named() -> None:
    pictures, labels = make_shapes(24)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mine/star/notes.png", b"no picture")
        for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            file = io.BytesIO()
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file, "PNG")
            archive.writestr(f"mine/{SHAPES[int(label)]}/{number}.png", file.getvalue())
    at = page(**QUICK, **{"train-data": "upload", "classifier-to-defend": "bundled/shapes", "objective": "mse"})
    at.file_uploader(key="train-files").set_value([("mine.zip", buffer.getvalue(), "application/zip")]).run()
    until(press(at, "Train"), kept)
    assert any("1 file was left out: notes.png" in i.value for i in at.info)
    assert trained_models()[0].card["data"] == "24 uploaded pictures"


def test_a_classifier_with_other_classes_is_refused_in_a_sentence() -> None:
    at = press(page(**QUICK, **{"classifier-shapes": "bundled/cifar10"}), "Train")
    until(at, lambda at: len(at.error) > 0)
    assert "other classes than shapes" in at.error[0].value


def test_a_bad_name_is_refused_in_a_sentence() -> None:
    at = page(**QUICK)
    at.text_input[0].set_value("../etc").run()
    press(at, "Train")
    assert "letters, digits" in at.error[0].value
