"""The files of an evaluation while it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import LabError
from core.evaluation.log import LogLine, log_text, read_log
from core.evaluation.votes import votes_path
from core.runs.resuming import LogFiles, put_in_order


def test_a_finished_log_stands_in_the_order_of_its_data(tmp_path: Path) -> None:
    log = tmp_path / "log.tsv"
    log.write_text(log_text(LogLine(number, 1, 1, 0.25, True, 0.1) for number in (6, 0, 9, 3)))
    put_in_order(log, [0, 9, 3, 6])
    assert read_log(log).idx.tolist() == [0, 9, 3, 6]
    before = log.stat().st_mtime_ns
    put_in_order(log, [0, 9, 3, 6])
    assert log.stat().st_mtime_ns == before


def test_a_line_of_votes_that_cannot_be_read_is_left_to_be_named(tmp_path: Path) -> None:
    out = tmp_path / "log.tsv"
    with LogFiles(out, {"sigma": 0.25}, False, print):
        pass
    votes_path(out).write_text("damaged\n")
    LogFiles(out, {"sigma": 0.25}, True, print)
    assert votes_path(out).read_text() == "damaged\n"


def test_a_log_with_an_image_twice_is_not_gone_on_with(tmp_path: Path) -> None:
    out, line = tmp_path / "log.tsv", LogLine(6, 1, 1, 0.25, True, 0.1)
    with LogFiles(out, {"sigma": 0.25}, False, print) as files:
        files.add(line)
        files.add(line)
    with pytest.raises(LabError, match="image 6 twice, in lines 2 and 3"):
        LogFiles(out, {"sigma": 0.25}, True, print)
