"""The landing page is made once, however many look at it."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.ui import landing

APP = Path(__file__).resolve().parents[2] / "app.py"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made of the figures, in order."""
    names: list[str] = []
    for name in ("icon_array", "radius_bar"):
        make = getattr(landing, name)
        monkeypatch.setattr(landing, name, lambda *args, name=name, make=make: names.append(name) or make(*args))
    for drawn in (landing.draw_first, landing.draw_others):
        drawn.clear()
    return names


def visit(**query: str) -> AppTest:
    at = AppTest.from_file(APP, default_timeout=60)
    at.query_params.update(query)
    at.run()
    assert not at.exception
    return at


def shown(at: AppTest) -> list[str]:
    kept = {"markdown", "image", "plotly_chart", "page_link", "subheader", "title", "caption"}
    return [f"{element.type} {element.proto}" for element in at.main if element.type in kept]


def test_the_second_visitor_sees_what_was_made_for_the_first(made: list[str]) -> None:
    first, second = shown(visit()), shown(visit())
    assert made == ["radius_bar", "icon_array"]
    assert first == second
    assert sum(text.startswith("plotly_chart") for text in first) == 2
    assert sum(text.startswith("image") for text in first) == 2 + len(landing.finished())


def test_presenter_mode_has_a_copy_of_its_own(made: list[str]) -> None:
    plain, large = shown(visit()), shown(visit(present="1"))
    assert made == 2 * ["radius_bar", "icon_array"]
    assert plain != large
    assert shown(visit()) == plain
