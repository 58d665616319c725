"""Every code block of the README and of docs/ is run, or where a comment before it says why not, parsed.

The comment is ``<!-- only parsed: the reason -->``; a block without it is run. A page is one session: its blocks run in the
order of the page, in one folder, and its Python blocks share their names. docs/README.md says what lies in that folder.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import io
import itertools
import json
import re
import shutil
import tomllib
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from core import __main__ as cli
from core.errors import LabError
from tests.docs.markdown_pages import PAGES, ROOT, Block, blocks
from tests.docs.shell_lines import Command, commands

NOT_CODE = ("text", "nginx", "ini")
PLACEHOLDERS = re.compile(r"\.\.\.|\b(PATH|OWNER|NAME|HOST|PORT|VERB|HASH|REVISION)\b")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a page's blocks run: assets, two pictures, and a log. Nothing there may use the network."""
    folder = tmp_path / "session"
    folder.mkdir()
    (folder / "assets").symlink_to(ROOT / "assets")
    shutil.copy(ROOT / "assets" / "samples" / "black-cat.png", folder / "cat.png")
    shutil.copy(ROOT / "assets" / "samples" / "red-car.png", folder / "car.png")
    (folder / "logs").mkdir()
    for file in (ROOT / "assets" / "evaluations").glob("cifar10-stab-0.25.*"):
        shutil.copy(file, folder / "logs" / file.name.removeprefix("cifar10-"))
    monkeypatch.chdir(folder)
    for name in ("LAB_STORE", "LAB_DATA", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"LAB_HOME": folder / "home", "HF_HUB_CACHE": folder / "hub", "HF_HUB_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, str(value))
    return folder


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_blocks_of_a_page(document: Path, session: Path) -> None:
    check_all(blocks(document), session)


def check_all(page: Sequence[Block], folder: Path) -> None:
    """Check the blocks of a page, in the order in which they stand there."""
    names: dict[str, Any] = {"__name__": "page"}
    printed = ""
    for block in page:
        printed = check(block, folder, names, printed)


def check(block: Block, folder: Path, names: dict[str, Any], before: str) -> str:
    """Run or parse a block; return what it printed, ``before`` being what the one before it printed."""
    if block.only_parsed is None and block.language in ("shell", "python"):
        found = PLACEHOLDERS.search(block.text)
        assert not found, f"{block.place}: {found and found[0]!r} stands for something else, so the block can only be parsed."
    match block.language:
        case "python" if block.only_parsed:
            check_imports(block)
        case "python":
            return run_python(block, names)
        case "shell" | "bash":
            return "".join(check_command(block, command, folder) for command in commands(block.text, folder))
        case "json":
            json.loads(block.text)
        case "toml":
            tomllib.loads(block.text)
        case "text" if block.printed:
            assert _lines(before) == _lines(block.text), f"{block.place}: the block before it prints something else."
        case language:
            assert language in NOT_CODE, f"{block.place}: nobody knows how to check {language!r}."
    return ""


def run_python(block: Block, names: dict[str, Any]) -> str:
    """Execute a block; its lines keep their numbers in a traceback."""
    out = io.StringIO()
    code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec")
    with redirect_stdout(out):
        exec(code, names)
    return out.getvalue()


def check_imports(block: Block) -> None:
    """Parse Python, and find every name that it imports from the Lab."""
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "core":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                assert hasattr(module, alias.name), f"{block.place}: {node.module} has no {alias.name}."


def check_command(block: Block, command: Command, folder: Path) -> str:
    """Run a command of the Lab, or parse it; of other programs, look whether what they are given is there."""
    match [command.program, *command.words[1:]]:
        case ["python" | "py", "-m", module, *arguments] if (program := program_of(module)) is not None:
            if block.only_parsed is None:
                return run_lab(block, command, program, arguments, folder)
            parse_lab(block, program, arguments)
        case ["python" | "py", "-m", module, *arguments]:
            assert importlib.util.find_spec(module), f"{block.place}: there is no module {module}."
            lost = [word for word in arguments if module == "pytest" and "/" in word and not (ROOT / word).exists()]
            assert not lost, f"{block.place}: there is no {lost}."
        case ["python" | "py", file, *_] if file.endswith(".py"):
            assert (ROOT / file).is_file(), f"{block.place}: there is no {file}."
        case ["make", *arguments]:
            targets = re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            wanted = [word for word in arguments if "=" not in word]
            assert wanted, f"{block.place}: make without a target."
            assert set(wanted) <= set(targets), f"{block.place}: the Makefile has {targets}, not all of {wanted}."
        case ["pip", "install", "-r", file]:
            assert (ROOT / file).is_file(), f"{block.place}: there is no {file}."
        case ["pip", "install", *packages]:
            listed = "".join(
                path.read_text() for path in [*ROOT.glob("requirements*.txt"), ROOT / "deploy" / "requirements.txt"]
            )
            unlisted = [name for name in packages if name not in listed]
            assert not unlisted, f"{block.place}: no requirements file names {unlisted}."
        case ["docker", *words]:
            files = [word for before, word in itertools.pairwise(words) if before == "-f"]
            assert all((ROOT / file).is_file() for file in files), f"{block.place}: not all of {files} are there."
            assert block.only_parsed, f"{block.place}: {command.program!r} is not run; say '<!-- only parsed: why -->'."
        case ["streamlit", "run", file, *_]:
            assert (ROOT / file).is_file(), f"{block.place}: there is no {file}."
        case _:
            told = f"{block.place}: {command.program!r} is neither run nor checked; say '<!-- only parsed: why -->'."
            assert block.only_parsed, told
    return ""


def program_of(module: str) -> ModuleType | None:
    """The module with ``main`` and ``build_parser`` behind ``python -m core``, or an experiment; None for other programs."""
    if module == "core":
        return cli
    if module.split(".")[0] != "experiments" or (found := importlib.util.find_spec(module)) is None:
        return None
    return importlib.import_module(f"{module}.__main__" if found.submodule_search_locations else module)


def run_lab(block: Block, command: Command, program: ModuleType, arguments: list[str], folder: Path) -> str:
    """Run a program of the Lab in this process; return what it prints, ``>`` aside."""
    out, told = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(told):
        try:
            code = program.main(arguments)
        except SystemExit as leaving:  # --help
            code = leaving.code or 0
    assert code == 0, f"{block.place}: {command} ended with {code}: {told.getvalue()[-1000:]}"
    if command.output is None:
        return out.getvalue()
    (folder / command.output).write_text(out.getvalue(), encoding="utf-8")
    return ""


def parse_lab(block: Block, program: ModuleType, arguments: list[str]) -> None:
    """Parse a command line: every option exists and every value is of its kind; with ``...`` some may be missing."""
    parser = program.build_parser()
    if "..." in arguments:
        verbs = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        for action in (verbs[0].choices[arguments[0]] if verbs else parser)._actions:
            action.required = False
    try:
        parser.parse_args([word for word in arguments if word != "..."])
    except LabError as error:
        raise AssertionError(f"{block.place}: {error}") from error


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


PAGE = Path("page.md")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("    python -m core certify cat.png --no-such-option", "no-such-option"),
        ("<!-- only parsed: why -->\n\n    python -m core certify cat.png --no-such-option", "no-such-option"),
        ("<!-- only parsed: why -->\n\n    python -m core certify cat.png --n many", "many"),
        ("<!-- only parsed: why -->\n\n    python -m core evaluate ... --sgima 1", "sgima"),
        ("    python -m experiments.attack_tables missing.jsonl", "missing.jsonl"),
        ("<!-- only parsed: why -->\n\n    python -m experiments.replay ... --sgima 1", "sgima"),
        ("    python -m core evaluate --dataset parquet/PATH --out a.tsv", "'PATH' stands for something else"),
        ("    python -m core curve missing.tsv", "missing.tsv"),
        ("    make lunch", "lunch"),
        ("    pip install -r requirements-none.txt", "requirements-none.txt"),
        ("    python -m pytest tests/no-such-folder -k word", "no-such-folder"),
        ("    python docs/no_such_file.py", "no_such_file.py"),
        ("    ray start --head", "neither run nor checked"),
        ("<!-- only parsed: why -->\n\n    from core import no_such_name", "no_such_name"),
        ("* in a list:\n\n      assert 1 == 2, 'arithmetic'", "arithmetic"),
        ("```python\nassert 1 == 2, 'arithmetic'\n```", "arithmetic"),
        ("    print(1)\n\n<!-- printed by the block above -->\n```text\n2\n```", "prints something else"),
        ("```fortran\nEND\n```", "fortran"),
        ("```json\n{,}\n```", "property name"),
        ("<!-- only parsed -->\n\n    x = 1", "wants a reason"),
        ("<!-- only parsed: why -->\n\nSome words.\n\n    assert 1 == 2, 'too far away'", "too far away"),
    ],
)
def test_a_wrong_block_is_found(text: str, told: str, session: Path) -> None:
    with pytest.raises((AssertionError, ValueError), match=re.escape(told)):
        check_all(blocks(PAGE, text), session)


def test_blocks_share_files_names_and_output(session: Path) -> None:
    text = (
        "    x = 3  # Python\n\nthen\n\n"
        "    # shell\n    python -m core curve assets/evaluations/cifar10-{stab,none}-0.2*.tsv --json > curve.json\n\nthen\n\n"
        "    import json, pathlib\n    print(len(json.loads(pathlib.Path('curve.json').read_text())['logs']), x)\n\n"
        "<!-- printed by the block above -->\n```text\n2 3\n```\n"
    )
    check_all(blocks(PAGE, text), session)
    assert [block.line for block in blocks(PAGE, text)] == [1, 5, 10, 15]


def test_every_page_is_found() -> None:
    assert len(PAGES) > 10
    assert sum(len(blocks(page)) for page in PAGES) > 50
