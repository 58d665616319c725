"""Going on with files of lines and with stored runs: one check for both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import LabError
from core.evaluation.log import LogLine, log_text, read_log, votes_path
from core.runs.resuming import LogFiles, begin_or_resume, changed_since, put_in_order
from core.versions import versions
from experiments.line_by_line import beside, read_beside
from tests.small_disk import run_on_disk

MADE = {"sigma": 0.25, "noise": "gaussian", "table_radii": (0.25, 0.5), "within": None}


def changed(then: dict[str, Any], now: dict[str, Any] = MADE) -> list[str]:
    return changed_since(json.loads(json.dumps(then)), now, begun="The run 'mine'", otherwise=": begin a new one.")


def test_what_decides_a_line_may_not_change_and_is_named() -> None:
    assert changed(MADE) == changed(MADE | {"versions": versions()}) == []
    with pytest.raises(LabError, match=r"^The run 'mine' was begun with another more, sigma: begin a new one\.$"):
        changed(MADE | {"sigma": 0.5, "more": 1})
    with pytest.raises(LabError, match="another table_radii"):
        changed(MADE | {"table_radii": [0.25]})
    for name in ("n", "n0", "alpha", "method", "images"):  # the same images, asked again for more: a fixed n would not hold
        with pytest.raises(LabError, match=f"another {name}:"):
            changed(MADE | {name: 1}, MADE | {name: 2})
    assert changed(MADE, MADE | {"images": 250}) == [], "older logs do not say how many they were to have"


def test_what_was_begun_before_there_was_a_choice_goes_on() -> None:
    assert changed({"sigma": 0.25, "table_radii": [0.25, 0.5]}) == []
    with pytest.raises(LabError, match="another noise"):
        changed({"sigma": 0.25, "table_radii": [0.25, 0.5]}, MADE | {"noise": "uniform"})


def test_versions_may_change_and_a_package_that_was_not_noted_did_not() -> None:
    then = {name: version for name, version in versions().items() if name != "pillow"}
    assert changed(MADE | {"versions": then}) == []
    assert changed(MADE | {"versions": then | {"torch": "1.0", "gone": "2"}}) == ["gone", "torch"]


def test_a_file_is_begun_and_gone_on_with(tmp_path: Path) -> None:
    path, notices = tmp_path / "new" / "lines.jsonl", list[str]()

    def begin(resume: bool, **change: Any) -> bool:
        return begin_or_resume(path, beside(path), MADE | change, resume=resume, on_notice=notices.append, head="head\n")

    assert not begin(resume=True)
    assert path.read_text() == "head\n"
    assert read_beside(path, ("sigma",))["versions"] == versions()
    path.write_text("head\none\ntw")
    with pytest.raises(LabError, match="exists already: add --resume"):
        begin(resume=False)
    with pytest.raises(LabError, match="was begun with another sigma: use the same, or another --out"):
        begin(resume=True, sigma=1.0)
    assert begin(resume=True)
    assert path.read_text() == "head\none\n"
    assert not notices
    beside(path).write_text(json.dumps(MADE | {"versions": {"torch": "1.0"}}))
    assert begin(resume=True)
    assert notices == ["lines.jsonl was begun with another version of torch: its last digits may differ from here on."]
    beside(path).write_text("{")
    with pytest.raises(LabError, match="cannot be resumed"):
        begin(resume=True)
    with pytest.raises(LabError, match="cannot be read"):
        read_beside(path, ())
    beside(path).write_text("{}")
    with pytest.raises(LabError, match="lacks sigma"):
        read_beside(path, ("sigma",))


def test_a_finished_log_stands_in_the_order_of_its_data(tmp_path: Path) -> None:
    log = tmp_path / "log.tsv"
    log.write_text(log_text(LogLine(number, 1, 1, 0.25, True, 0.1) for number in (6, 0, 9, 3)) + " \n")
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


def test_one_process_writes_a_log_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "log.tsv"
    files = LogFiles(path, MADE, False, print)
    with pytest.raises(LabError, match="Another process writes"):
        LogFiles(path, MADE, True, print)
    with files:
        files.add(LogLine(0, 1, 1, 0.5, True, 1.0))
    with pytest.raises(LabError, match="exists already"):
        LogFiles(path, MADE, False, print)
    with LogFiles(path, MADE, True, print) as again:
        assert again.done == {0}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log.json", "log.tsv"]


def test_a_full_disk_costs_no_finished_image(tmp_path: Path) -> None:
    line = "LogLine(index, 1, 1, 0.5, True, 1.0), ImageVotes(index, 1, {1: 20, 2: 3}, 23, 0.7)"
    code = (
        "from core.evaluation.log import ImageVotes, LogLine, read_image_votes, read_log\n"
        "from core.folders import home_folder\nfrom core.runs.resuming import LogFiles\n"
        "path, done = home_folder() / 'log.tsv', 0\n"
        "try:\n"
        "    with LogFiles(path, {'sigma': 0.25}, False, print) as files:\n"
        f"        for index in range(100_000):\n            files.add({line})\n            done += 1\n"
        "except OSError as error:\n    print(error.strerror)\n"
        "(home_folder() / 'rest').unlink()\n"  # there is room again
        "with LogFiles(path, {'sigma': 0.25}, True, print) as files:\n"
        "    print(done, len(files.done), len(read_log(path)), len(read_image_votes(path)))\n"
        f"    index = max(files.done) + 1; files.add({line})\n"
        "print(len(read_log(path)))\n"
    )
    before = "from core.folders import home_folder; (home_folder() / 'rest').write_bytes(bytes(10**5))"
    said, counts, after = run_on_disk(tmp_path, code, 300, before=before).splitlines()
    assert said == "No space left on device"
    done, resumed, lines, votes = map(int, counts.split())
    assert done == resumed == lines == votes > 100
    assert int(after) == done + 1
