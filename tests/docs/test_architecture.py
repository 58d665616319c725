"""docs/architecture.md shows the house as it stands, and every page names files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.markdown_pages import ROOT

ARCHITECTURE = ROOT / "docs" / "architecture.md"
NAMED = r"`((?:core|experiments|tests|assets|pages)/[\w./-]+\.(?:py|json|toml|md))`"
LOOSE = 8
"""Files that may lie in core itself."""


def shown() -> dict[Path, set[str]]:
    """The folders of the tree, each with the modules that are listed for it."""
    (tree,) = re.findall(
        r"^```text\n(core/\n.*?)^```", ARCHITECTURE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    found: dict[Path, set[str]] = {}
    path: list[str] = []
    for line in tree.splitlines():
        depth, text = (len(line) - len(line.lstrip())) // 2, line.strip()
        folder = re.match(r"(\w+)/( |$)", text)
        if folder:
            path = [*path[:depth], folder[1]]
            found[Path(*path)] = set()
        elif text:
            found[Path(*path[:depth])] |= set(text.split())
    return found


def standing() -> dict[Path, set[str]]:
    folders = [path.parent for top in ("core", "experiments") for path in (ROOT / top).rglob("__init__.py")]
    return {
        folder.relative_to(ROOT): {path.stem for path in folder.glob("*.py") if path.stem != "__init__"} for folder in folders
    }


def test_the_tree_is_the_one_that_stands() -> None:
    drawn, there = shown(), standing()
    assert drawn.keys() == there.keys()
    for folder, modules in there.items():
        assert drawn[folder] == modules, folder


def test_few_files_lie_loose() -> None:
    assert len(list((ROOT / "core").glob("*.py"))) <= LOOSE


@pytest.mark.parametrize("path", [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"], ids=lambda path: path.name)
def test_files_that_a_page_names_are_there(path: Path) -> None:
    named = set(re.findall(NAMED, path.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
