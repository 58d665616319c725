"""docs/security.md promises nothing that no test holds."""

from __future__ import annotations

import ast
import re

from tests.docs.markdown_pages import ROOT

ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|")
][2:]


def test_every_row_names_tests_that_are_there() -> None:
    assert len(ROWS) > 10
    for attack, limit, tests in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
        assert attack, tests
        assert limit, tests
        assert named, f"no test is named for: {attack}"
        for path, name in named:
            functions = ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
            assert any(isinstance(node, ast.FunctionDef) and node.name == name for node in functions), f"{path}::{name}"
