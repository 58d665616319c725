"""A model's labels, pictures', logs' and runs' names and values of links, written by an attacker, on every page."""

from __future__ import annotations

import io
import json
import shutil
import time
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.data.samples import sample_picture
from core.models.references import BUNDLED_FOLDER
from tests.strangers_text import POLYGLOT, faults

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "cifar10").exists(), reason="the bundled classifier is not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
HEAD = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


@pytest.fixture(scope="module", autouse=True)
def strangers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A classifier whose every label attacks, by reference."""
    import streamlit as st

    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("lab")
        patch.setenv("LAB_HOME", str(home))
        st.cache_resource.clear()
        folder = home / "models" / "stranger"
        shutil.copytree(BUNDLED_FOLDER / "cifar10", folder)
        config = json.loads((folder / "config.json").read_text())
        config["labels"] = [f"{POLYGLOT}{number}{'A' * 10_000}" for number in range(10)]
        (folder / "config.json").write_text(json.dumps(config))
        yield f"local/{folder}"
        st.cache_resource.clear()


def png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def page(path: str, **query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=120)
    for name, value in query.items():
        at.query_params[name] = value
    at.switch_page(path).run()
    return at


def finish(at: AppTest, timeout: float = 120) -> AppTest:
    deadline = time.monotonic() + timeout
    while any(button.label == "Stop" for button in at.button):
        assert time.monotonic() < deadline
        assert faults(at) == []  # what is shown while it is under way
        time.sleep(0.2)
        at.run()
    assert not at.exception
    return at


def upload(at: AppTest, key: str, *files: tuple[str, bytes, str]) -> AppTest:
    at.file_uploader(key=key).set_value(list(files))
    return at.run()


def test_certify(strangers: str) -> None:
    at = page("pages/1_Certify.py", classifier=strangers, denoiser="none", n="100", n0="10", size="32", sigma="0.01")
    upload(at, "uploads", (f"{POLYGLOT}.png", png(sample_picture("red-car").image), "image/png"))
    finish(at)
    assert any("e.example" in metric.value for metric in at.metric if metric.label == "Smoothed classifier says")
    assert faults(at) == []
