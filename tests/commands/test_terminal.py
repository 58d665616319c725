"""Progress lines and the Ctrl-C flag."""

from __future__ import annotations

import io
import signal
import sys
import threading

import pytest

from core.commands import terminal
from core.commands.terminal import InterruptFlag, ProgressLine, print_json


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_is_written_over(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    line = ProgressLine()
    for second in (0.0, 0.05, 0.2):  # the second comes too soon after the first to be shown
        now[0] = second
        line.show(f"at {second}")
    line.clear()
    assert screen.getvalue() == "\r\x1b[Kat 0.0\r\x1b[Kat 0.2\r\x1b[K"


def test_elsewhere_a_line_every_few_seconds(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    line = ProgressLine()
    for second in range(13):
        now[0] = float(second)
        line.show(f"at {second}")
    line.clear()
    assert log.getvalue() == "at 5\nat 10\n"


def test_the_second_ctrl_c_ends_it():
    with InterruptFlag() as flag:
        assert not flag.is_set()
        signal.raise_signal(signal.SIGINT)
        assert flag.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with InterruptFlag() as flag:
            signal.raise_signal(signal.SIGINT)
            assert not flag.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_signals_are_left_alone():
    seen = []

    def work() -> None:
        with InterruptFlag() as flag:
            seen.append((flag.is_set(), signal.getsignal(signal.SIGINT)))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"psnr": float("nan")})
