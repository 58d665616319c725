"""The Attack page, driven without a browser, on the quick `shapes` models."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.models.references import BUNDLED_FOLDER

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes").exists(), reason="the bundled classifier is not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
QUICK = {"classifier": "bundled/shapes", "attack-steps": "3", "attack-draws": "4"}


def page(**query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page("pages/4_Attack.py")
    for name, value in (QUICK | query).items():
        at.query_params[name] = value
    return at.run()


def attack(at: AppTest, timeout: float = 150) -> AppTest:
    next(b for b in at.button if b.label == "Attack").click().run()
    deadline = time.monotonic() + timeout
    found: Any = at.get("download_button")
    while any(b.label == "Stop" for b in at.button) or not found:
        assert time.monotonic() < deadline, "no result within the time"
        assert not at.exception, [e.value for e in at.exception]
        assert not at.error, [e.value for e in at.error]
        time.sleep(0.2)
        at.run()
        found = at.get("download_button")
    return at


def metric(at: AppTest, label: str) -> str:
    return next(m.value for m in at.metric if m.label.startswith(label))


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    at = page()
    assert not at.exception
    assert not at.metric
    assert [b.label for b in at.button if b.label == "Attack"]


def test_an_attack_within_the_radius_does_not_change_the_smoothed_answer() -> None:
    at = attack(page(**{"attack-search": "false"}))
    certified = float(metric(at, "Certified radius (l2)"))
    assert certified > 0
    rows = at.dataframe[0].value
    smoothed = rows[rows.iloc[:, 0] == "Smoothed classifier"].iloc[0]
    assert smoothed["outcome"] == "holds"
    assert not at.warning
    assert metric(at, "Base classifier falls at") == "not searched"


def test_changes_without_gradient_have_exactly_the_asked_size() -> None:
    at = attack(page(**{"attack": "patch", "attack-radius-l2": "1.0", "attack-search": "false"}))
    assert any("l2 1.000" in c.value for c in at.caption)


def test_the_search_finds_the_base_classifier_weaker_than_the_smoothed() -> None:
    at = attack(page())
    base, smoothed = metric(at, "Base classifier falls at"), metric(at, "Smoothed classifier falls at")
    assert base not in ("…", "not searched")
    if smoothed != "not found":
        assert float(smoothed) >= float(metric(at, "Certified radius (l2)"))


def test_a_gradient_through_a_classical_denoiser_is_refused_in_a_sentence() -> None:
    at = page(**{"denoiser-shapes": "classical/median"})
    next(b for b in at.button if b.label == "Attack").click().run()
    deadline = time.monotonic() + 60
    while not at.error:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        at.run()
    assert "\n" not in at.error[0].value
