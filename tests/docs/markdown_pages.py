"""The project's Markdown pages: their code blocks, with the comments before them, their links and their headings."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = ("python", "py", "pip", "make", "ray", "streamlit", "docker", "source")
"""What the first word of an indented block of shell lines may be; another indented block is Python."""

_COMMENT = re.compile(r"<!--\s*(only parsed|printed by the block above)(?::\s*(\S.*?))?\s*-->\s*", re.DOTALL)
_PROGRAM = re.compile(r"(?:[A-Z_]+=(?:\"[^\"]*\"|\S*)\s+)*(?:\S*[\\/])?([\w.]+)")


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    Attributes:
        line: its first line's number in the page, from 1.
        language: of the fence; of an indented block ``shell`` or ``python``.
        only_parsed: the reason that the comment before it gives for not running it, or None.
        printed: whether it shows what the block before it prints.
    """

    page: Path
    line: int
    language: str
    text: str
    only_parsed: str | None = None
    printed: bool = False

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page.name}, line {self.line}"


def blocks(page: Path, text: str | None = None) -> list[Block]:
    """All code blocks of a page, fenced and indented, those in lists included."""
    found, before = [], None
    for token in _tokens(page.read_text(encoding="utf-8") if text is None else text):
        if token.type in ("fence", "code_block"):
            assert token.map is not None
            comment = _COMMENT.fullmatch(before.content) if before is not None and before.type == "html_block" else None
            kind, reason = comment.groups() if comment else (None, None)
            assert kind != "only parsed" or reason, f"{page.name}: 'only parsed' wants a reason after a colon."
            line = token.map[0] + 1 + (token.type == "fence")
            language = token.info.split()[0] if token.info.strip() else "shell" if _is_shell(token.content) else "python"
            printed = kind == "printed by the block above"
            found.append(Block(page, line, language, token.content, None if printed else reason, printed))
        before = token
    return found


def links(page: Path) -> list[tuple[int, str]]:
    """The targets of all links and pictures of a page, with the number of the line where their paragraph begins."""
    found = []
    for token in _tokens(page.read_text(encoding="utf-8")):
        line = token.map[0] + 1 if token.map else 0
        for child in token.children or []:
            target = child.attrGet("href") or child.attrGet("src")
            if isinstance(target, str):
                found.append((line, target))
    return found


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may say behind ``#``: GitHub's way of naming them."""
    tokens = _tokens(page.read_text(encoding="utf-8"))
    names: set[str] = set()
    for token, after in itertools.pairwise(tokens):
        if token.type == "heading_open":
            text = "".join(child.content for child in after.children or [])
            name = plain = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            number = 0
            while name in names:
                number += 1
                name = f"{plain}-{number}"
            names.add(name)
    return names


def _tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def _is_shell(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    program = _PROGRAM.match(lines[0]) if lines else None
    if program is None:
        return False
    assigned = re.fullmatch(r"[A-Z_]+=\"[^\"]*\"", lines[0])  # DATA="...", which the lines after it use
    return bool(assigned) or program[1] in COMMANDS
