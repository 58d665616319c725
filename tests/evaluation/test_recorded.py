"""Logs with what lies beside them: what is wrong is named precisely, and a log that is being written can be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import LabError
from core.evaluation.log import HEADER
from core.evaluation.recorded import read_recorded, recorded_from

HEAD = "\t".join(HEADER) + "\n"
LINES = "0\t3\t3\t0.2\t1\t2.5\n20\t7\t-1\t0\t0\t2.5\n"
SIDE = {"sigma": 0.25, "n0": 100, "n": 1000, "alpha": 0.001, "method": "clopper-pearson"}


def side(**changes: object) -> bytes:
    return json.dumps(SIDE | changes).encode()


def test_a_torn_last_line_is_left_out_with_a_remark() -> None:
    whole = recorded_from("log.tsv", (HEAD + LINES).encode())
    for end in range(1, len("40\t4\t4\t0.0733038\t1\t2.896")):
        torn = recorded_from("log.tsv", (HEAD + LINES + "40\t4\t4\t0.0733038\t1\t2.896"[:end]).encode())
        assert torn.outcomes.idx.tolist() == whole.outcomes.idx.tolist()
        assert "no end" in torn.remarks[0]
        assert "log.tsv" in torn.remarks[0]
    assert not whole.remarks


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("", "no images yet"),
        ("0\t3", "no images yet"),
        (LINES + "0\t3\t3\t0.3\t1\t2.5\n", "image 0 twice, in lines 2 and 4"),
        (LINES + HEAD + LINES, "line 4 is the header once more"),
        (LINES + "40\t4\t4\t0.1\t1\n", "line 4 has 5 columns"),
        (LINES + "40\t4\tcat\t0.1\t1\t1\n", "line 4: predict is 'cat'"),
        (LINES + "40\t4\t4\tinf\t1\t1\n", "line 4 has radius inf"),
        (LINES + "40\t4\t4\t-0.1\t1\t1\n", "line 4 has radius -0.1"),
        (LINES + "40\t4\t-1\t0\t1\t1\n", "line 4 says that an abstention"),
        (LINES + "40\t4\t-1\t0.2\t0\t1\n", "line 4 abstains"),
        (LINES + "40\t4\t-7\t0\t0\t1\n", "line 4 has predict -7"),
    ],
)
def test_a_wrong_log_is_named_by_line_in_one_sentence(lines: str, told: str) -> None:
    with pytest.raises(LabError) as error:
        recorded_from("log.tsv", (HEAD + lines).encode())
    assert told in str(error.value)
    assert "log.tsv" in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(LabError, match="is no text"):
        recorded_from("log.tsv", b"\xff\xfe\x00\x01")


def test_ends_of_lines_and_a_mark_of_windows_are_read() -> None:
    read = recorded_from("log.tsv", ("﻿" + (HEAD + LINES).replace("\n", "\r\n")).encode())
    assert read.outcomes.radius.tolist() == [0.2, 0.0]


def test_times_are_seconds_or_clocks() -> None:
    lines = "0\t3\t3\t0.2\t1\t0:01:02.5\n1\t3\t3\t0.2\t1\t1 day, 0:00:01\n2\t3\t3\t0.2\t1\t4.5\n"
    assert recorded_from("log.tsv", (HEAD + lines).encode()).outcomes.seconds.tolist() == [62.5, 1.0, 4.5]


def test_a_radius_that_no_votes_could_give_is_named() -> None:
    lines = (HEAD + "0\t3\t3\t0.6158\t1\t1\n1\t3\t3\t0.7\t1\t1\n").encode()
    with pytest.raises(LabError, match=r"radius of 0\.7 \(image 1\).* no more than 0\.6158"):
        recorded_from("log.tsv", lines, side())
    assert len(recorded_from("log.tsv", lines, side(sigma=0.5)).outcomes) == 2
    assert len(recorded_from("log.tsv", lines).outcomes) == 2  # nothing is known of it


def test_the_highest_radius_there_is_is_allowed() -> None:
    from scipy.stats import norm

    ceiling = 0.25 * norm.ppf(0.001 ** (1 / 1000))
    for text in (f"{ceiling:.6g}", f"{ceiling:.3g}"):
        assert len(recorded_from("log.tsv", f"{HEAD}0\t3\t3\t{text}\t1\t1\n".encode(), side()).outcomes) == 1


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"{", "is no JSON"),
        (b"[]", "should hold a JSON object"),
        (side(sigma=[0.25, 0.5]), r"several sigmas \(0.25, 0.5\)"),
        (side(sigma=-1), "says sigma is -1"),
        (side(n="many"), "says n is 'many'"),
        (side(n=10.5), "expected a whole number"),
        (side(alpha=1.5), "expected a number between 0 and 1"),
        (side(noise="pink"), "names the noise 'pink'"),
    ],
)
def test_a_wrong_side_file_is_named(document: bytes, told: str) -> None:
    with pytest.raises(LabError, match=told):
        recorded_from("log.tsv", (HEAD + LINES).encode(), document)


def test_sigma_is_read_off_a_published_name_and_off_no_other() -> None:
    named = recorded_from("cifar10_resnet110_noise_0.50_test_sigma_0.25.tsv", (HEAD + LINES).encode())
    assert (named.made_by.sigma, named.made_by.sigma_from_name, named.made_by.ceiling) == (0.25, True, None)
    assert recorded_from("log_0.25.tsv", (HEAD + LINES).encode()).made_by.sigma is None


def test_votes_beside_a_log_are_read_and_a_torn_line_of_them_left_out(tmp_path: Path) -> None:
    (tmp_path / "log.tsv").write_text(HEAD + LINES)
    (tmp_path / "log.json").write_bytes(side())
    votes = {"idx": 0, "candidate": 3, "n": 1000, "p_lower": 0.79, "settled": None, "counts": {"3": 820, "1": 180}}
    (tmp_path / "log.votes.jsonl").write_text(json.dumps(votes) + "\n" + '{"idx": 20, "cand')
    read = read_recorded(tmp_path / "log.tsv")
    assert read.votes[0].counts == {3: 820, 1: 180}
    assert list(read.votes) == [0]
    assert "votes.jsonl" in read.remarks[0]
    (tmp_path / "log.votes.jsonl").write_text('{"idx": 20}\n')
    with pytest.raises(LabError, match=r"votes\.jsonl, line 1"):
        read_recorded(tmp_path / "log.tsv")


def test_a_log_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be read"):
        read_recorded(tmp_path / "gone.tsv")


def test_lines_that_contradict_themselves_are_remarked_on_and_the_column_believed() -> None:
    read = recorded_from("log.tsv", (HEAD + "0\t3\t5\t0.2\t1\t1\n").encode())
    assert np.array_equal(read.outcomes.right, [True])
    assert "predict and label differ" in read.remarks[0]
