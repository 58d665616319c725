"""Rules of the house that no linter holds: names that are one thing, calls that say what they pass, the formatter left on."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = {path.relative_to(ROOT): ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "core").rglob("*.py"))}
PROTOCOL = {"read", "verdict", "wanted"}
"""What each module of core/models/formats has: its verdict on a listing, the files it wants, its reader."""
UNSAID = {"utils", "helpers", "common", "misc", "at_hand", "together", "turns", "kept", "named", "needed", "meaning", "looks"}
UNSAID |= {"line", "question", "questions", "inquiry", "collection"}
POSITIONAL = 4
SWITCHED_OFF = 10


def public(module: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    return [n for n in module.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]


def test_no_two_things_have_one_name() -> None:
    homes = defaultdict(list)
    for path, module in MODULES.items():
        for node in public(module):
            homes[node.name].append(str(path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1 and name not in PROTOCOL} == {}


def test_module_names_say_what_is_in_them() -> None:
    assert [str(path) for path in MODULES if path.stem in UNSAID] == []


def test_more_than_four_arguments_are_passed_by_keyword() -> None:
    kinds = ast.FunctionDef | ast.ClassDef
    ours = {node.name for module in MODULES.values() for node in ast.walk(module) if isinstance(node, kinds)}
    # What takes any number of values of one kind may be given many.
    any_number = {n.name for m in MODULES.values() for n in ast.walk(m) if isinstance(n, ast.FunctionDef) and n.args.vararg}
    found = []
    for path, module in MODULES.items():
        imported = {a.asname or a.name for n in module.body if isinstance(n, ast.ImportFrom) for a in n.names}
        known = (imported | {node.name for node in module.body if isinstance(node, kinds)}) & ours - any_number
        for call in (node for node in ast.walk(module) if isinstance(node, ast.Call) and len(node.args) > POSITIONAL):
            of_self = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in ("self", "cls")
            if (isinstance(call.func, ast.Name) and call.func.id in known) or (of_self and call.func.attr in ours):
                found.append(f"{path}:{call.lineno} {ast.unparse(call.func)}")
    assert found == []


@pytest.mark.parametrize("folder", ["core", "experiments", "pages", "tests"])
def test_the_formatter_is_left_on(folder: str) -> None:
    switched = sum(len(re.findall(r"fmt: *(?:skip|off)", path.read_text("utf-8"))) for path in (ROOT / folder).rglob("*.py"))
    assert switched <= (SWITCHED_OFF if folder == "core" else folder == "tests")  # here it is spoken of
