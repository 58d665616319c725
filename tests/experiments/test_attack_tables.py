"""The table of stored lines of attacked data sets."""

from __future__ import annotations

import json

import pytest


def test_a_table_of_stored_lines(run, tmp_path):
    made = {"norm": "l2", "alpha": 0.001, "classifier": {"ref": "bundled/a"}, "denoiser": {"ref": "none"}}
    common = {"label": 0, "inside": [0.1], "abstentions": 0, "violations": 0, "rechecked": 0, "settled": True, "seconds": 1.0}
    lines = [
        {"idx": 0, "prediction": 0, "certified": 0.2, "smoothed": 0.5, "base": 0.1} | common,
        {"idx": 1, "prediction": 1, "certified": 0.4, "smoothed": 0.6, "base": 0.5} | common,
        {"idx": 2, "prediction": None, "certified": 0.0, "smoothed": None, "base": None} | common | {"inside": []},
    ]
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "which says what made" in run("attack_tables", path).one_line()
    path.with_name("lines.jsonl.made.json").write_text(json.dumps(made))
    rows = run("attack_tables", path, path).out.splitlines()
    assert len(rows) == 4
    assert len({row.count("|") for row in rows}) == 1
    cells = [cell.strip() for cell in rows[2].split("|")[1:-1]]
    assert cells == [
        "`bundled/a` + `none`",
        "l2",
        "3",
        "2",
        "0 of 2",
        "1",
        "0",
        "0.300",
        "2 (2 to the end)",
        "0.550",
        "2.000",
        "0.200",
        "0.300",
    ]
    unsearched = tmp_path / "unsearched.jsonl"
    unsearched.write_text("".join(json.dumps(line | {"smoothed": None, "base": None}) + "\n" for line in lines))
    unsearched.with_name("unsearched.jsonl.made.json").write_text(json.dumps(made))
    assert run("attack_tables", unsearched).out.splitlines()[2].endswith("| 0 | 0.300 |")
    (document,) = run("attack_tables", path, "--json").document
    assert document["summary"]["smallest_gap"] == pytest.approx(0.2)
    assert document["made_by"] == made
    assert "--help' shows what is accepted" in run("attack_tables").one_line()
    path.with_name("lines.jsonl.made.json").write_text("{}")
    assert "lacks norm, alpha" in run("attack_tables", path).one_line()
