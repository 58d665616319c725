"""A small run of the load test: nothing fails, and looking at jobs costs little."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from app_process import run
from load.__main__ import Report, measure
from load.measured import measured_app

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def test_ten_visitors_and_two_jobs(tmp_path: Path) -> None:
    with measured_app(tmp_path) as app:
        report = run(measure(app, sessions=10, jobs=2, polls=4, seconds=5))
    print(report.text())
    # How fast pages are is for a machine that does nothing else to say.
    assert [sentence for sentence in report.wrong if not sentence.startswith("The start page took")] == []


def test_a_table_and_what_is_wrong() -> None:
    report = Report()
    report.add("a", "1", "2")
    report.check(True, "This holds.")
    assert report.text().splitlines()[2:] == ["| a | 1 | 2 |", "", "- Everything is as promised."]
    report.check(False, "This does not.")
    assert report.text().splitlines()[-1] == "- This does not."
