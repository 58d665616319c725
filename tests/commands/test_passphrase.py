"""`passphrase`: what it prints opens the door, and nothing else does."""

from __future__ import annotations

import io

import pytest

from core.__main__ import main
from core.visitor import Door


def test_what_it_prints_opens_the_door(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("nine small grey elephants\n"))
    assert main(["passphrase"]) == 0
    printed = capsys.readouterr().out
    assert "elephants" not in printed
    assert Door({"class": printed.strip()}).enter("nine small grey elephants") == "class"


def test_a_short_one_is_one_line_on_stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["passphrase"]) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "at least 12" in told.err


def test_two_different_ones_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    said = iter(["nine small grey elephants", "nine small gray elephants"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(said))
    assert main(["passphrase"]) == 2
    assert "say the same one twice" in capsys.readouterr().err
