"""The sentence that a user reads, whatever is quoted in it."""

from core.errors import LONGEST, LabError
from core.training.checkpoint import CheckpointWriteError


def test_a_sentence_is_one_line_that_a_terminal_shows_as_it_stands() -> None:
    for kind in (LabError, CheckpointWriteError):
        said = str(kind("a\r\nb\u2028c\x00d\x1b[31m\x9be \u202egnp.exe \ud800 is no picture."))
        assert said == "a b c d [31m e \ufffdgnp.exe \ufffd is no picture."
        assert said.encode("utf-8")


def test_what_is_too_long_loses_its_middle() -> None:
    said = str(LabError(f"The key {'x' * 1_000_000} is none of the schema."))
    assert len(said) < LONGEST
    assert said.startswith("The key xxx")
    assert said.endswith("xxx is none of the schema.")


def test_other_parts_stay_what_they_are() -> None:
    assert LabError("no", 3).args == ("no", 3)
