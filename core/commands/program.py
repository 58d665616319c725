"""How a program of ours runs: mistakes in one line, an interrupted or closed output, the exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import torch

from core.errors import LabError


class CommandParser(argparse.ArgumentParser):
    """Argparse, but a mistake is one line instead of a usage dump."""

    def error(self, message: str) -> NoReturn:
        """Hand the mistake to :func:`run_program`, with the command that shows what is accepted."""
        raise LabError(f"{message}; '{self.prog} --help' shows what is accepted.")


def run_program(build_parser: Callable[[], argparse.ArgumentParser], argv: Sequence[str], name: str) -> int:
    """Parse a command line, do what it asks for, and return the exit code.

    0: done. 1: nobody read the output to its end. 2: a user's mistake, told in one line on stderr. 130: stopped by Ctrl-C.

    Args:
        build_parser: makes a parser whose result has ``run``, which takes the parsed command line.
        argv: the words after the program.
        name: what a line on stderr begins with.
    """
    arguments = list(argv)
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
    print(f"{name}: {' '.join(sentence.split())}", file=sys.stderr)
    return code
