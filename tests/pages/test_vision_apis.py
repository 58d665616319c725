"""The Vision APIs page, driven without a browser, against the demo API and a described endpoint."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.models.references import BUNDLED_FOLDER

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "cifar10").exists(), reason="the bundled classifier is not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    st.cache_resource.clear()  # the file of answers is opened once a process


def page(**query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page("pages/5_Vision_APIs.py")
    for name, value in ({"api-n": "40", "api-n0": "10", "picture": "red-car"} | query).items():
        at.query_params[name] = value
    return at.run()


def button(at: AppTest, label: str) -> Any:
    return next(b for b in at.button if b.label.startswith(label))


def labels(at: AppTest) -> list[str]:
    found: Any = at.get("download_button")
    return [b.label for b in found]


def ask(at: AppTest, label: str = "Ask", timeout: float = 90) -> AppTest:
    button(at, label).click().run()
    deadline = time.monotonic() + timeout
    while "Certificate (JSON)" not in labels(at) or any(b.label == "Stop" for b in at.button):
        assert time.monotonic() < deadline, "no result within the time"
        assert not at.exception, [e.value for e in at.exception]
        assert not at.error, [e.value for e in at.error]
        time.sleep(0.1)
        at.run()
    return at


def metric(at: AppTest, label: str) -> str:
    return next(m.value for m in at.metric if m.label == label)


def test_a_newcomer_sees_the_plan_of_the_demo_before_anything_is_asked() -> None:
    at = page()
    assert not at.exception
    assert at.selectbox[0].value == "api/demo"
    assert (metric(at, "Queries at most"), metric(at, "They would cost")) == ("50", "$0.05")
    assert "Spent" not in [m.label for m in at.metric]


def test_asking_spends_what_was_planned_and_asking_again_nothing() -> None:
    at = ask(page())
    assert metric(at, "Spent") == "$0.0500"
    votes, total = metric(at, "Votes").split(" / ")
    assert total == "40"
    assert int(votes) <= 40
    assert (metric(at, "Queries at most"), metric(at, "They would cost")) == ("0", "$0.00")
    assert metric(ask(at), "Spent") == "$0.0500"
    assert metric(ask(at, "Count stored"), "Votes") == f"{votes} / 40"


def test_the_budget_ends_it_and_a_larger_one_goes_on() -> None:
    at = ask(page(**{"api-budget": "0.03"}))
    assert metric(at, "Spent") == "$0.0300"
    assert any("budget of \\$0.03 is spent" in w.value for w in at.warning)
    at.number_input(key="api-budget").set_value(0.1).run()
    assert metric(at, "Queries at most") == "20"
    assert metric(ask(at), "Spent") == "$0.0500"


def test_a_fixed_n_asked_for_again_with_another_is_the_anytime_bound_and_the_page_says_so() -> None:
    at = ask(page(**{"api-bound": "clopper-pearson", "api-seed": "5", "api-n": "20"}))
    assert not any("first looked at" in i.value for i in at.info)
    at.number_input(key="api-n").set_value(40).run()
    at = ask(at)
    (note,) = (i.value for i in at.info if "first looked at with n = 20" in i.value)
    assert "wrong with probability at most 0.002" in note


def test_both_runs_stay_within_the_budget() -> None:
    at = ask(page(**{"api-compare": "true", "api-budget": "0.06"}))
    assert metric(at, "Spent") == "$0.0600"
    assert any("With and without" in s.value for s in at.subheader)


def test_a_settled_question_ends_it() -> None:
    at = ask(page(**{"api-until": "0.05", "api-n": "400", "sigma": "0.1"}))
    assert any("Settled after" in i.value for i in at.info)
    assert float(metric(at, "Spent").removeprefix("$")) < 0.41


def test_a_label_map_decides_the_classes_and_mistakes_in_it_are_told() -> None:
    at = page()
    at.text_area(key="api-labels").set_value(
        "vehicle: automobile, truck, ship, airplane\nanimal: frog, deer, cat, dog, bird"
    ).run()
    at = ask(at)
    assert metric(at, "Smoothed API says") in ("vehicle", "abstains")
    at.text_area(key="api-labels").set_value("vehicle automobile").run()
    assert any("no colon" in e.value for e in at.error)


def test_a_vendor_without_credentials_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("azure.ai.vision.imageanalysis", reason="the client is not installed")
    monkeypatch.delenv("VISION_KEY", raising=False)
    at = page(api="api/azure")
    assert any("will be sent to Azure AI Vision" in w.value for w in at.warning)
    button(at, "Ask and pay").click().run()
    assert any("There are no credentials" in e.value for e in at.error)


def test_endpoints_the_operator_described_are_there_and_broken_ones_told(tmp_path: Path) -> None:
    folder = tmp_path / "endpoints"
    folder.mkdir()
    (folder / "mine.toml").write_text('url = "http://127.0.0.1:9/classify"\nprice = 0.5\n')
    (folder / "broken.toml").write_text("url = 3")
    at = page(api=f"api/http/{folder / 'mine.toml'}")
    assert "HTTP: mine" in at.selectbox[0].options
    assert metric(at, "They would cost") == "$25.00"
    assert any("no usable url" in w.value for w in at.warning)
