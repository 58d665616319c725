"""The command line: `python -m core VERB`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import torch

from core.commands.attack import add_attack_verb
from core.commands.bench import add_bench_verb
from core.commands.certify import add_certify_verb
from core.commands.curve import add_curve_verb
from core.commands.denoise import add_denoise_verb
from core.commands.evaluate import add_evaluate_verb
from core.commands.models import add_models_verb
from core.commands.predict import add_predict_verb
from core.commands.serve_demo_api import add_serve_demo_api_verb
from core.commands.train import add_training_verbs
from core.commands.verify import add_verify_verb
from core.errors import LabError
from core.versions import LAB_VERSION
from experiments.compare_modes.command import add_compare_modes_verb
from experiments.replay.command import add_replay_verb

PROGRAM = "python -m core"


class _Parser(argparse.ArgumentParser):
    """Argparse, but a mistake is one line instead of a usage dump."""

    def error(self, message: str) -> NoReturn:
        """Hand the mistake to :func:`main`, with the command that shows what is accepted."""
        raise LabError(f"{message}; '{self.prog} --help' shows what is accepted.")


def build_parser() -> argparse.ArgumentParser:
    """The parser with all verbs."""
    parser = _Parser(prog=PROGRAM, description="Denoised smoothing: certified image classification.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"Denoised Smoothing Lab {LAB_VERSION}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_certify_verb(verbs)
    add_predict_verb(verbs)
    add_denoise_verb(verbs)
    add_attack_verb(verbs)
    add_compare_modes_verb(verbs)
    add_evaluate_verb(verbs)
    add_curve_verb(verbs)
    add_models_verb(verbs)
    add_training_verbs(verbs)
    add_verify_verb(verbs)
    add_bench_verb(verbs)
    add_replay_verb(verbs)
    add_serve_demo_api_verb(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code.

    0: done. 1: nobody read the output to its end. 2: a user's mistake, told in one line on stderr. 130: stopped by Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    verb = next((word for word in arguments if not word.startswith("-")), PROGRAM)
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
        return _tell(verb, str(error), 2)
    except KeyboardInterrupt:
        return _tell(verb, "stopped.", 130)
    except BrokenPipeError:
        _abandon_stdout()
        return _tell(verb, "the output was closed before all of it was written.", 1)
    except (MemoryError, torch.OutOfMemoryError):
        return _tell(verb, "the memory is used up: use a smaller --batch-size, picture or model.", 2)
    except OSError as error:  # a full disk, a folder without permission: the machine's state, not a fault of the program
        try:
            sys.stdout.flush()
        except OSError:
            _abandon_stdout()
        where = f" {str(error.filename)!r}" if error.filename else ""
        return _tell(verb, f"the system refused{where}: {error.strerror or error}.", 2)
    return code


def _abandon_stdout() -> None:
    # What is still buffered would raise again when the interpreter closes stdout.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(verb: str, sentence: str, code: int) -> int:
    print(f"{verb}: {' '.join(sentence.split())}", file=sys.stderr)
    return code
