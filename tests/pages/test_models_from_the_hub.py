"""Models of the Hub on the pages: by link, by the browser's callback, the same on every page; mistakes in one sentence."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from loopback_hub import LoopbackHub
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest

from core.models.formats.foreign import import_library
from core.models.references import BUNDLED_FOLDER

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "cifar10").exists(), reason="the bundled classifier is not there"),
    pytest.mark.filterwarnings("ignore"),  # of strangers' libraries
]

ROOT = Path(__file__).resolve().parents[2]
NAME = "someone/tiny-cifar"


@pytest.fixture
def published(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoopbackHub:
    """A loopback Hub with one tiny classifier of CIFAR-10 in timm's format."""
    import streamlit as st

    monkeypatch.setenv("LAB_HOME", str(tmp_path / "lab"))
    st.cache_resource.clear()
    st.cache_data.clear()
    folder = tmp_path / "repository"
    folder.mkdir()
    torch.manual_seed(0)
    network = import_library("timm").create_model("test_resnet", pretrained=False, num_classes=10)
    cfg = {"mean": [0.5] * 3, "std": [0.25] * 3, "input_size": [3, 32, 32]}
    (folder / "config.json").write_text(json.dumps({"architecture": "test_resnet", "num_classes": 10, "pretrained_cfg": cfg}))
    save_file(network.state_dict(), folder / "model.safetensors")
    hub.add(NAME, folder, license="mit", pipeline_tag="image-classification", library_name="timm", tags=["timm"])
    return hub


def page(path: str, **query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page(path)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def until(at: AppTest, there: Any, timeout: float = 90) -> AppTest:
    deadline = time.monotonic() + timeout
    while not there(at):
        assert time.monotonic() < deadline, "not within the time"
        assert not at.exception, [e.value for e in at.exception]
        time.sleep(0.1)
        at.run()
    return at


def certified(at: AppTest) -> bool:
    return any(m.label == "Votes" for m in at.metric) and not any(b.label == "Stop" for b in at.button)


def test_a_link_with_a_model_of_the_hub_works_and_names_the_commit(published: LoopbackHub) -> None:
    at = page("pages/1_Certify.py", classifier=f"hub/{NAME}", denoiser="none", n="40", n0="10", compare="false")
    assert at.selectbox(key="classifier").value == f"hub/{NAME}"
    at = until(at, certified)
    assert not at.error
    assert any("Nothing names its 10 classes" in c.value for c in at.caption)
    assert f"hub/{NAME}" in at.query_params["classifier"]


def test_a_model_chosen_on_one_page_is_there_on_the_others(published: LoopbackHub) -> None:
    at = page("pages/1_Certify.py", classifier=f"hub/{NAME}", auto="false")
    at.switch_page("pages/2_Denoise.py").run()
    assert f"hub/{NAME}" in at.selectbox(key="classifier").options
    assert at.selectbox(key="classifier").value == f"hub/{NAME}"


def test_the_usual_denoiser_of_a_stranger_was_trained_without_any_classifier(published: LoopbackHub) -> None:
    at = page("pages/1_Certify.py", classifier=f"hub/{NAME}", auto="false")
    assert at.selectbox(key="denoiser-tiny-cifar").value == "bundled/cifar10-mse"


@pytest.mark.parametrize("name", ["nobody/nothing", "someone/tiny-cifar@nosuchbranch"])
def test_what_is_not_there_is_told_in_a_sentence(published: LoopbackHub, name: str) -> None:
    at = page("pages/1_Certify.py", classifier=f"hub/{name}", n="40", n0="10")
    at = until(at, lambda at: len(at.error) > 0)
    assert "\n" not in at.error[0].value


@pytest.mark.parametrize("reference", ["local//etc", "local/../../secret", "hub/../..", "nonsense", "api/google"])
def test_links_cannot_make_the_lab_read_this_machine(published: LoopbackHub, reference: str) -> None:
    at = page("pages/1_Certify.py", classifier=reference, auto="false")
    assert at.selectbox(key="classifier").value == "bundled/cifar10"


def test_folders_that_the_operator_put_there_can_be_chosen(published: LoopbackHub, tmp_path: Path) -> None:
    folder = tmp_path / "lab" / "models" / "mine"
    folder.parent.mkdir(parents=True)
    (tmp_path / "repository").rename(folder)
    at = page("pages/1_Certify.py", classifier=f"local/{folder}", denoiser="none", n="40", n0="10", compare="false")
    assert at.selectbox(key="classifier").value == f"local/{folder}"
    assert not until(at, certified).error


def test_ten_random_pictures_of_a_data_set_of_the_hub(published: LoopbackHub, tmp_path: Path) -> None:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    cells = []
    for grey in range(0, 240, 12):
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), (grey, grey, grey)).save(buffer, "PNG")
        cells.append({"bytes": buffer.getvalue(), "path": None})
    folder = tmp_path / "pictures"
    folder.mkdir()
    pq.write_table(pa.table({"img": cells, "label": [i % 10 for i in range(20)]}), folder / "test-00000-of-00001.parquet")
    published.add("someone/greys", folder, kind="dataset")
    at = page("pages/1_Certify.py", auto="false")
    at.text_input(key="gallery-set").set_value("hub/someone/greys").run()
    next(b for b in at.button if b.label == "10 at random").click().run()
    at = until(at, lambda at: any(b.key == "gallery-chosen" for b in at.button_group))
    pills: Any = at.button_group(key="gallery-chosen")
    assert len(pills.options) == 10
    pills.set_value([pills.options[3]] if isinstance(pills.value, list) else pills.options[3]).run()
    assert not at.exception
    at.text_input(key="gallery-set").set_value("hub/someone/nothing").run()
    next(b for b in at.button if b.label == "10 at random").click().run()
    at = until(at, lambda at: len(at.error) > 0)
    assert "\n" not in at.error[0].value
