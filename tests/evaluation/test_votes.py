"""The one reader of votes: by image, a torn last line left out, any other line named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import LabError
from core.evaluation.log import HEADER
from core.evaluation.recorded import read_recorded
from core.evaluation.votes import ImageVotes, parse_votes, read_image_votes, votes_path, votes_text

VOTES = ImageVotes(idx=0, candidate=3, counts={3: 820, 1: 180}, n=1000, p_lower=0.79)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.tsv"
    path.write_text("\t".join(HEADER) + "\n0\t3\t3\t0.2\t1\t2.5\n20\t7\t-1\t0\t0\t2.5\n")
    return path


def test_they_survive_writing_and_reading(log: Path) -> None:
    document = {"idx": 0, "candidate": 3, "n": 1000, "p_lower": 0.79, "settled": None, "counts": {"3": 820, "1": 180}}
    assert votes_text([VOTES]) == json.dumps(document) + "\n"
    assert read_image_votes(log) == {}
    votes_path(log).write_text(votes_text([VOTES]))
    assert read_image_votes(log) == read_recorded(log).votes == {0: VOTES}


def test_a_torn_last_line_is_left_out_with_a_remark_and_an_empty_line_with_none(log: Path) -> None:
    votes_path(log).write_text("\n" + votes_text([VOTES]) + '{"idx": 20, "cand')
    assert read_image_votes(log) == {0: VOTES}
    recorded = read_recorded(log)
    assert recorded.votes == {0: VOTES}
    assert recorded.remarks == ("log.votes.jsonl: the last line has no end and was left out.",)
    assert parse_votes(b"\n" + votes_text([VOTES]).encode(), "log.votes.jsonl") == ({0: VOTES}, ())


def test_of_an_image_that_was_certified_again_the_later_count(log: Path) -> None:
    again = ImageVotes(idx=0, candidate=3, counts={3: 900, 1: 100}, n=1000, p_lower=0.86)
    votes_path(log).write_text(votes_text([VOTES, again]))
    assert read_image_votes(log) == {0: again}


@pytest.mark.parametrize(
    "line", ["[]", '{"idx": 1}', '{"idx": 1, "candidate": 0, "n": 3, "p_lower": 0, "settled": null, "counts": {"0": 2}}']
)
def test_other_votes_are_named_by_line(line: str, log: Path) -> None:
    votes_path(log).write_text(line + "\n")
    for read in (read_image_votes, read_recorded):
        with pytest.raises(LabError, match=r"log.votes.jsonl, line 1 does not hold the votes of an image"):
            read(log)
