"""Quiz, glossary, repeats and lessons."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from scipy import stats

from core.learn.smoothing_in_the_plane import repeat
from core.smoothing.bounds import clopper_pearson_lower
from core.smoothing.radius import radius_ceiling
from core.ui.learn.teaching import GLOSSARY, QUIZ, shuffled

ROOT = Path(__file__).resolve().parents[3]
LESSONS = sorted((ROOT / "docs" / "lessons").glob("*.md"))


def test_every_choice_of_the_quiz_has_feedback_and_one_is_right() -> None:
    assert len(QUIZ) == 5
    assert len({question.key for question in QUIZ}) == 5
    for question in QUIZ:
        assert sorted(shuffled(question)) == list(range(len(question.choices)))
        assert 0 <= question.right < len(question.choices)
        assert all(text and feedback for text, feedback in question.choices)
        assert question.choices[question.right][1].startswith(("Yes", "They"))
    assert len({shuffled(question).index(question.right) for question in QUIZ}) > 1


def test_the_numbers_that_quiz_and_glossary_name_are_right() -> None:
    (more,) = [question for question in QUIZ if question.key == "more-samples"]
    assert "1.50 sigma" in more.choices[more.right][1]
    assert radius_ceiling(1.0, 100, 0.001) == pytest.approx(1.50, abs=0.005)
    assert radius_ceiling(1.0, 10_000, 0.001) == pytest.approx(3.20, abs=0.005)
    assert "2.46 sigma for n = 1,000" in GLOSSARY["ceiling"].meaning
    assert radius_ceiling(1.0, 1_000, 0.001) == pytest.approx(2.46, abs=0.005)


def test_terms_are_short_and_have_sources() -> None:
    for name, term in GLOSSARY.items():
        assert term.name == name
        assert term.source
        assert len(re.findall(r"[.!?](?:\s|$)", term.meaning)) <= 2, name


def test_repeated_bounds_are_clopper_and_pearsons_and_fail_no_more_often_than_alpha() -> None:
    found = repeat(0.85, 300, 0.05, 4_000, 3)
    votes = np.random.default_rng(3).binomial(300, 0.85, 4_000)
    assert found.bounds[17] == pytest.approx(clopper_pearson_lower(int(votes[17]), 300, 0.05))
    assert stats.binomtest(found.wrong, 4_000, 0.05, alternative="greater").pvalue > 1e-4
    assert found.wrong > 0
    assert repeat(0.0, 10, 0.05, 5, 0).bounds.tolist() == [0.0] * 5


def test_lessons_lead_to_pages_and_controls_that_exist() -> None:
    assert [path.name for path in LESSONS] == ["15-minutes.md", "45-minutes.md", "90-minutes.md"]
    pages = {re.sub(r"^\d+_", "", path.stem) for path in (ROOT / "pages").glob("*.py")}
    code = "".join(path.read_text() for folder in ("core/ui", "pages") for path in (ROOT / folder).rglob("*.py"))
    for path in LESSONS:
        links = re.findall(r"\]\((/[^)\s]*)\)", path.read_text())
        assert links
        for link in links:
            parts = urlsplit(link)
            assert parts.path.lstrip("/") in pages, f"{path.name}: {link}"
            for key in parse_qs(parts.query, strict_parsing=bool(parts.query)):
                assert f'"{key}"' in code, f"{path.name}: no control is called {key}"
