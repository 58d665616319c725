"""A model's labels, pictures', logs' and runs' names and values of links, written by an attacker, on every page."""

from __future__ import annotations

import io
import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from loopback_hub import LoopbackHub
from PIL import Image
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest

from core.apis.demo import DemoServer
from core.data.samples import sample_picture
from core.models.formats.foreign import import_library
from core.models.load import load_classifier
from core.models.references import BUNDLED_FOLDER
from core.smoothing.certify import certify
from tests.strangers_text import LONG, POLYGLOT, faults

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "cifar10").exists(), reason="the bundled classifier is not there"),
    pytest.mark.filterwarnings("ignore"),  # of strangers' libraries
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
        config["labels"] = [f"{POLYGLOT}{number}{'A' * 400}" for number in range(10)]
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


def test_several_pictures_in_a_table(strangers: str) -> None:
    at = page(
        "pages/1_Certify.py", classifier=strangers, denoiser="none", n="20", n0="10", size="32", sigma="0.01", compare="false"
    )
    car = png(sample_picture("red-car").image)
    names = (f"{POLYGLOT}.png", f"{LONG}.png", f"{POLYGLOT}.jpg")
    finish(
        upload(at, "uploads", *((name, car if number < 2 else b"no picture", "image/png") for number, name in enumerate(names)))
    )
    assert len(at.error) == 1
    assert "e.example" in at.error[0].value
    assert faults(at) == []


def test_denoise(strangers: str) -> None:
    at = page("pages/2_Denoise.py", classifier=strangers, denoisers="classical/median", draws="1", **{"sweep-draws": "2"})
    finish(at)
    assert any("e.example" in html.proto.body for html in at.get("html"))
    assert faults(at) == []


def test_attack(strangers: str) -> None:
    query = {"attack-steps": "2", "attack-draws": "2", "attack-search": "false", "sigma": "0.02"}
    at = page("pages/4_Attack.py", classifier=strangers, denoiser="none", **query)
    next(b for b in at.button if b.label == "Attack").click().run()
    finish(at)
    assert any("e.example" in metric.value for metric in at.metric)
    assert faults(at) == []


def log(count: int = 20) -> bytes:
    return (HEAD + "".join(f"{i}\t{i % 3}\t{i % 2}\t{0.1 * (i % 5)}\t1\t1.0\n" for i in range(count))).encode()


@pytest.mark.parametrize("view", ["curve", "path", "cost", "samples", "spread", "classes"])
def test_views_of_the_trade_offs(strangers: str, view: str) -> None:
    made = {
        "sigma": 0.25,
        "n": 1000,
        "n0": 100,
        "alpha": 0.001,
        "norm": "l2",
        "dataset": POLYGLOT,
        "split": LONG,
        "device": POLYGLOT,
    }
    made |= {"classifier": {"ref": POLYGLOT}, "denoiser": {"ref": LONG}, "versions": {POLYGLOT: LONG}}
    at = page("pages/3_Trade-offs.py", view=view, logs="none", **{"behind-pictures": "true"})
    named = (f"{POLYGLOT}.tsv", f"{LONG}.tsv")
    files = [(name, log(), "text/plain") for name in named] + [
        (f"{POLYGLOT}.json", json.dumps(made).encode(), "application/json")
    ]
    files += [(f"{POLYGLOT}2.tsv", b"\x1b[31m\n", "text/plain"), (f"{POLYGLOT}3.json", b"{}", "application/json")]
    upload(at, "own-logs", *files)
    assert not at.exception
    assert any("e.example" in error.value for error in at.error)
    assert faults(at) == []


def test_runs_of_the_store(strangers: str) -> None:
    at = page("pages/3_Trade-offs.py", view="runs")
    upload(at, "import-logs-0", (f"{POLYGLOT}.tsv", log(), "text/plain"))
    at.button(key="import").click().run()
    assert not at.exception
    assert any("e.example" in heading.value for heading in at.subheader)
    assert faults(at) == []
    at = page("pages/3_Trade-offs.py", runs="run-1", logs="none")
    assert not at.exception
    assert faults(at) == []


def test_train(strangers: str) -> None:
    at = page("pages/6_Train.py", **{"train-data": "upload", "train-name": POLYGLOT})
    upload(at, "train-files", *((f"{POLYGLOT}{number}.png", b"no picture", "image/png") for number in range(20)))
    next(b for b in at.button if b.label == "Train").click().run()
    finish(at)
    assert at.error
    assert faults(at) == []


def test_a_certificate_to_be_verified(strangers: str) -> None:
    model = {"ref": f"hub/{POLYGLOT}", "revision": LONG[:900], "weights": None}
    certificate = certify(sample_picture("red-car").image, load_classifier(strangers), None, sigma=0.02, n0=10, n=50)
    document = certificate.to_dict() | {
        "classifier": model,
        "denoiser": model,
        "device": POLYGLOT,
        "versions": {POLYGLOT: POLYGLOT},
    }
    document["labels"] = [f"{POLYGLOT}{number}" for number in range(10)]
    document["prediction"] = {"index": certificate.prediction, "label": document["labels"][certificate.prediction]}
    at = page("pages/1_Certify.py", auto="false")
    upload(at, "verify-document", (f"{POLYGLOT}.json", json.dumps(document).encode(), "application/json"))
    assert not at.exception
    assert any("checked" in frame.value for frame in at.dataframe)
    assert faults(at) == []
    upload(at, "verify-document", (f"{POLYGLOT}.json", json.dumps(document | {POLYGLOT: 1}).encode(), "application/json"))
    assert "e.example" in at.error[0].value
    assert faults(at) == []


QUERIES = {
    "app.py": (),
    "pages/1_Certify.py": ("sigma", "classifier", "denoiser", "picture", "noise", "n", "seed", "alpha", "two-sided"),
    "pages/2_Denoise.py": ("classifier", "denoisers", "sigmas", "draws"),
    "pages/3_Trade-offs.py": ("view", "logs", "runs", "published", "radii", "behind", "best"),
    "pages/4_Attack.py": ("classifier", "norm", "attack", "target", "attack-steps"),
    "pages/5_Vision_APIs.py": ("api", "api-denoiser", "api-side", "api-bound"),
    "pages/6_Train.py": ("train-data", "objective", "network", "train-sigma"),
    "pages/7_Learn.py": ("chapter", "limit", "x", "plane-n", "values", "learn-picture"),
}


@pytest.mark.parametrize("path", QUERIES)
def test_values_of_a_link(strangers: str, path: str) -> None:
    for value in (POLYGLOT, LONG):
        at = page(path, auto="false", **(dict.fromkeys((*QUERIES[path], "nonsense", "present"), value)))
        assert not at.exception
        assert any("e.example" in warning.value for warning in at.warning) or not QUERIES[path]
        assert faults(at) == []


def test_what_an_api_answers(strangers: str) -> None:
    server = DemoServer(strangers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    described = Path(os.environ["LAB_HOME"]) / "endpoints" / "stranger.toml"
    described.parent.mkdir()
    described.write_text(f'url = "{server.url}"\nprice = 0.001\n')
    query = {"api-n": "40", "api-n0": "10", "sigma": "0.02", "api-denoiser": "none", "api-compare": "true", "api-budget": "1"}
    at = page("pages/5_Vision_APIs.py", api=f"api/http/{described}", **query)
    next(b for b in at.button if b.label.startswith("Ask")).click().run()
    finish(at)
    server.shutdown()
    server.server_close()
    assert any("e.example" in metric.value for metric in at.metric if metric.label == "Smoothed API says")
    assert faults(at) == []


def test_a_repository_of_the_hub(strangers: str, hub: LoopbackHub, tmp_path: Path) -> None:
    network = import_library("timm").create_model("test_resnet", pretrained=False, num_classes=10)
    labels = [f"{POLYGLOT}{number}" for number in range(10)]
    cfg = {"mean": [0.5] * 3, "std": [0.25] * 3, "input_size": [3, 32, 32], "label_names": labels}
    config = {"architecture": "test_resnet", "num_classes": 10, "pretrained_cfg": cfg}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    hub.add(
        "someone/odd", tmp_path, license=POLYGLOT, pipeline_tag="image-classification", library_name="timm", tags=[POLYGLOT]
    )

    def look() -> None:  # as the dialog does, which a test without a browser cannot keep open
        from core.ui import models

        models._draw_details("hub/someone/odd", "classifier", None, "named")

    at = AppTest.from_function(look, default_timeout=60).run()
    assert not at.exception
    assert not at.error
    assert any("10 classes" in caption.value for caption in at.caption)
    assert any("e.example" in markdown.value for markdown in at.markdown)  # the licence
    assert faults(at) == []
