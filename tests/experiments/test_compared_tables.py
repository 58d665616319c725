"""The tables of docs/certificates-compared.md and docs/attacks.md are those that the stored lines give."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.conftest import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "assets" / "evaluations"
PAIRS = ("cifar10-none", "cifar10-mse", "cifar10-stab", "shapes-none", "shapes-mse", "shapes-stab")


@pytest.mark.parametrize(
    ("name", "folder", "ending", "page"),
    [
        ("compare_modes", "modes", "", "certificates-compared.md"),
        ("attack_tables", "attacks", "-search", "certificates-compared.md"),
        ("attack_tables", "attacks", "", "attacks.md"),
    ],
)
def test_the_page_has_the_tables(capsys, name, folder, ending, page):
    files = [str(STORED / folder / f"{pair}{ending}.jsonl") for pair in PAIRS]
    options = ["--summary"] if name == "compare_modes" else []
    assert PROGRAMS[name]([*options, *files]) == 0
    tables = capsys.readouterr().out.strip().split("\n\n")
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for table in tables:
        assert len(table.splitlines()) >= 2 + len(PAIRS)
        assert table in text
