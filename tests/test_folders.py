"""Where things lie."""

from __future__ import annotations

import re
from pathlib import Path

from core.folders import ASSETS, EVALUATIONS, ROOT, answers_file, data_folder, home_folder


def test_the_environment_names_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("LAB_DATA")
    assert data_folder() == ROOT.parent / "shared" / "data"


def test_the_environment_names_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    assert home_folder() == tmp_path
    assert answers_file() == tmp_path / "answers.sqlite"
    monkeypatch.setenv("LAB_HOME", "")
    assert home_folder() == Path.home() / ".denoised-smoothing-lab"


def test_what_comes_with_the_project_is_there():
    assert (ROOT / "app.py").is_file()
    assert (ASSETS / "models").is_dir()
    assert any(EVALUATIONS.glob("*.tsv"))


def test_no_other_module_counts_its_way_up_to_the_project():
    counting = re.compile(r"__file__\)(\.resolve\(\))?\.parents\[")
    found = [str(path) for path in (ROOT / "core").rglob("*.py") if counting.search(path.read_text(encoding="utf-8"))]
    assert found == [str(ROOT / "core" / "folders.py")]
