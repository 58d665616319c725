"""The one-page report: whole, self-contained, and nothing but text where a stranger wrote it."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import shlex
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from core.report import words
from core.report.page import html_report
from core.smoothing.certificate import Certificate, ModelRecord
from core.studies.records import STORED_FOLDER, Study, parse_study

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u202e\x00'
VOID = {"meta", "img", "rect", "line"}


class Reader(HTMLParser):
    """Collects tags with their attributes, and sees that they are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def study() -> Study:
    """A finished one that comes with the Lab."""
    return parse_study((STORED_FOLDER / "stag.json").read_text())[0]


def certificate_of(study: Study, **changes: object) -> Certificate:
    return dataclasses.replace(study.certificate, **changes)


def hostile(study: Study) -> tuple[Certificate, str]:
    labels = tuple(f"{HOSTILE}{index}" for index in range(10))
    changes = {
        "labels": labels,
        "label": labels[4],
        "device": HOSTILE,
        "versions": {HOSTILE: HOSTILE},
        "classifier": ModelRecord(HOSTILE, HOSTILE),
        "denoiser": ModelRecord(HOSTILE, None, HOSTILE),
        "until_radius": 0.5,
        "settled": "out of reach",
        "radii": {"l1": 0.3, "l2": 0.3, "linf": 0.01},
        "two_sided": True,
        "p_upper": 0.1,
        "runner_up": 3,
    }
    return certificate_of(study, **changes), f"a {HOSTILE}'.png"


def test_it_says_what_the_certificate_says(study: Study) -> None:
    c = certificate_of(study)
    page = " ".join("".join(Reader(html_report(c, "stag.png", study.views)).text).split())
    assert words.headline(c) in page
    for caveat in words.caveats(c):
        assert caveat in page
    numbers = (repr(c.radius), repr(c.p_lower), repr(c.radius_ceiling), f"{max(c.counts):,}", "0.25 (63.75/255)", "seed")
    names = (c.image.sha256, c.classifier.ref, c.classifier.revision, c.denoiser.ref, c.denoiser.revision)
    for text in (*numbers, *names, "python -m core verify certificate.json --image stag.png --resample"):
        assert str(text) in page


def test_it_fetches_nothing_and_runs_nothing(study: Study) -> None:
    page = html_report(certificate_of(study), "stag.png", study.views)
    tags = Reader(page).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "a", "form", "base"}
    assert "url(" not in page
    assert "http:" not in page
    assert "https:" not in page
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    policy = next(a["content"] for tag, a in tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy)


def test_the_pictures_are_in_it(study: Study) -> None:
    images = [
        attributes for tag, attributes in Reader(html_report(certificate_of(study), "x", study.views)).tags if tag == "img"
    ]
    assert len(images) == 3
    for attributes, view in zip(images, study.views.values(), strict=True):
        data = base64.b64decode(str(attributes["src"]).removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(data)).tobytes() == view.picture.tobytes()
        assert attributes["alt"]


def test_bars_have_the_right_lengths(study: Study) -> None:
    c = certificate_of(study)
    blue = [a for tag, a in Reader(html_report(c, "x", {})).tags if tag == "rect" and a.get("fill") == "#0072B2"]
    assert float(str(blue[0]["width"])) == pytest.approx(320 * max(c.counts) / c.n, abs=0.01)
    assert float(str(blue[1]["width"])) == pytest.approx(320 * c.radius / c.radius_ceiling, abs=0.01)


def test_what_a_stranger_wrote_stays_text(study: Study) -> None:
    certificate, name = hostile(study)
    alike = {name: getattr(certificate, name) for name in ("two_sided", "p_upper", "runner_up", "until_radius", "radii")}
    plain = Reader(html_report(certificate_of(study, **alike), "x", study.views)).tags
    page = html_report(certificate, name, study.views, document_name=f"{HOSTILE}.json")
    found = Reader(page).tags
    count = lambda tags: {tag: [t for t, _ in tags].count(tag) for tag in ("script", "b", "img", "svg", "td", "title", "rect")}  # noqa: E731
    assert count(found) == count(plain)
    assert not [name for _, attributes in found for name in attributes if name.startswith("on")]
    assert "<script" not in page
    assert "\x00" not in page


def test_abstentions_stopped_runs_and_no_vote_have_their_words(study: Study) -> None:
    abstains = certificate_of(study, abstained=True, prediction=None, label=None, radius=0.0, counts=(500, 500, *[0] * 8))
    page = html_report(abstains, "x", {})
    assert "abstains" in page
    assert "grey levels" not in page
    Reader(page)
    nothing = certificate_of(
        study,
        abstained=True,
        prediction=None,
        label=None,
        radius=0.0,
        radius_ceiling=0.0,
        counts=(0,) * 10,
        n=0,
        stopped=True,
        candidate=None,
        labels=None,
    )
    page = html_report(nothing, "x", {})
    assert "No vote was counted" in page
    assert "stopped after 0 of 1,000" in page
    Reader(page)


def test_many_classes_are_gathered(study: Study) -> None:
    counts = tuple(range(1000))
    c = certificate_of(study, counts=counts, n=sum(counts), candidate=999, prediction=999, labels=None, label=None)
    page = html_report(c, "x", {})
    assert "class 999" in page
    assert "all others" in page
    assert "class 990" not in page


@pytest.mark.parametrize("kind", ["usual", "hostile"])
def test_it_prints_on_one_sheet(study: Study, tmp_path: Path, kind: str) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium to print with")
    certificate, name = hostile(study) if kind == "hostile" else (certificate_of(study), "stag.png")
    (tmp_path / "r.html").write_text(html_report(certificate, name, study.views), encoding="utf-8")
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-pdf-header-footer",
        f"--user-data-dir={tmp_path / 'profile'}",
    )
    subprocess.run(
        [chromium, *options, f"--print-to-pdf={tmp_path / 'r.pdf'}", str((tmp_path / "r.html").as_uri())],
        check=True,
        capture_output=True,
        timeout=120,
    )
    pages = re.findall(rb"/Type\s*/Page[^s]", (tmp_path / "r.pdf").read_bytes())
    assert len(pages) == 1


def test_the_document_can_be_told_from_the_report(study: Study) -> None:
    page = html_report(certificate_of(study), "it's here.png", {}, "my certificate.json")
    command = next(line for line in Reader(page).text if line.startswith("python -m core verify"))
    assert shlex.split(command)[4:7] == ["my certificate.json", "--image", "it's here.png"]
