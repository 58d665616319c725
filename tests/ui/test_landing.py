"""The landing page is made once, however many look at it."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.ui import landing

APP = Path(__file__).resolve().parents[2] / "app.py"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was made of the figures, in order."""
    names: list[str] = []
    for name in ("icon_array", "radius_bar"):
        make = getattr(landing, name)
        monkeypatch.setattr(landing, name, lambda *args, name=name, make=make: names.append(name) or make(*args))
    for drawn in (landing.draw_first, landing.draw_others):
        drawn.clear()
    yield names
    for drawn in (landing.draw_first, landing.draw_others):
        drawn.clear()


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


@pytest.mark.usefixtures("made")
def test_pictures_come_with_the_page_and_small_ones_as_they_are() -> None:
    pictures = [str(text) for text in shown(visit()) if text.startswith("image")]
    addresses = [found for text in pictures for found in re.findall(r'url: "([^"]*)"', text)]
    assert len(addresses) == len(pictures) == 2 + len(landing.finished())
    opened = [Image.open(io.BytesIO(base64.b64decode(address.partition("base64,")[2]))) for address in addresses]
    assert [(one.format, one.size) for one in opened[:3]] == 3 * [("PNG", (32, 32))]
    assert {one.format for one in opened[3:]} == {"JPEG"}
    original = landing.finished()["red-car"][1].views["original"].picture
    assert opened[0].convert("RGB").tobytes() == original.convert("RGB").tobytes()


def test_presenter_mode_has_a_copy_of_its_own(made: list[str]) -> None:
    plain, large = shown(visit()), shown(visit(present="1"))
    assert made == 2 * ["radius_bar", "icon_array"]
    assert plain != large
    assert shown(visit()) == plain


@pytest.mark.usefixtures("made")
def test_no_radius_is_written_as_more_than_is_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for name, (sample, study, request) in landing.finished().items():
        certificate = dataclasses.replace(study.certificate, radius=0.6176)
        found[name] = sample, dataclasses.replace(study, certificate=certificate), request
    monkeypatch.setattr(landing, "finished", lambda: found)
    words = [text for text in shown(visit()) if text.startswith(("markdown", "page_link"))]
    assert sum("0.61" in text for text in words) == len([one for one in found.values() if not one[1].certificate.abstained])
    assert not [text for text in words if "0.62" in text]


@pytest.mark.usefixtures("made")
def test_a_certified_answer_that_is_wrong_says_so() -> None:
    told = [link.proto.label for link in visit().main if link.type == "page_link"]
    wrong = [text for text in told if "wrong, it is a picture of" in text]
    studies = landing.finished().values()
    expected = [s for s, study, _ in studies if study.certificate.label not in (None, s.label)]
    assert len(wrong) == len(expected) > 0
