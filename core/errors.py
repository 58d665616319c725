"""The one exception a user is meant to read, and the clause that others leave in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST, LONGEST_FILE = 2_000, 120
"""Characters of a sentence, and of a file's name in it: what is quoted may be a megabyte."""
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TURNS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSEEN = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u2061-\u2064\u206a-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb"
)
_MISLEADING = re.compile(f"[{_TURNS}{_UNSEEN}\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")


def one_line(text: str, longest: int = LONGEST) -> str:
    r"""Text of strangers (a file's name, a key, a label) for a sentence: no line breaks, no codes of terminals, no turning
    of the direction it is read in, no halves of characters, and nothing that is not seen, by which two names look the same,
    but for what joins letters and parts of emoji (U+200C, U+200D); what is too long loses its middle.

    >>> one_line("cat\r\n\x1b[31m\u202egnp.exe"), one_line("ca\u200bt"), one_line("naïve 猫 👍🏽.png")
    ('cat [31m�gnp.exe', 'ca�t', 'naïve 猫 👍🏽.png')
    """
    if len(text) > longest:
        text = f"{text[: longest * 3 // 4]} … {text[-longest // 5 :]}"
    return _MISLEADING.sub("\ufffd", _BREAKS.sub(" ", text))


class LabError(ValueError):
    """A user's mistake or a limit reached: one sentence saying what is wrong, what was expected, what to do.

    Whatever it quotes, it is one line (:func:`one_line`). The command line prints it and exits with code 2; the pages show
    it in a box. Anything else that is raised is a fault of the program and keeps its traceback.
    """

    def __init__(self, *said: object) -> None:
        super().__init__(*(one_line(part) if isinstance(part, str) else part for part in said))


def first_line(error: BaseException, longest: int = 200) -> str:
    """What an exception says, cut down to a clause for a sentence: its first line, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:longest]


@contextmanager
def told_as(sentence: str, longest: int = 200) -> Iterator[None]:
    """Within ``with`` whatever fails, as libraries do on files of strangers, each in its own way, is told as a LabError: a
    sentence, and what the exception says. A LabError stays what it is, and so does a want of memory."""
    try:
        yield
    except (LabError, MemoryError):
        raise
    except Exception as error:
        raise LabError(f"{sentence}: {first_line(error, longest)}") from error
