"""The one reader of logs, and that of the votes beside them: a torn last line left out, any other line named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import LabError
from core.evaluation.log import (
    HEADER,
    UNNAMED,
    ImageVotes,
    LogLine,
    Outcomes,
    log_text,
    parse_log,
    parse_votes,
    read_image_votes,
    read_log,
    votes_path,
    votes_text,
)
from core.evaluation.recorded import read_recorded, recorded_from

HEAD = "\t".join(HEADER) + "\n"
LINES = "0\t3\t3\t0.2\t1\t2.5\n20\t7\t-1\t0\t0\t2.5\n"


def parsed(text: str) -> Outcomes:
    return parse_log(text.encode(), "log.tsv")[0]


def test_a_torn_last_line_is_left_out_with_a_remark() -> None:
    whole = recorded_from("log.tsv", (HEAD + LINES).encode())
    for end in range(1, len("40\t4\t4\t0.0733038\t1\t2.896")):
        torn = recorded_from("log.tsv", (HEAD + LINES + "40\t4\t4\t0.0733038\t1\t2.896"[:end]).encode())
        assert torn.outcomes.idx.tolist() == whole.outcomes.idx.tolist()
        assert "no end" in torn.remarks[0]
        assert "log.tsv" in torn.remarks[0]
    assert not whole.remarks


def test_what_is_torn_counts_for_no_reader(tmp_path: Path) -> None:
    path = tmp_path / "log.tsv"
    path.write_text(HEAD + LINES + "40\t4\t4\t0.07\t1\t2.8")  # six columns, and perhaps digits are missing all the same
    assert read_log(path).idx.tolist() == [0, 20]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (LINES + "0\t3\t3\t0.3\t1\t2.5\n", "image 0 twice, in lines 2 and 4"),
        (LINES + HEAD + LINES, "line 4 is the header once more"),
        (LINES + "40\t4\t4\t0.1\t1\n", "line 4 has 5 columns"),
        (LINES + "40\t4\tcat\t0.1\t1\t1\n", "line 4: predict is 'cat'"),
        (LINES + "40\t4\t4\t0.1\t1\tlong\n", "line 4: time is 'long'"),
        (LINES + "40\t4\t4\t0.1\t1\tyesterday 0:00:01\n", "line 4: time is 'yesterday 0:00:01'"),
        (LINES + f"{10**400}\t4\t4\t0.1\t1\t1\n", "line 4: idx is '1000"),
        (LINES + "40\t4\t4\tinf\t1\t1\n", "line 4 has radius inf"),
        (LINES + "40\t4\t4\t-0.1\t1\t1\n", "line 4 has radius -0.1"),
        (LINES + "40\t4\t-1\t0\t1\t1\n", "line 4 says that an abstention"),
        (LINES + "40\t4\t-1\t0.2\t0\t1\n", "line 4 abstains"),
        (LINES + "40\t4\t-7\t0\t0\t1\n", "line 4 has predict -7"),
    ],
)
def test_a_wrong_log_is_named_by_line_in_one_sentence(tmp_path: Path, lines: str, told: str) -> None:
    path = tmp_path / "log.tsv"
    path.write_text(HEAD + lines)
    for read in (lambda: read_log(path), lambda: read_recorded(path)):
        with pytest.raises(LabError) as error:
            read()
        assert told in str(error.value)
        assert "log.tsv" in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "a\tb\n", "idx,label,predict,radius,correct,time\n"])
def test_what_begins_otherwise_is_no_log(text: str) -> None:
    with pytest.raises(LabError, match="its first line should be"):
        parsed(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(LabError, match="is no text"):
        parse_log(b"\xff\xfe\x00\x01", "log.tsv")


def test_ends_of_lines_and_a_mark_of_windows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + LINES).replace("\n", "\r\n").encode())
    assert read_log(path).radius.tolist() == [0.2, 0.0]


def test_times_are_seconds_or_clocks_with_their_days() -> None:
    clocks = ("0:01:02.5", "1 day, 0:00:03", "2 days, 1:00:00.25", "4.5")
    text = HEAD + "".join(f"{idx}\t3\t3\t0.2\t1\t{clock}\n" for idx, clock in enumerate(clocks))
    assert parsed(text).seconds.tolist() == [62.5, 86_403.0, 176_400.25, 4.5]


def test_what_a_vision_api_certified_under_a_name_of_its_own_is_read_and_is_no_abstention() -> None:
    read = parsed(HEAD + "0\t3\t-2\t0.4\t0\t1\n")
    assert (read.predict.tolist(), read.abstained.any(), read.right.any()) == ([UNNAMED], False, False)


def test_a_log_that_was_just_begun_has_no_images() -> None:
    assert len(parsed(HEAD)) == 0
    assert log_text() == HEAD
    for lines in ("", "0\t3"):
        with pytest.raises(LabError, match="no images yet"):
            recorded_from("log.tsv", (HEAD + lines).encode())


def test_lines_survive_writing_and_reading() -> None:
    lines = [LogLine(123, 4, -1, 0.0, False, 7.25), LogLine(5, 4, 4, 0.25, True, 0.5)]
    assert log_text(lines) == HEAD + "123\t4\t-1\t0\t0\t7.250\n5\t4\t4\t0.25\t1\t0.500\n"
    assert parsed(log_text(lines)).lines() == Outcomes.of(lines).lines() == lines


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
    "line",
    [
        "[]",
        '{"idx": 1}',
        '{"idx": 1, "candidate": 0, "n": 3, "p_lower": 0, "settled": null, "counts": {"0": 2}}',
        '{"idx": Infinity, "candidate": 0, "n": 1, "p_lower": 0, "settled": null, "counts": {"0": 1}}',
        "[" * 100_000,
    ],
)
def test_other_votes_are_named_by_line(line: str, log: Path) -> None:
    votes_path(log).write_text(line + "\n")
    for read in (read_image_votes, read_recorded):
        with pytest.raises(LabError, match=r"log.votes.jsonl, line 1 does not hold the votes of an image"):
            read(log)
