"""Shell lines as the documentation uses them: words, patterns and braces, variables, ``>``; no more of a shell than that."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        words: the program and its arguments, patterns and braces written out.
        output: the file that ``>`` names, or None.
    """

    words: tuple[str, ...]
    output: str | None = None

    @property
    def program(self) -> str:
        """The program without its folder: ``.venv/bin/pip`` and ``.venv\\Scripts\\pip`` are ``pip``."""
        return re.split(r"[\\/]", self.words[0])[-1]

    def __str__(self) -> str:
        return shlex.join(self.words)


def commands(text: str, folder: Path) -> Iterator[Command]:
    """The commands of a block, one at a time: patterns are matched when their turn comes, against the files there then."""
    variables: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        assigned = re.fullmatch(r'([A-Z_]+)="([^"]*)"\s*(?:#.*)?', line.strip())
        if assigned:
            variables[assigned[1]] = assigned[2]
            continue
        filled = re.sub(r"\$([A-Z_]+)", lambda name: variables[name[1]], line)
        lexer = shlex.shlex(filled, posix=True, punctuation_chars=">")
        lexer.whitespace_split = True
        if re.search(r"\w\\\w", filled):  # a path of Windows, in which a backslash does not escape
            lexer.escape = ""
        words = list(lexer)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):  # NAME=VALUE before the program
            words.pop(0)
        if not words:
            continue
        output = None
        if ">" in words:
            at = words.index(">")
            output = words[at + 1]
            del words[at : at + 2]
        yield Command(tuple(itertools.chain.from_iterable(_written_out(word, folder) for word in words)), output)


def _written_out(word: str, folder: Path) -> list[str]:
    brace = re.search(r"\{([^{}]*,[^{}]*)\}", word)
    if brace:
        parts = (word[: brace.start()] + part + word[brace.end() :] for part in brace[1].split(","))
        return [found for part in parts for found in _written_out(part, folder)]
    if "*" in word:
        return sorted(str(path.relative_to(folder)) for path in folder.glob(word)) or [word]
    return [word]
