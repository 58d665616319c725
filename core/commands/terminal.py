"""What a program of ours says on the terminal (JSON on stdout, all else on stderr), Ctrl-C, and how it ends."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self, TextIO

import torch

from core.errors import LabError, one_line

EVERY_SECONDS = 5.0  # how often progress is told where stderr is no terminal


def print_json(document: object) -> None:
    """Print one JSON document on stdout. NaN and infinity are not JSON: such a value is a fault, and raises."""
    print(json.dumps(document, indent=2, allow_nan=False))


def say(*lines: str, file: TextIO | None = None) -> None:
    """Print lines, on stdout unless told otherwise; what a stranger wrote into one starts no other and turns nothing."""
    print(*map(one_line, lines), sep="\n", file=file, flush=True)


def remark(sentence: str) -> None:
    """Tell something the user should know, on stderr."""
    say(f"note: {' '.join(sentence.split())}", file=sys.stderr)


def print_result(args: argparse.Namespace, document: object, lines: Sequence[str]) -> None:
    """Print the document where ``--json`` asks for it, else its lines for people."""
    if args.json:
        print_json(document)
    else:
        say(*lines)


class ProgressLine:
    """One line that is written over on a terminal; elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._told = time.monotonic() - (EVERY_SECONDS if self._on_terminal else 0)

    def show(self, text: str) -> None:
        """Show the state of the work, unless it was shown a moment ago."""
        now = time.monotonic()
        if now - self._told < (0.1 if self._on_terminal else EVERY_SECONDS):
            return
        self._told = now
        start, end = ("\r\x1b[K", "") if self._on_terminal else ("", "\n")
        print(f"{start}{one_line(text)}", end=end, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._on_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class InterruptFlag:
    """Within ``with``, Ctrl-C sets a flag that the work asks for; a second Ctrl-C ends it where it stands."""

    def __init__(self) -> None:
        self._set = False
        self._previous: Any = None

    def is_set(self) -> bool:
        return self._set

    def __enter__(self) -> Self:
        # Only the main thread may handle signals; and one that is ignored, as under nohup, stays so.
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._set:
            raise KeyboardInterrupt
        self._set = True


class Countdown:
    """Lines on stderr, one for each of ``total`` images that is finished, with the time left at the pace so far."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._began = total, 0, time.monotonic()

    def tell(self, text: str) -> None:
        self._done += 1
        minutes = (time.monotonic() - self._began) / self._done * (self._total - self._done) / 60
        say(f"{self._done}/{self._total}  {text}  {minutes:.1f} min left", file=sys.stderr)


class CommandParser(argparse.ArgumentParser):
    """Argparse, but a mistake is one line instead of a usage dump."""

    def error(self, message: str) -> NoReturn:
        """Hand the mistake to :func:`run_program`, with the command that shows what is accepted."""
        raise LabError(f"{message}; '{self.prog} --help' shows what is accepted.")


def run_program(build_parser: Callable[[], argparse.ArgumentParser], argv: Sequence[str] | None, name: str) -> int:
    """Parse a command line (None: this process's own), do what its ``run`` does, and return the exit code.

    0: done. 1: nobody read the output to its end. 2: a mistake, told in a line that begins with ``name``. 130: Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # A file name or label that the terminal's encoding lacks must not end the run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        args = build_parser().parse_args(arguments)
        args.argv = arguments
        code = int(args.run(args) or 0)
        sys.stdout.flush()
    except LabError as error:
        return _tell(name, str(error), 2)
    except KeyboardInterrupt:
        return _tell(name, "stopped.", 130)
    except BrokenPipeError:
        _abandon_stdout()
        return _tell(name, "the output was closed before all of it was written.", 1)
    except (MemoryError, torch.OutOfMemoryError):
        return _tell(name, "the memory is used up: use a smaller --batch-size, picture or model.", 2)
    except OSError as error:  # a full disk, a folder without permission: the machine's state, not a fault of the program
        try:
            sys.stdout.flush()
        except OSError:
            _abandon_stdout()
        where = f" {str(error.filename)!r}" if error.filename else ""
        return _tell(name, f"the system refused{where}: {error.strerror or error}.", 2)
    return code


def _abandon_stdout() -> None:
    # What is still buffered would raise again when the interpreter closes stdout.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(name: str, sentence: str, code: int) -> int:
    say(f"{name}: {' '.join(sentence.split())}", file=sys.stderr)
    return code
